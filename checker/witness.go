package checker

import "slices"

// effort bounds how many operations a search for a better witness may visit, once there is one.
const effort = 1 << 22

// closing is a conflict that closes a cycle.
type closing struct {
	conflict
	to int32
}

// overwriting returns the clearest witness that one of the given reads returned a version that its
// causal past had overwritten.
func (s *sweep) overwriting(rule Rule, reads []int32) Verdict {
	var best Verdict
	f := newSearch(s)
	for _, r := range reads {
		if best.Status == Violated && f.visits > effort {
			break
		}
		if v := f.overwritten(rule, r); v.Status == Violated && clearer(v, best) {
			best = v
		}
	}
	return best
}

// overwritten returns the shortest witness for one read. Its status is Undecided when there is none.
func (f *search) overwritten(rule Rule, r int32) Verdict {
	edges, newer := f.find(query{start: r, target: None, stale: true})
	if len(edges) == 0 {
		return Verdict{}
	}
	v := Verdict{Status: Violated, Rule: rule, Read: int(r), Stale: int(f.source[r]), Newer: newer}
	if v.Stale == None {
		v.Newer = edges[0].From
		edges = slices.Insert(edges, 0, Edge{From: None, To: v.Newer, Kind: Initial, Read: None})
	}
	v.Edges = merged(edges, v.Newer)
	v.Guarantee = guarantee(v)
	return v
}

// clearer orders witnesses: fewer edges first, then the guarantee that is easier to see broken.
func clearer(a, b Verdict) bool {
	if b.Status != Violated {
		return true
	}
	if len(a.Edges) != len(b.Edges) {
		return len(a.Edges) < len(b.Edges)
	}
	return a.Guarantee < b.Guarantee
}

// guarantee names the promise broken by the shape of the path from the overwriting write to the read.
func guarantee(v Verdict) Guarantee {
	i := slices.IndexFunc(v.Edges, func(e Edge) bool { return e.From == v.Newer })
	path := v.Edges[i:]
	switch {
	case len(path) == 1:
		return ReadYourWrites
	case len(path) == 2: // reads-from, then session order
		return MonotonicReads
	case len(path) == 3: // session order to a later write, reads-from, session order
		return MonotonicWrites
	}
	return WritesFollowReads
}

// causalCycle returns a shortest cycle of po ∪ rf through the read at which some session is stuck. The
// sessions that are stuck wait for each other, so one of these reads is on a cycle.
func (s *sweep) causalCycle() Verdict {
	v := Verdict{Status: Violated, Rule: CyclicCO, Guarantee: Cycle, Read: None, Stale: None, Newer: None}
	f := newSearch(s)
	for session := range s.sessions {
		if s.waitsFor(int32(session)) == None || v.Edges != nil && f.visits > effort {
			continue
		}
		stuck := s.sequence[s.start[session]+s.done[session]]
		edges, _ := f.find(query{start: stuck, target: stuck})
		first := slices.IndexFunc(edges, func(e Edge) bool { return s.role[e.From] != reader })
		if first < 0 {
			continue // it waits for a cycle that it is not on
		}
		edges = merged(append(edges[first:len(edges):len(edges)], edges[:first]...), None)
		if v.Edges == nil || len(edges) < len(v.Edges) {
			v.Edges = edges
		}
	}
	return v
}

// conflictCycle returns the witness for a component that is cyclic by the given conflicts.
func (s *sweep) conflictCycle(component []int32, cyclic []closing) Verdict {
	if s.observed > 0 {
		if v := s.overwrittenByCycle(component, cyclic); v.Status == Violated {
			return v
		}
	}
	v := Verdict{Status: Violated, Rule: CyclicCF, Guarantee: Cycle, Read: None, Stale: None, Newer: None}
	f := newSearch(s)
	for _, c := range cyclic {
		if v.Edges != nil && f.visits > effort {
			break
		}
		edges, _ := f.find(query{start: c.from, target: c.to, component: component})
		edges = append(merged(edges, None), Edge{
			From: int(c.from), To: int(c.to), Kind: Conflict, Read: int(c.reason), Key: s.operations[c.reason].Key,
		})
		if v.Edges == nil || len(edges) < len(v.Edges) {
			v.Edges = edges
		}
	}
	for i, edge := range v.Edges {
		if edge.Kind == Conflict {
			past, _ := f.find(query{start: int32(edge.Read), target: int32(edge.From)})
			v.Edges[i].Past = merged(past, None)
		}
	}
	return v
}

// overwrittenByCycle recognizes WriteCORead where indeterminate writes hide it from the sweep: the write
// read, or the one that overwrites it, then lies on a cycle with a conflict. It gives up, and leaves the
// name CyclicCF to the violation, when the history is too large to look at every read on a cycle.
func (s *sweep) overwrittenByCycle(component []int32, cyclic []closing) Verdict {
	onCycle := make([]bool, slices.Max(component)+1)
	for _, c := range cyclic {
		onCycle[component[c.to]] = true
	}
	var reads []int32
	for r := range s.operations {
		if s.role[r] == reader && s.source[r] != None && onCycle[component[s.source[r]]] {
			reads = append(reads, int32(r))
		}
	}
	var best Verdict
	f := newSearch(s)
	for _, r := range reads {
		if f.visits > effort {
			break
		}
		if v := f.overwritten(WriteCORead, r); v.Status == Violated && clearer(v, best) {
			best = v
		}
	}
	return best
}
