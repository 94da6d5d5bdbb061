package view

import (
	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
)

// Stage is how far an assignment has come. It only moves forward.
type Stage uint8

// The stages of an assignment.
const (
	Learning Stage = iota // copies what the slots hold; answers nothing by itself
	Prepared              // holds all of a layout that is not in force yet
	Serving               // an owner of its slots in the layout in force
	Closed                // makes no further write
)

// Assignment gives a life a shard to hold, under a replica id of its own: the writes that the life
// makes there carry that id. It is part of the configuration until the replica id has retired.
type Assignment struct {
	Replica causal.ReplicaID
	Life    LifeID
	Shard   shard.ID
	Slots   shard.Set // of the shard when the assignment was made; never changes
	Born    uint64    // epoch of its making
	Stage   Stage
	Target  bool   // it belongs to the layout that a reshard copies to: Learning or Prepared
	Since   uint64 // a full copy counts if it began at this epoch or later
	Claimed uint64 // epoch at which the life last reported to have made a full copy, zero for never
	Dead    bool   // Closed, and its life has ended: what it wrote is what the others hold of it
	Round   uint64 // when Closed: reports say something of it from this epoch on

	Fixed  bool     // Closed, and Finals say what it wrote
	Finals []Extent // while Fixed; disjoint, ascending by Seq, no slots for Seq 0
}

// Extent says of some slots how many writes of a replica id count there.
type Extent struct {
	Slots shard.Set
	Seq   uint64
}

// Final is the number of writes of the replica id that count in a slot: its last, or the last that
// anybody holds; as long as that is not known, the greatest number.
func (a *Assignment) Final(slot shard.Slot) uint64 {
	if !a.Fixed {
		return 1<<64 - 1
	}
	for i := range a.Finals {
		if a.Finals[i].Slots.Has(slot) {
			return a.Finals[i].Seq
		}
	}
	return 0
}

// Need is how many writes of dot.Replica a replica must hold in a slot so that it lacks nothing that
// dot covers there: none if the replica id never owned the slot or is not assigned any more.
func (c *Configuration) Need(slot shard.Slot, dot causal.Dot) uint64 {
	a := c.Assignment(dot.Replica)
	if a == nil || !a.Slots.Has(slot) {
		return 0
	}
	return min(dot.Seq, a.Final(slot))
}

// Missing finds the first dot of need whose Need in the slot is beyond have. What it returns is what
// to wait for: the seq is the Need. ok is false when have lacks nothing.
func (c *Configuration) Missing(slot shard.Slot, have, need causal.Vector) (missing causal.Dot, ok bool) {
	i := 0
	for _, dot := range need {
		for i < len(have) && have[i].Replica < dot.Replica {
			i++
		}
		held := uint64(0)
		if i < len(have) && have[i].Replica == dot.Replica {
			held = have[i].Seq
		}
		if held >= dot.Seq {
			continue // before the look-up: nearly always
		}
		if dot.Seq = c.Need(slot, dot); dot.Seq > held {
			return dot, true
		}
	}
	return causal.Dot{}, false
}
