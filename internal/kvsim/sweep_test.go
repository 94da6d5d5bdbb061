package kvsim

import (
	"context"
	"slices"
	"testing"

	"github.com/sequitur-kv/sequitur/netsim"
)

// brief is a scenario for tests of the sweep itself.
func brief() Scenario {
	s := Standard()
	s.Workload.Operations, s.Workload.To = 12, 5*netsim.Second
	s.Faults.Count, s.Lags.Count = 2, 0
	s.ChaosEnd, s.Settled, s.End = 6*netsim.Second, 20*netsim.Second, 28*netsim.Second
	s.Promises = nil
	return s
}

func TestSweepDoesNotDependOnWorkers(t *testing.T) {
	one := RunSweep(context.Background(), brief(), SweepOptions{First: 7, Last: 26})
	many := RunSweep(context.Background(), brief(), SweepOptions{First: 7, Last: 26, Workers: 3})
	if one.Seeds != 20 || one.Progress != many.Progress || one.Stats != many.Stats || !slices.Equal(one.Probes, many.Probes) {
		t.Errorf("one worker: %+v\nthree: %+v", one, many)
	}
	if one.Verdict() != Holds {
		t.Errorf("the verdict is %v", one.Verdict())
	}
}

// TestUnreachedPromiseIsUndecided: a sweep that is long enough and never meets what its scenario promises
// has not tested it.
func TestUnreachedPromiseIsUndecided(t *testing.T) {
	s := brief()
	s.Promises = []string{"never.met"}
	short := RunSweep(context.Background(), s, SweepOptions{First: 1, Last: 3})
	if short.Verdict() != Holds || !slices.Equal(short.Unreached, s.Promises) {
		t.Errorf("a short sweep is %v, unreached %v", short.Verdict(), short.Unreached)
	}
	long := short
	long.Seeds, long.Passed = promiseSeeds, promiseSeeds
	if long.Verdict() != Undecided {
		t.Errorf("a long sweep is %v", long.Verdict())
	}
	long.Failed = 1
	if long.Verdict() != Violated {
		t.Errorf("a sweep with a violation is %v", long.Verdict())
	}
}

func TestInterruptedSweepIsUndecided(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s := RunSweep(ctx, brief(), SweepOptions{First: 1, Last: 1000, Workers: 2})
	if !s.Interrupted || s.Seeds == 0 || s.Seeds > 2 || s.Verdict() != Undecided {
		t.Errorf("%d seeds, interrupted %t, verdict %v", s.Seeds, s.Interrupted, s.Verdict())
	}
	if empty := RunSweep(ctx, brief(), SweepOptions{First: 5, Last: 4}); empty.Verdict() == Holds {
		t.Error("a sweep of nothing holds")
	}
}

// TestBreedingMessagesAreNoticed: a run that never becomes quiet ends, as a violation.
func TestBreedingMessagesAreNoticed(t *testing.T) {
	s := brief()
	s.MaxEvents = 200
	result := NewRunner(s).Run(1)
	if result.Verdict != Violated || result.Failure.Name != "world.is_quiet" || result.Events > 201 {
		t.Errorf("%v after %d events: %v", result.Verdict, result.Events, result.Failure)
	}
}

// TestDroppedOperationDisturbsOnlyItself: what is left of a plan is still due when it was, as it was.
func TestDroppedOperationDisturbsOnlyItself(t *testing.T) {
	s := brief()
	plan := s.Workload.Plan(3, s.Servers, Keys(s.Workload.Keys), nil)
	fewer := slices.Delete(slices.Clone(plan), 4, 5)
	result := NewRunner(s).RunWith(3, Options{Plan: fewer})
	if result.Verdict != Holds || result.Operations != len(plan)-1 {
		t.Errorf("%v with %d of %d operations", result.Verdict, result.Operations, len(plan))
	}
	if again := NewRunner(s).RunWith(3, Options{Plan: plan}); again.Digest != NewRunner(s).Run(3).Digest {
		t.Error("the plan of a seed, given, is another run than the seed")
	}
}

// TestScheduleCanBeGiven: the faults that a seed draws, given, are the same run; none is another one.
func TestScheduleCanBeGiven(t *testing.T) {
	s := brief()
	drawn := NewRunner(s).Run(5)
	given := NewRunner(s).RunWith(5, Options{Schedule: s.Schedule(5)})
	none := NewRunner(s).RunWith(5, Options{Schedule: netsim.Schedule{}})
	if drawn.Digest != given.Digest || drawn.Digest == none.Digest || none.Stats.Faults != 0 {
		t.Errorf("digests %016x drawn, %016x given, %016x without", drawn.Digest, given.Digest, none.Digest)
	}
}

func TestScenarioNames(t *testing.T) {
	if s, err := ScenarioNamed("standard"); err != nil || s.Name != "standard" {
		t.Errorf("%q, %v", s.Name, err)
	}
	if _, err := ScenarioNamed("nonsense"); err == nil {
		t.Error("nonsense is a scenario")
	}
}

// TestOverlap: an operation overlaps a fault that touched something and was in effect; a kill always stays.
func TestOverlap(t *testing.T) {
	report := netsim.FaultReport{Effect: netsim.Fault{Kind: netsim.Crash}, Began: 2 * netsim.Second, Ended: 4 * netsim.Second, Touched: 1}
	for _, test := range []struct {
		kind           netsim.FaultKind
		from, to       netsim.Time
		touched        uint64
		ended, overlap bool
	}{
		{netsim.Crash, 1, 3, 1, true, true},
		{netsim.Crash, 3, 5, 1, true, true},
		{netsim.Crash, 3, 5, 0, true, false},
		{netsim.Crash, 0, 1, 1, true, false},
		{netsim.Crash, 5, 6, 1, true, false},
		{netsim.Kill, 5, 6, 1, false, true},
		{netsim.Kill, 0, 1, 1, false, false},
	} {
		r := report
		r.Effect.Kind, r.Touched = test.kind, test.touched
		if !test.ended {
			r.Ended = 0
		}
		f := fate{invoked: test.from * netsim.Second, returned: test.to * netsim.Second}
		if got := overlaps(&f, []netsim.FaultReport{r}); got != test.overlap {
			t.Errorf("%+v: overlaps %t", test, got)
		}
	}
}
