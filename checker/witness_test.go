package checker

import (
	"errors"
	"fmt"
	"slices"
)

// confirm checks a witness by the definitions: every edge holds, the edges connect, the ends are right.
func (c *closure) confirm(v Verdict) error {
	if err := c.connected(v); err != nil {
		return err
	}
	switch v.Rule {
	case 0, ThinAirRead:
		if len(v.Edges) > 0 {
			return errors.New("edges without need")
		}
		if v.Rule == ThinAirRead && c.source[v.Read] != noSource {
			return errors.New("the read has a source")
		}
	case CyclicCO, CyclicCF:
		if len(v.Edges) < 2 || v.Edges[0].From != v.Edges[len(v.Edges)-1].To {
			return errors.New("not a cycle")
		}
		conflicts := slices.ContainsFunc(v.Edges, func(e Edge) bool { return e.Kind == Conflict })
		if conflicts != (v.Rule == CyclicCF) {
			return errors.New("the conflicts do not suit the rule")
		}
	case WriteCOInitRead, WriteCORead:
		return c.confirmOverwriting(v)
	}
	return nil
}

func (c *closure) confirmOverwriting(v Verdict) error {
	if v.Edges[0].From != v.Stale || v.Edges[len(v.Edges)-1].To != v.Read {
		return errors.New("the path has other ends")
	}
	if !slices.ContainsFunc(v.Edges, func(e Edge) bool { return e.From == v.Newer }) {
		return errors.New("the path avoids the overwriting write")
	}
	if c.source[v.Read] != v.Stale || v.Newer == v.Stale || !c.writesKeyOf(v.Newer, v.Read) {
		return errors.New("not an overwriting write")
	}
	if slices.ContainsFunc(v.Edges, func(e Edge) bool { return e.Kind == Conflict }) {
		return errors.New("a conflict is no causal order")
	}
	if shortest := c.shortest(v.Read); len(v.Edges) > shortest {
		return fmt.Errorf("%d edges, but %d suffice", len(v.Edges), shortest)
	}
	return nil
}

func (c *closure) connected(v Verdict) error {
	for i, e := range v.Edges {
		if i > 0 && v.Edges[i-1].To != e.From {
			return fmt.Errorf("edge %d does not continue", i)
		}
		switch e.Kind {
		case Initial:
			if e.From != None || i > 0 {
				return fmt.Errorf("edge %d is not from the initial state", i)
			}
		case SessionOrder:
			if !c.session[e.From][e.To] {
				return fmt.Errorf("edge %d is not in session order", i)
			}
		case ReadsFrom:
			if !c.readsFrom[e.From][e.To] {
				return fmt.Errorf("edge %d does not read from", i)
			}
		case Conflict:
			if c.source[e.Read] != e.To || !c.writesKeyOf(e.From, e.Read) || !c.causal[e.From][e.Read] {
				return fmt.Errorf("edge %d is no conflict", i)
			}
			past := Verdict{Edges: e.Past}
			if err := c.connected(past); err != nil || e.Past[0].From != e.From || e.Past[len(e.Past)-1].To != e.Read {
				return fmt.Errorf("the past of edge %d is wrong: %w", i, err)
			}
		}
	}
	return nil
}

// shortest returns the least number of edges from the source of a read over an overwriting write to it.
func (c *closure) shortest(r int) int {
	n := len(c.operations)
	const far = 1 << 20
	distance := make([][]int, n)
	for i := range n {
		distance[i] = make([]int, n)
		for j := range n {
			distance[i][j] = far
			if c.session[i][j] || c.readsFrom[i][j] {
				distance[i][j] = 1
			}
		}
	}
	for k := range n {
		for i := range n {
			for j := range n {
				distance[i][j] = min(distance[i][j], distance[i][k]+distance[k][j])
			}
		}
	}
	best := far
	for t := range n {
		switch w := c.source[r]; {
		case t == w || !c.writesKeyOf(t, r):
		case w == None:
			best = min(best, 1+distance[t][r])
		default:
			best = min(best, distance[w][t]+distance[t][r])
		}
	}
	return best
}
