package view

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
)

// assigned makes a configuration of nothing but assignments.
func assigned(assignments ...Assignment) *Configuration {
	c := &Configuration{Layout: shard.Initial(1), Assignments: assignments}
	c.derive()
	return c
}

// run is the set of the slots from start to end, exclusively.
func run(start, end shard.Slot) (s shard.Set) {
	for ; start < end; start++ {
		s.Add(start)
	}
	return s
}

func TestNeed(t *testing.T) {
	c := assigned(
		Assignment{Replica: 5, Slots: run(0, 100), Stage: Serving},
		Assignment{Replica: 8, Slots: run(50, 200), Stage: Closed},
		Assignment{Replica: 9, Slots: run(50, 200), Stage: Closed, Dead: true, Fixed: true, Finals: []Extent{
			{Slots: run(100, 150), Seq: 3}, {Slots: run(150, 200), Seq: 7},
		}},
	)
	for _, row := range []struct {
		slot    shard.Slot
		replica causal.ReplicaID
		want    uint64
	}{
		{0, 5, 5}, {99, 5, 5}, {100, 5, 0}, // only its own slots
		{0, 8, 0}, {50, 8, 5}, // nobody knows yet how far it came
		{50, 9, 0}, {100, 9, 3}, {150, 9, 5}, {0, 9, 0}, // at most what counts
		{50, 0, 0}, {50, 1, 0}, {50, 4, 0}, {50, 6, 0}, {50, 7, 0}, {50, 10, 0}, {50, 1<<32 - 1, 0}, // retired or unknown
	} {
		if got := c.Need(row.slot, causal.Dot{Replica: row.replica, Seq: 5}); got != row.want {
			t.Errorf("slot %d needs %d of 5 writes of replica %d, want %d", row.slot, got, row.replica, row.want)
		}
	}
	if c.Assignment(8).Replica != 8 || c.Assignment(7) != nil {
		t.Error("assignments by replica id")
	}
}

// A replica id may stay unretired while many others come and go.
func TestAssignmentsFarApart(t *testing.T) {
	replicas := []causal.ReplicaID{3, 5, 3 + maxSpan, 4 + maxSpan, 1 << 30, 1<<32 - 1}
	assignments := make([]Assignment, len(replicas))
	for i, r := range replicas {
		assignments[i] = Assignment{Replica: r}
	}
	c := assigned(assignments...)
	for _, r := range replicas {
		for other := r - 2; other != r+3; other++ {
			a := c.Assignment(other)
			if known := slices.Contains(replicas, other); known != (a != nil) || known && a.Replica != other {
				t.Errorf("replica %d: %v", other, a)
			}
		}
	}
	if len(c.byReplica) > maxSpan+1 {
		t.Errorf("a table of %d", len(c.byReplica))
	}
}

// What overlaps through others is connected, in whatever order it was made.
func TestComponent(t *testing.T) {
	c := assigned(
		Assignment{Replica: 1, Slots: run(0, 1)}, Assignment{Replica: 2, Slots: run(2, 4)}, Assignment{Replica: 3, Slots: run(1, 3)},
		Assignment{Replica: 4, Slots: run(0, 2)}, Assignment{Replica: 5, Slots: run(4, 9)},
	)
	if got := c.component(run(0, 1)); got != run(0, 4) {
		t.Errorf("%d slots are connected with the first, want 4", got.Len())
	}
	if got := c.component(run(8, 9)); got != run(4, 9) {
		t.Errorf("%d slots are connected with the last, want 5", got.Len())
	}
}

func TestRetired(t *testing.T) {
	c := &Configuration{Retirements: []Retirement{{Replica: 2, Epoch: 7}, {Replica: 3, Epoch: 5}, {Replica: 1<<32 - 1, Epoch: 9}}}
	for _, row := range []struct {
		replica causal.ReplicaID
		epoch   uint64
		want    bool
	}{{2, 6, false}, {2, 7, true}, {2, 8, true}, {3, 5, true}, {3, 4, false}, {1, 9, false}, {4, 9, false}, {1<<32 - 1, 9, true}, {1<<32 - 1, 8, false}} {
		if got := c.Retired(row.replica, row.epoch); got != row.want {
			t.Errorf("replica %d retired at epoch %d: %t", row.replica, row.epoch, got)
		}
	}
}

// Missing is Need, dot by dot.
func TestMissing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var assignments []Assignment
		for r := causal.ReplicaID(2); r <= 6; r++ {
			if rapid.Bool().Draw(t, "unretired") {
				a := Assignment{Replica: r, Slots: run(0, shard.Slot(rapid.IntRange(0, 2).Draw(t, "slots")))}
				if a.Fixed = rapid.Bool().Draw(t, "fixed"); a.Fixed {
					a.Finals = []Extent{{Slots: run(0, 1), Seq: rapid.Uint64Range(1, 3).Draw(t, "final")}}
				}
				assignments = append(assignments, a)
			}
		}
		c := assigned(assignments...)
		draw := func(name string) (v causal.Vector) {
			for r := range causal.ReplicaID(8) {
				v = v.Raise(causal.Dot{Replica: r + 1, Seq: rapid.Uint64Range(0, 3).Draw(t, name)})
			}
			return v
		}
		have, need, slot := draw("have"), draw("need"), shard.Slot(rapid.IntRange(0, 1).Draw(t, "slot"))
		want := causal.Dot{}
		for _, dot := range need {
			if n := c.Need(slot, dot); n > have.Get(dot.Replica) {
				want = causal.Dot{Replica: dot.Replica, Seq: n}
				break
			}
		}
		if missing, ok := c.Missing(slot, have, need); missing != want || ok != (want != causal.Dot{}) {
			t.Fatalf("%v beyond %v: %v, %t; want %v", need, have, missing, ok, want)
		}
	})
}

func sixDots() (c *Configuration, have, need causal.Vector) {
	var assignments []Assignment
	for r := range causal.ReplicaID(6) {
		a := Assignment{Replica: 40 + r, Slots: shard.All(), Stage: Closed, Fixed: true, Finals: []Extent{{Slots: shard.All(), Seq: 1000}}}
		assignments = append(assignments, a)
		have = have.Raise(causal.Dot{Replica: a.Replica, Seq: 1000})
		need = need.Raise(causal.Dot{Replica: a.Replica, Seq: 900 + 200*uint64(r%2)})
	}
	return assigned(assignments...), have, need
}

func TestMissingAllocatesNothing(t *testing.T) {
	c, have, need := sixDots()
	if n := testing.AllocsPerRun(100, func() {
		if missing, ok := c.Missing(7, have, need); ok {
			t.Fatal(missing)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkMissing/covered is what nearly every GET pays; fixed has dots beyond a final.
func BenchmarkMissing(b *testing.B) {
	c, have, need := sixDots()
	for name, v := range map[string]causal.Vector{"covered": have, "fixed": need} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				c.Missing(7, have, v)
			}
		})
	}
}
