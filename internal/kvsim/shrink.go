package kvsim

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/sequitur-kv/sequitur/netsim"
)

// ErrNothingToShrink is returned for a capsule whose run does not break the rule that it expects, or that
// expects none. The error says which, and what to do.
var ErrNothingToShrink = errors.New("kvsim: nothing to shrink")

// ShrinkOptions say how a capsule is made small.
type ShrinkOptions struct {
	Workers  int    // candidates to run at the same time, at least one; the result does not depend on it
	Events   uint64 // give up after candidates with that many events in all; zero: 12 million
	Progress func(ShrinkProgress)
}

// ShrinkProgress is how far shrinking has come.
type ShrinkProgress struct {
	Faults, Operations int // that are left
	Runs               int
	Step               string // what is being tried
}

// Shrunk is a capsule made small.
type Shrunk struct {
	Capsule  Capsule
	Result   Result // of its run, with the story
	Runs     int
	Complete bool // nothing more can be left out; false: the budget ran out
}

// Shrink looks for the smallest capsule that breaks the rule that this one expects to be broken: it leaves out faults and operations
// (delta debugging; Zeller, Hildebrandt 2002), weakens what is left, brings it closer together, and
// begins again as long as that helps.
func Shrink(c Capsule, options ShrinkOptions) (Shrunk, error) {
	scenario, err := c.Load()
	if err != nil {
		return Shrunk{}, err
	}
	s := shrinker{best: c, options: options, left: options.Events}
	if s.left == 0 {
		s.left = 12_000_000
	}
	for range max(1, options.Workers) {
		s.runners = append(s.runners, NewRunner(scenario))
	}
	first := s.runners[0].RunWith(c.Seed, c.Options())
	if err := c.shrinkable(&first); err != nil {
		return Shrunk{}, err
	}
	s.kind, s.rule = first.Failure.Kind, c.Rule
	s.cut(&first)
	for again := true; again && !s.spent(); {
		before := s.size()
		s.drop()
		s.weaken()
		s.gather()
		again = s.size() < before
	}
	s.round()
	c = s.best
	told := c.Options()
	told.Tell = true
	result := s.runners[0].RunWith(c.Seed, told)
	c.Expect(&result)
	return Shrunk{Capsule: c, Result: result, Runs: s.runs, Complete: !s.spent()}, nil
}

// shrinkable tells whether a result of the capsule breaks the rule that the capsule expects; the error is an
// ErrNothingToShrink.
func (c *Capsule) shrinkable(r *Result) error {
	why := ""
	switch rule := r.Failure.Rule(); {
	case rule == c.Rule && rule != "":
		return nil
	case rule == "" && c.Rule == "":
		why = "the capsule expects that nothing is violated, and so it is"
	case rule == "":
		why = fmt.Sprintf("the capsule expects %s, but nothing is violated here: the code or the file has changed since", verdictText(c.Verdict, c.Rule))
	default:
		is := verdictText(r.Verdict, rule)
		why = fmt.Sprintf("the capsule expects %s, but its run is %s; to shrink that, change its line to \"expect %s\"",
			verdictText(c.Verdict, c.Rule), is, is)
	}
	return fmt.Errorf("%w: %s", ErrNothingToShrink, why)
}

type shrinker struct {
	best    Capsule
	kind    Kind
	rule    string
	options ShrinkOptions
	runners []*Runner
	left    uint64 // events
	runs    int
	step    string
}

func (s *shrinker) size() int { return len(s.best.Faults) + len(s.best.Operations) }

func (s *shrinker) spent() bool { return s.left == 0 }

// candidate derives capsules from the best one; ok is false where there is nothing to change.
type candidate func(c *Capsule) (ok bool)

// first runs candidates in their order until one breaks the rule as well; that one becomes the best.
// Several run at the same time, but the first in order wins, so that the result is always the same. It
// returns the index of the winner, len(list) if there is none.
func (s *shrinker) first(list []candidate) int {
	type attempt struct {
		capsule Capsule
		index   int
		events  uint64
		broken  bool
	}
	for next := 0; next < len(list) && !s.spent(); {
		var batch []attempt
		for ; next < len(list) && len(batch) < len(s.runners); next++ {
			a := attempt{capsule: s.best.clone(), index: next}
			if list[next](&a.capsule) {
				batch = append(batch, a)
			}
		}
		var group sync.WaitGroup
		for i := range batch {
			group.Go(func() {
				a := &batch[i]
				result := s.runners[i].RunWith(a.capsule.Seed, a.capsule.Options())
				a.events = result.Events + 200 // making a world costs, too
				a.broken = result.Failure != nil && result.Failure.Kind == s.kind && result.Failure.Rule() == s.rule
			})
		}
		group.Wait()
		for i := range batch {
			s.runs++
			s.left -= min(s.left, batch[i].events)
			if batch[i].broken {
				s.best = batch[i].capsule
				s.report()
				return batch[i].index
			}
		}
		s.report()
	}
	return len(list)
}

