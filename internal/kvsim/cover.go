package kvsim

import (
	"fmt"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/view"
)

// keeps tells what a machine lacks of an earlier coverage. It may have given up slots that nothing in
// its configuration charges it with, and replica ids that have retired by then; of the writes of a dead
// replica it needs those that count.
func keeps(m *core.Machine, before, now causal.Coverage) error {
	if now.CoversAll(before) {
		return nil
	}
	c := m.Configuration()
	if c == nil {
		return fmt.Errorf("it belongs to no store")
	}
	for i := range before {
		if err := keepsPart(m, &before[i], now); err != nil {
			return err
		}
	}
	return nil
}

func keepsPart(m *core.Machine, before *causal.Part, now causal.Coverage) error {
	c, left := m.Configuration(), before.Slots
	for i := range now {
		common := now[i].Slots.Intersect(&before.Slots)
		left = left.Minus(&common)
		for slot, ok := common.First(); ok && !now[i].Vector.CoversAll(before.Vector); slot, ok = common.First() {
			if missing, lacks := c.Missing(slot, now[i].Vector, before.Vector); lacks {
				return fmt.Errorf("it lacks %s at slot %d", missing, slot)
			}
			one := shard.Set{}
			one.Add(slot)
			common = common.Minus(&one)
		}
	}
	for slot, ok := left.First(); ok; slot, ok = left.First() {
		if holds(m, slot) {
			return fmt.Errorf("it holds slot %d no more", slot)
		}
		one := shard.Set{}
		one.Add(slot)
		left = left.Minus(&one)
	}
	return nil
}

// holds tells whether the configuration of a machine charges it with a slot.
func holds(m *core.Machine, slot shard.Slot) bool {
	c := m.Configuration()
	if c == nil {
		return false
	}
	for i := range c.Assignments {
		if a := &c.Assignments[i]; a.Life == m.Life() && a.Slots.Has(slot) {
			return true
		}
	}
	return false
}

// leastOf is the number of writes of the replica of an assignment that are covered wherever any of its
// slots are held; false if none is.
func leastOf(have causal.Coverage, a *view.Assignment) (least uint64, held bool) {
	for i := range have {
		if have[i].Slots.Intersects(&a.Slots) {
			if n := have[i].Vector.Get(a.Replica); !held || n < least {
				least, held = n, true
			}
		}
	}
	return least, held
}

// leastBefore is the number of writes of a replica that a coverage has at every one of the slots.
func leastBefore(have causal.Coverage, slots *shard.Set, of causal.ReplicaID) uint64 {
	if len(have) == 1 && have[0].Slots == *slots { // almost always
		return have[0].Vector.Get(of)
	}
	return have.Least(slots).Get(of)
}

// equalInCommon tells whether two coverages cover the same at the slots that both hold.
func equalInCommon(a, b causal.Coverage) bool {
	for i := range a {
		for j := range b {
			if a[i].Slots.Intersects(&b[j].Slots) && !sameVector(a[i].Vector, b[j].Vector) {
				return false
			}
		}
	}
	return true
}
