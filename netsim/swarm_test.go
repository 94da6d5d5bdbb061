package netsim

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestSwarmDrawsValidFaultsOfItsTargets: whatever the swarm, the schedule is
// valid, keeps to the targets, the phase and the kinds, and is in order.
func TestSwarmDrawsValidFaultsOfItsTargets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Swarm{
			Targets: NodeSet(rapid.Uint64Range(1, 1<<8-1).Draw(t, "targets")),
			Begin:   Time(rapid.Int64Range(0, 1e9).Draw(t, "begin")),
		}
		s.End = s.Begin + Time(rapid.Int64Range(1, 1e11).Draw(t, "length"))
		if rapid.Bool().Draw(t, "unusual") {
			s.Count = rapid.IntRange(1, 30).Draw(t, "count")
			s.Longest = Time(rapid.Int64Range(1, 1e12).Draw(t, "longest"))
			s.Strongest = Time(rapid.Int64Range(1, 1e10).Draw(t, "strongest"))
		}
		schedule := s.Draw(Seed(rapid.Uint64().Draw(t, "seed")))
		if err := schedule.Validate(8); err != nil {
			t.Fatal(err)
		}
		for i, f := range schedule {
			if f.At < s.Begin || f.At+f.For > s.End || i > 0 && f.At < schedule[i-1].At {
				t.Fatalf("%v for %v is out of the phase or out of order", f.At, f.For)
			}
			if f.Kind == Wipe {
				t.Fatal("a wipe that nobody asked for")
			}
			for from := range NodeID(8) {
				for to := range NodeID(8) {
					links := f.Kind.target() != onNodes
					if links && f.covers(from, to) && from != to && !(s.Targets.Has(from) && s.Targets.Has(to)) {
						t.Fatalf("%s touches the link %d -> %d", f.format(names(8)), from, to)
					}
				}
			}
			if f.Kind.target() == onNodes && f.Nodes&^s.Targets != 0 {
				t.Fatalf("%s hits a node that is no target", f.format(names(8)))
			}
		}
	})
}

func TestSwarmVaries(t *testing.T) {
	s := Swarm{Targets: FirstNodes(6), End: 30 * Second}
	var total, most, least int
	least = 100
	var runs [lastKind + 1]int // with the kind
	for seed := range Seed(400) {
		schedule := s.Draw(seed)
		total += len(schedule)
		var seen [lastKind + 1]bool
		for _, f := range schedule {
			seen[f.Kind] = true
		}
		kinds := 0
		for kind, there := range seen {
			if there {
				runs[kind]++
				kinds++
			}
		}
		most, least = max(most, kinds), min(least, kinds)
	}
	if total < 400*11 || total > 400*13 {
		t.Errorf("%d faults in 400 runs, want about twelve in each", total)
	}
	for kind := Partition; kind <= lastKind; kind++ {
		if kind == Wipe != (runs[kind] == 0) || runs[kind] > 300 {
			t.Errorf("%v occurs in %d of 400 runs", kind, runs[kind])
		}
	}
	if least > 3 || most < 8 {
		t.Errorf("a run has %d to %d kinds of faults; want few in some, many in others", least, most)
	}
}

// TestSwarmIsKeyed: a kind more or less changes no fault of the other kinds that
// is drawn in both.
func TestSwarmIsKeyed(t *testing.T) {
	all := Swarm{Targets: FirstNodes(6), End: 30 * Second}
	without := all
	without.Kinds = slices.DeleteFunc(Recoverable(), func(kind FaultKind) bool { return kind == Crash })
	for seed := range Seed(100) {
		text := without.Draw(seed).Format(names(6))
		lines := make(map[string]bool)
		for line := range strings.SplitSeq(text, "\n") {
			lines[line] = true
		}
		for _, f := range all.Draw(seed) {
			if f.Kind != Crash && !lines[f.format(names(6))] {
				t.Fatalf("seed %d: %s is gone with the crashes", seed, f.format(names(6)))
			}
		}
	}
}

func TestSwarmOfNothing(t *testing.T) {
	for _, s := range []Swarm{
		{}, {Targets: 1}, {End: Second}, {Targets: 1, End: Second, Kinds: []FaultKind{Partition}}, {Targets: 3, End: Second, Kinds: []FaultKind{Bridge}},
	} {
		if schedule := s.Draw(1); schedule != nil {
			t.Errorf("%+v draws %v", s, schedule)
		}
	}
	asked := Swarm{Targets: 1, End: Second, Kinds: []FaultKind{Wipe}}
	if schedule := asked.Draw(1); len(schedule) == 0 || schedule[0].Kind != Wipe {
		t.Errorf("asked for wipes, drew %v", schedule)
	}
}
