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
		if rapid.Bool().Draw(t, "situations") {
			s.Situations, s.Triggered = []string{"a", "b"}, Ratio{1, 2}
		}
		schedule := s.Draw(Seed(rapid.Uint64().Draw(t, "seed")))
		if err := schedule.Validate(8); err != nil {
			t.Fatal(err)
		}
		for i, f := range schedule {
			if (f.At < s.Begin || f.At+f.For > s.End) && !f.triggered() || i > 0 && f.At < schedule[i-1].At {
				t.Fatalf("%v for %v is out of the phase or out of order", f.At, f.For)
			}
			if f.Kind == Wipe || f.Kind == Kill || f.Kind == FalseSync {
				t.Fatalf("a %v that nobody asked for", f.Kind)
			}
			if !f.triggered() {
				hitsOnly(t, s.Targets, &f)
				continue
			}
			if f.When.By != s.Targets {
				t.Fatalf("%s may be met by a node that is no target", f.format(names(8)))
			}
			for by := s.Targets; by != 0; by &= by - 1 {
				if effect, hits := f.metBy(by.first(), 0); hits {
					hitsOnly(t, s.Targets, &effect)
				}
			}
		}
	})
}

// hitsOnly fails the test for a fault that reaches beyond the targets.
func hitsOnly(t *rapid.T, targets NodeSet, f *Fault) {
	for from := range NodeID(8) {
		for to := range NodeID(8) {
			links := f.Kind.target() != onNodes
			if links && f.covers(from, to) && from != to && !(targets.Has(from) && targets.Has(to)) {
				t.Fatalf("%s touches the link %d -> %d", f.format(names(8)), from, to)
			}
		}
	}
	if f.Kind.target() == onNodes && f.Nodes&^targets != 0 {
		t.Fatalf("%s hits a node that is no target", f.format(names(8)))
	}
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
		if (kind == Wipe || kind == Kill || kind == FalseSync) != (runs[kind] == 0) || runs[kind] > 300 {
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

// TestSwarmOfSituations: the ratio says how many faults wait for a situation; it
// leaves the others as they were, and so does one more situation.
func TestSwarmOfSituations(t *testing.T) {
	plain := Swarm{Targets: FirstNodes(6), End: 30 * Second}
	some, more, zero := plain, plain, plain
	some.Situations, some.Triggered = []string{"a", "b"}, Ratio{1, 4}
	more.Situations, more.Triggered = []string{"a", "b", "c"}, Ratio{1, 4}
	zero.Situations = some.Situations
	counts := make(map[string]int)
	relations := make(map[NodeSet]int)
	total, skipping, besides := 0, 0, 0
	for seed := range Seed(300) {
		without := plain.Draw(seed).Format(names(6))
		if zero.Draw(seed).Format(names(6)) != without {
			t.Fatalf("seed %d: a share of zero changes something", seed)
		}
		with, wider := some.Draw(seed), more.Draw(seed).Format(names(6))
		if strings.Count(without, "\n") != len(with) {
			t.Fatalf("seed %d: %d faults instead of\n%s", seed, len(with), without)
		}
		for _, f := range with {
			line := f.format(names(6)) + "\n"
			total++
			if !f.triggered() {
				if !strings.Contains(without, line) || !strings.Contains(wider, line) {
					t.Fatalf("seed %d: %s is new", seed, line)
				}
				continue
			}
			counts[f.When.Probe]++
			if f.When.Skip > 0 {
				skipping++
			}
			for _, set := range append([]NodeSet{f.Nodes}, f.Groups...) {
				relations[set&relative]++
				if set&Met != 0 && set != Met {
					besides++
				}
			}
			if !strings.Contains(wider, line) {
				counts["lost to c"]++
			}
		}
	}
	if triggered := counts["a"] + counts["b"]; triggered*4 < total*9/10 || triggered*4 > total*11/10 {
		t.Errorf("%d of %d faults wait for a situation, want a quarter", triggered, total)
	}
	if a, b, lost := counts["a"], counts["b"], counts["lost to c"]; a*2 < b || b*2 < a || lost*5 < a || lost*2 > a+b {
		t.Errorf("a and b are waited for %d and %d times, %d of them no more with c", a, b, lost)
	}
	if relations[Met] < 100 || relations[ButMet] < 100 || skipping < 100 || besides < 10 {
		t.Errorf("little variety: %v, %d skip, %d sides with others", relations, skipping, besides)
	}
}

// TestSwarmKillsAFewOnly: only where asked for, and within the limit.
func TestSwarmKillsAFewOnly(t *testing.T) {
	s := Swarm{
		Targets: FirstNodes(6), End: 30 * Second, Count: 40, Kinds: []FaultKind{Kill, Crash},
		Situations: []string{"a"}, Triggered: Ratio{1, 3}, Kills: 2,
	}
	timed, triggered := 0, 0
	for seed := range Seed(200) {
		schedule := s.Draw(seed)
		if err := schedule.Validate(6); err != nil {
			t.Fatal(err)
		}
		var nodes NodeSet
		unknown := 0
		for _, f := range schedule {
			switch {
			case f.Kind != Kill:
			case f.Nodes == Met:
				unknown++
				triggered++
			default:
				nodes |= f.Nodes
				timed++
			}
		}
		if nodes.Len()+unknown > 2 {
			t.Fatalf("seed %d kills too many:\n%s", seed, schedule.Format(names(6)))
		}
	}
	if timed < 50 || triggered < 50 {
		t.Errorf("%d kills of a time, %d of a situation", timed, triggered)
	}
	s.Kills = 0
	crashes := s
	crashes.Kinds = []FaultKind{Crash}
	for seed := range Seed(50) {
		if with, without := s.Draw(seed).Format(names(6)), crashes.Draw(seed).Format(names(6)); with != without {
			t.Fatalf("a kind that is not drawn changes\n%s to\n%s", without, with)
		}
	}
}
