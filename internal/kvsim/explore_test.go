package kvsim

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"testing"

	"github.com/sequitur-kv/sequitur/netsim/explore"
)

// reshard makes an exploration, a smaller one where it would take long.
func reshard(t *testing.T, kind, from string, depth, departures int) Exploration {
	t.Helper()
	x, err := Reshard(kind, from, int(seeds(uint64(depth))), departures)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// TestReshardInEveryOrder: whatever comes first while two shards become one, and whoever crashes, nothing is
// lost and the session reads what it wrote. simulate explore goes further.
func TestReshardInEveryOrder(t *testing.T) {
	for _, test := range []struct {
		name, kind, from  string
		depth, departures int
		calm              bool
		states            uint64 // at least
		reached           []string
	}{
		{
			name: "one crash at any place", kind: merge, from: ProbeReshardStarted, depth: 125, states: 15_000,
			reached: []string{
				ProbeReshardSwitched, ProbeReshardAborted, ProbeRetired, ProbeKilled, ProbeCrashUnsynced,
				ProbeReshardSwitched + " while n2 is down",
			},
		},
		{
			name: "one message late", kind: split, from: ProbeReshardStarted, depth: 60, departures: 1, calm: true, states: 5_000,
			reached: []string{ProbeReshardSwitched, "write.after_switch_by_unaware_owner"},
		},
		{
			name: "every order of the next", kind: merge, from: ProbeReshardSwitched, depth: 2, departures: 2, states: 150,
			reached: []string{ProbeReshardSwitched, ProbeRetired},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			x := reshard(t, test.kind, test.from, test.depth, test.departures)
			if test.calm {
				x.Bounds.Faults = nil
			}
			explored := x.Run(context.Background(), ExploreOptions{Workers: runtime.GOMAXPROCS(0)})
			for _, f := range explored.Failures {
				t.Errorf("path %s: %s\n%s", f.Path, f.Result.Failure.Headline(), f.Result.Failure.Explanation)
			}
			if explored.Verdict() != Holds || explored.Left != 0 {
				t.Errorf("the verdict is %s with %d paths left", explored.Verdict(), explored.Left)
			}
			t.Logf("%d states, %d paths, %d orders", explored.States, explored.Walked, explored.Judged)
			if slow || testing.Short() {
				return
			}
			if explored.States < test.states {
				t.Errorf("%d states, want %d", explored.States, test.states)
			}
			for _, name := range test.reached {
				if explored.Reached(name).Seeds == 0 {
					t.Errorf("no order reaches %s", name)
				}
			}
		})
	}
}

// TestExplorationRepeats: any number of workers finds the same, and a path is the same run again.
func TestExplorationRepeats(t *testing.T) {
	x := reshard(t, merge, ProbeReshardSwitched, 15, 0)
	one := x.Run(context.Background(), ExploreOptions{Workers: 1, Budget: 100})
	three := x.Run(context.Background(), ExploreOptions{Workers: 3, Budget: 100})
	if !reflect.DeepEqual(one, three) {
		t.Errorf("one worker finds %+v, three find %+v", one, three)
	}
	first, err := x.RunPath(explore.Path{0, 0, 3}, Options{})
	again, errAgain := x.RunPath(explore.Path{0, 0, 3}, Options{})
	other, errOther := x.RunPath(nil, Options{})
	if err := errors.Join(err, errAgain, errOther); err != nil || first.Verdict != Holds {
		t.Fatal(first.Failure, err)
	}
	if first.Digest != again.Digest || first.Digest == other.Digest {
		t.Errorf("digests %x and %x of a path, %x of the order of time", first.Digest, again.Digest, other.Digest)
	}
	if _, err := x.RunPath(explore.Path{0, 999}, Options{}); !errors.Is(err, explore.ErrPath) {
		t.Errorf("a path that is none gives %v", err)
	}
}

// TestUnfinishedExplorations are undecided.
func TestUnfinishedExplorations(t *testing.T) {
	x := reshard(t, merge, ProbeReshardStarted, 30, 0)
	short := x.Run(context.Background(), ExploreOptions{Budget: 10})
	if short.Verdict() != Undecided || short.Walked != 10 || short.Left == 0 {
		t.Errorf("after its budget it is %s with %+v", short.Verdict(), short.Progress)
	}
	ended, end := context.WithCancel(context.Background())
	end()
	if nothing := x.Run(ended, ExploreOptions{}); nothing.Verdict() != Undecided {
		t.Errorf("of nothing the verdict is %s", nothing.Verdict())
	}
	x.From = ProbeFinalLowered
	if never := x.Run(context.Background(), ExploreOptions{}); never.Verdict() != Undecided {
		t.Errorf("of what never begins the verdict is %s", never.Verdict())
	}
	for _, names := range [][2]string{{merge, "nonsense"}, {"nonsense", ProbeReshardStarted}} {
		if _, err := Reshard(names[0], names[1], 1, 1); err == nil {
			t.Errorf("%q is explored", names)
		}
	}
}
