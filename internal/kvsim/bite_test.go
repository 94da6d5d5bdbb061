package kvsim

import (
	"context"
	"runtime"
	"testing"
)

// seeds is how many seeds a test runs: fewer where each takes ten times as long, or if time is short.
func seeds(n uint64) uint64 {
	if slow || testing.Short() {
		return n / 5
	}
	return n
}

// sweep runs the first seeds of a scenario and reports its failures.
func sweep(t *testing.T, s Scenario, seeds uint64) Sweep {
	t.Helper()
	swept := RunSweep(context.Background(), s, SweepOptions{First: 1, Last: seeds, Workers: runtime.GOMAXPROCS(0)})
	for _, f := range swept.Failures {
		t.Errorf("seed %d: %s\n%s", f.Seed, f.Failure.Headline(), f.Failure.Explanation)
	}
	return swept
}

// TestStandardBites: the world hits the operations, and situations are met.
func TestStandardBites(t *testing.T) {
	s := sweep(t, Standard(), seeds(300))
	x := s.Stats
	if x.Operations != 300*s.Seeds {
		t.Errorf("%d operations were asked, want all %d", x.Operations, 300*s.Seeds)
	}
	if x.Overlapping*100 < x.Operations*30 {
		t.Errorf("%d of %d operations overlap a fault, want 30 %%", x.Overlapping, x.Operations)
	}
	if x.Faults < 8*s.Seeds {
		t.Errorf("%d faults touched something, want about a dozen per seed", x.Faults)
	}
	for name, n := range map[string]uint64{
		"waited": x.Waited, "proxied": x.Proxied, "refused": x.Refused, "unknown": x.Unknown, "unanswered": x.Unanswered,
	} {
		if n*500 < x.Operations {
			t.Errorf("%d of %d operations %s: too rare to find anything", n, x.Operations, name)
		}
	}
	if s.Events < 4000*s.Seeds {
		t.Errorf("%d events, want 4,000 per seed", s.Events)
	}
	if s.Seeds >= 300 && len(s.Unreached) > 3 {
		t.Errorf("situations never reached: %v", s.Unreached)
	}
}

// TestWithoutFaults: it is the faults that make operations wait, not the workload.
func TestWithoutFaults(t *testing.T) {
	calm := Standard()
	calm.Faults.Count, calm.Lags.Count = 0, 0
	x := sweep(t, calm, seeds(200)).Stats
	if x.AtOnce*100 < x.Operations*80 {
		t.Errorf("%d of %d operations succeed at once, want 80 %%", x.AtOnce, x.Operations)
	}
	if x.Faults != 0 || x.Overlapping != 0 {
		t.Errorf("%d faults, %d operations overlap one; want none", x.Faults, x.Overlapping)
	}
}