func (s *shrinker) report() {
	if s.options.Progress != nil {
		s.options.Progress(ShrinkProgress{
			Faults: len(s.best.Faults), Operations: len(s.best.Operations), Runs: s.runs, Step: s.step,
		})
	}
}

// try runs one candidate.
func (s *shrinker) try(change candidate) bool { return s.first([]candidate{change}) == 0 }

// all tries every change that derive returns, each on what the ones before it left. derive is asked again
// with the next index, and returns nil when there are no more.
func (s *shrinker) all(derive func(index int) candidate) {
	for index := 0; ; {
		var list []candidate
		for i := index; ; i++ {
			change := derive(i)
			if change == nil {
				break
			}
			list = append(list, change)
		}
		if len(list) == 0 || s.spent() {
			return
		}
		won := s.first(list)
		if won == len(list) {
			return
		}
		index += won + 1
	}
}

// clone copies what candidates change.
func (c *Capsule) clone() Capsule {
	d := *c
	d.Faults, d.Operations = slices.Clone(c.Faults), slices.Clone(c.Operations)
	for i := range d.Faults {
		d.Faults[i].Groups = slices.Clone(d.Faults[i].Groups)
	}
	return d
}

// cut leaves out what came too late, or touched nothing.
func (s *shrinker) cut(first *Result) {
	s.step = "cutting"
	if at := first.Failure.At; at != 0 && first.Failure.Kind != KindPromise {
		s.try(func(c *Capsule) bool {
			c.Faults = slices.DeleteFunc(c.Faults, func(f netsim.Fault) bool { return f.At > at })
			c.Operations = slices.DeleteFunc(c.Operations, func(o Operation) bool { return o.At > at })
			return true
		})
	}
	s.try(func(c *Capsule) bool {
		if len(first.Faults) != len(c.Faults) {
			return false
		}
		kept := c.Faults[:0]
		for i := range c.Faults {
			if first.Faults[i].Touched > 0 {
				kept = append(kept, c.Faults[i])
			}
		}
		c.Faults = kept
		return true
	})
}

// drop leaves out faults and operations: whole kinds first, then clients, then smaller and smaller
// pieces of the list of both.
func (s *shrinker) drop() {
	s.step = "dropping"
	s.first([]candidate{
		func(c *Capsule) bool { c.Faults, c.Operations = nil, nil; return true },
		func(c *Capsule) bool { c.Operations = nil; return true },
		func(c *Capsule) bool { c.Faults = nil; return true },
	})
	clients := 0
	for i := range s.best.Operations {
		clients = max(clients, s.best.Operations[i].Client+1)
	}
	s.all(func(client int) candidate {
		if client >= clients {
			return nil
		}
		return func(c *Capsule) bool {
			before := len(c.Operations)
			c.Operations = slices.DeleteFunc(c.Operations, func(o Operation) bool { return o.Client == client })
			return len(c.Operations) < before
		}
	})
	for piece := max(1, (s.size()+1)/2); !s.spent(); piece = max(1, piece/2) {
		before := s.size()
		s.dropPieces(piece)
		if piece == 1 && s.size() == before {
			return
		}
	}
}

// dropPieces tries to leave out each piece of the list of faults and operations once, the last first.
func (s *shrinker) dropPieces(piece int) {
	for end := s.size(); end > 0 && !s.spent(); {
		var list []candidate
		var starts []int
		for e := end; e > 0; e -= piece {
			start := max(0, e-piece)
			starts = append(starts, start)
			list = append(list, func(c *Capsule) bool {
				faults := len(c.Faults)
				c.Faults = slices.Delete(c.Faults, min(start, faults), min(e, faults))
				c.Operations = slices.Delete(c.Operations, max(start, faults)-faults, max(e, faults)-faults)
				return true
			})
		}
		won := s.first(list)
		if won == len(list) {
			return
		}
		end = starts[won]
	}
}
