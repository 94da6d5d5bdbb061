package checker

import "fmt"

// CheckCausal decides whether a history is causally convergent, within the default limits. The error
// wraps ErrMalformed and says what is wrong with the recording: nothing is decided then.
func CheckCausal(history History) (Verdict, error) {
	return CheckCausalWithin(history, Limits{})
}

// CheckCausalWithin is CheckCausal with limits: a history that needs more gets an Undecided verdict.
func CheckCausalWithin(history History, limits Limits) (Verdict, error) {
	s, verdict, err := prepare(history, limits)
	if s == nil || err != nil {
		return verdict, err
	}
	s.run()
	if s.exhausted && len(s.uninitialized) == 0 && len(s.overwritten) == 0 {
		return undecidedForMemory(limits), nil
	}
	return s.judge(), nil
}

// prepare indexes a history. Without a sweep, the verdict (or the error) is final.
func prepare(history History, limits Limits) (*sweep, Verdict, error) {
	if most := limits.operations(); len(history.Operations) > most {
		return nil, undecided(fmt.Sprintf("the history has %d operations, the limit is %d; raise Limits.Operations or record a shorter one",
			len(history.Operations), most)), nil
	}
	x, err := newIndex(history)
	if err != nil {
		return nil, undecided("the history is malformed"), err
	}
	if x.thinAir != None {
		return nil, Verdict{
			Status: Violated, Rule: ThinAirRead, Guarantee: ThinAir, Read: x.thinAir, Stale: None, Newer: None,
		}, nil
	}
	s, ok := newSweep(x, limits.bytes())
	if !ok {
		return nil, undecidedForMemory(limits), nil
	}
	return s, Verdict{}, nil
}

func undecided(reason string) Verdict {
	return Verdict{Reason: reason, Read: None, Stale: None, Newer: None}
}

func undecidedForMemory(limits Limits) Verdict {
	return undecided(fmt.Sprintf("the check needs more than %d KiB of memory; raise Limits.Bytes or record fewer sessions or operations",
		limits.bytes()>>10))
}

// judge turns what the sweep found into a verdict.
func (s *sweep) judge() Verdict {
	switch {
	case len(s.uninitialized) > 0 && (s.exhausted || s.complete()):
		return s.overwriting(WriteCOInitRead, s.uninitialized)
	case len(s.overwritten) > 0 && (s.exhausted || s.complete()):
		return s.overwriting(WriteCORead, s.overwritten)
	case !s.complete():
		return s.causalCycle()
	case len(s.edges) > 0:
		component := s.components()
		if cyclic := s.cyclic(component); len(cyclic) > 0 {
			return s.conflictCycle(component, cyclic)
		}
	}
	return Verdict{Status: Holds, Read: None, Stale: None, Newer: None}
}

// cyclic returns the conflicts within one component: each is part of a cycle.
func (s *sweep) cyclic(component []int32) []closing {
	var found []closing
	for to, edge := range s.into {
		for ; edge != None; edge = s.edges[edge].next {
			if c := s.edges[edge]; component[c.from] == component[to] {
				found = append(found, closing{to: int32(to), conflict: c})
			}
		}
	}
	return found
}
