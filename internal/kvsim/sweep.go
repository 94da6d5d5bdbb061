package kvsim

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sequitur-kv/sequitur/netsim"
)

// promiseSeeds is how many seeds a sweep needs before a promised situation that it never met counts
// against it.
const promiseSeeds = 500

// SweepOptions says which seeds a sweep runs.
type SweepOptions struct {
	First, Last uint64 // both included
	Workers     int    // goroutines; zero or less means one
	// FirstFailure ends the sweep with the first seed that fails. Those before it are all run, so it is
	// always the same one.
	FirstFailure bool
	Progress     func(p Progress) // called now and then by any worker, one at a time; nil: never
}

// Progress is how far a sweep has come.
type Progress struct {
	Seeds, Failed, Events uint64
	Virtual               netsim.Time
}

// ProbeReach is how often a situation occurred in a sweep.
type ProbeReach struct {
	Name  string
	Count uint64 // occurrences
	Seeds uint64 // runs with at least one
}

// Sweep is what a number of seeds came to. Everything but Interrupted is the same for any number of
// workers.
type Sweep struct {
	Scenario    string
	First, Last uint64
	Progress
	Passed, Undecided uint64
	Operations        uint64 // planned
	Stats             Stats
	Probes            []ProbeReach // sorted by name
	Unreached         []string     // promised situations that never occurred
	Failures          []Result     // violated and undecided runs, by seed
	Interrupted       bool         // seeds are missing
	Stopped           bool         // by the first failure
}

// Verdict is that of the whole sweep: Violated beats Undecided beats Holds.
func (s *Sweep) Verdict() Verdict {
	switch {
	case s.Failed > 0:
		return Violated
	case s.Undecided > 0 || s.Interrupted || s.Seeds == 0:
		return Undecided
	case s.Seeds >= promiseSeeds && len(s.Unreached) > 0:
		return Undecided
	}
	return Holds
}

// RunSweep runs a range of seeds until all are done or the context is, but at least one per worker.
func RunSweep(ctx context.Context, scenario Scenario, options SweepOptions) Sweep {
	total := Sweep{Scenario: scenario.Name, First: options.First, Last: options.Last}
	var (
		mutex sync.Mutex
		group sync.WaitGroup
		next  atomic.Uint64 // offset from First
		found atomic.Bool
	)
	span := options.Last - options.First
	for range max(1, options.Workers) {
		group.Go(func() {
			runner := NewRunner(scenario)
			for first := true; first || ctx.Err() == nil && !found.Load(); first = false { // even an interrupted sweep has something to say
				offset := next.Add(1) - 1
				if offset > span || options.Last < options.First {
					return
				}
				result := runner.Run(options.First + offset)
				if options.FirstFailure && result.Verdict != Holds {
					found.Store(true)
				}
				mutex.Lock()
				total.add(&result)
				if options.Progress != nil {
					options.Progress(total.Progress)
				}
				mutex.Unlock()
			}
		})
	}
	group.Wait()
	total.Stopped = found.Load()
	total.Interrupted = total.Seeds <= span && !total.Stopped
	slices.SortFunc(total.Failures, func(a, b Result) int { return cmp.Compare(a.Seed, b.Seed) })
	total.Unreached = total.unreached(scenario.Promises)
	return total
}

// add counts a run.
func (s *Sweep) add(r *Result) {
	s.Seeds++
	s.Events += r.Events
	s.Virtual += r.Virtual
	s.Operations += uint64(r.Operations)
	s.Stats.Add(r.Stats)
	switch r.Verdict {
	case Holds:
		s.Passed++
	case Violated:
		s.Failed++
		s.Failures = append(s.Failures, *r)
	case Undecided:
		s.Undecided++
		s.Failures = append(s.Failures, *r)
	}
	for _, p := range r.Probes {
		s.Probes = reached(s.Probes, p.Name, p.Count)
	}
}

// Reached is how often a situation occurred.
func (s *Sweep) Reached(name string) ProbeReach { return reach(s.Probes, name) }

func reach(probes []ProbeReach, name string) ProbeReach {
	for _, p := range probes {
		if p.Name == name {
			return p
		}
	}
	return ProbeReach{Name: name}
}

func (s *Sweep) unreached(promises []string) []string {
	var missing []string
	for _, promise := range promises {
		if s.Reached(promise).Seeds == 0 {
			missing = append(missing, promise)
		}
	}
	return missing
}
