package checker

// closure decides causal convergence by the letter of the definitions, with n³ steps and none of the
// code under test: it is what CheckCausal is compared with.
type closure struct {
	operations []Operation
	takesPart  []bool // by operation
	source     []int  // of a read: the write, None or noSource
	session    matrix // po
	readsFrom  matrix // rf
	causal     matrix // co = (po ∪ rf)⁺
	conflict   matrix // cf
}

type matrix [][]bool

func newMatrix(n int) matrix {
	m := make(matrix, n)
	for i := range m {
		m[i] = make([]bool, n)
	}
	return m
}

// union returns the transitive closure of the union of the matrices.
func union(matrices ...matrix) matrix {
	n := len(matrices[0])
	m := newMatrix(n)
	for _, other := range matrices {
		for i := range n {
			for j := range n {
				m[i][j] = m[i][j] || other[i][j]
			}
		}
	}
	for k := range n {
		for i := range n {
			for j := range n {
				m[i][j] = m[i][j] || m[i][k] && m[k][j]
			}
		}
	}
	return m
}

func (m matrix) cyclic() bool {
	for i := range m {
		if m[i][i] {
			return true
		}
	}
	return false
}

func newClosure(h History) *closure {
	n := len(h.Operations)
	c := &closure{
		operations: h.Operations, takesPart: make([]bool, n), source: make([]int, n),
		session: newMatrix(n), readsFrom: newMatrix(n), conflict: newMatrix(n),
	}
	for i, op := range h.Operations {
		c.takesPart[i] = op.Outcome == Acknowledged || op.Outcome == Indeterminate && op.Kind != Read && op.Version != ""
	}
	for i, a := range h.Operations {
		for j, b := range h.Operations {
			if i < j && c.takesPart[i] && c.takesPart[j] && a.Session == b.Session && a.Outcome == Acknowledged {
				c.session[i][j] = true
			}
		}
	}
	for r := range h.Operations {
		if c.isRead(r) {
			c.source[r] = c.origin(r)
			if c.source[r] >= 0 {
				c.readsFrom[c.source[r]][r] = true
			}
		}
	}
	c.causal = union(c.session, c.readsFrom)
	for r := range h.Operations {
		for t := range h.Operations {
			if w := c.source[r]; c.isRead(r) && w >= 0 && w != t && c.writesKeyOf(t, r) && c.causal[t][r] {
				c.conflict[t][w] = true
			}
		}
	}
	return c
}

func (c *closure) isRead(i int) bool { return c.takesPart[i] && c.operations[i].Kind == Read }

func (c *closure) writesKeyOf(i, r int) bool {
	return c.takesPart[i] && c.operations[i].Kind != Read && c.operations[i].Key == c.operations[r].Key
}

func (c *closure) origin(r int) int {
	if c.operations[r].Version == "" {
		return None
	}
	for w, op := range c.operations {
		if c.writesKeyOf(w, r) && op.Version == c.operations[r].Version {
			return w
		}
	}
	return noSource
}

// rule returns the first pattern that the history contains, or 0.
func (c *closure) rule() Rule {
	n := len(c.operations)
	var initial, overwritten bool
	for r := range n {
		if !c.isRead(r) {
			continue
		}
		w := c.source[r]
		if w == noSource {
			return ThinAirRead
		}
		for t := range n {
			if !c.writesKeyOf(t, r) || !c.causal[t][r] {
				continue
			}
			initial = initial || w == None
			overwritten = overwritten || w >= 0 && w != t && c.causal[w][t]
		}
	}
	switch {
	case c.causal.cyclic():
		return CyclicCO
	case initial:
		return WriteCOInitRead
	case overwritten:
		return WriteCORead
	case union(c.causal, c.conflict).cyclic():
		return CyclicCF
	}
	return 0
}

// memory reports whether the history satisfies causal memory, which is not what CheckCausal demands: for
// each operation o there is an order of its causal past that explains the reads of o's session up to o.
func (c *closure) memory() bool {
	if rule := c.rule(); rule != 0 && rule != CyclicCF {
		return false
	}
	for o := range c.operations {
		if c.takesPart[o] && !c.explains(o) {
			return false
		}
	}
	return true
}

// explains computes the happened-before relation of an operation: the least transitive one that contains
// co on its past, and in which w1 comes before w2 if a read of w2 by its session comes after w1.
func (c *closure) explains(o int) bool {
	n := len(c.operations)
	before := newMatrix(n)
	for i := range n {
		for j := range n {
			before[i][j] = c.causal[i][j] && (j == o || c.causal[j][o])
		}
	}
	for changed := true; changed; {
		changed = false
		for r := range n {
			if !c.isRead(r) || r != o && !c.session[r][o] {
				continue
			}
			for t := range n {
				w := c.source[r]
				if t == w || !c.writesKeyOf(t, r) || !before[t][r] {
					continue
				}
				if w == None {
					return false
				}
				if !before[t][w] {
					before[t][w], changed = true, true
				}
			}
		}
		before = union(before)
		if before.cyclic() {
			return false
		}
	}
	return true
}
