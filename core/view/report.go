package view

import (
	"cmp"
	"slices"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
)

// Reported is what the log knows of a life from its reports: a lower bound of what it covers, in the
// slots of its assignments.
type Reported struct {
	Life  LifeID
	Epoch uint64 // of the last report
	Have  causal.Coverage
}

// apply takes what a life says of itself. Vectors never shrink while the life holds the slots, so
// reports that were made in one epoch and came in the wrong order add up; one from before that life
// learned of changes that it has reported on already says nothing new.
func (e Report) apply(c *change) Outcome {
	if e.Life == 0 || c.MemberOf(e.Life) < 0 || e.Epoch > c.Epoch {
		return Outcome{}
	}
	last := c.reported(e.Life)
	if last != nil && e.Epoch < last.Epoch {
		return Outcome{}
	}
	have := e.Have.Clone().Forget(func(replica causal.ReplicaID) bool { return c.find(replica) == nil })
	held := c.held(e.Life, e.Epoch)
	have = have.Within(&held) // what it covers in slots that it lost since then, and perhaps has anew, is gone
	at, known := slices.BinarySearchFunc(c.Reports, e.Life, func(r Reported, life LifeID) int { return cmp.Compare(r.Life, life) })
	if !known {
		c.Reports = slices.Insert(c.Reports, at, Reported{Life: e.Life})
		c.changed = true
	}
	r := &c.Reports[at]
	merged := r.Have.Clone()
	slots := have.Slots()
	merged = merged.Hold(&slots).RaiseAll(have)
	if r.Epoch != e.Epoch || !r.Have.Equal(merged) {
		r.Epoch, r.Have, c.changed = e.Epoch, merged, true
	}
	e.seal(c)
	e.claim(c)
	if !c.changed {
		return Outcome{}
	}
	return Outcome{Result: Done}
}

// seal fixes the finals of replica ids whose life has told its last write: nobody else may.
func (e Report) seal(c *change) {
	for _, dot := range e.Sealed {
		a := c.find(dot.Replica)
		if a == nil || a.Life != e.Life || a.Stage != Closed || a.Fixed || e.Epoch < a.Round {
			continue // of an earlier epoch: it wrote on, not knowing that it was closed
		}
		a.Fixed, c.changed = true, true
		if dot.Seq > 0 {
			a.Finals = []Extent{{Slots: a.Slots, Seq: dot.Seq}}
		}
	}
}

// claim notes which learners have made their full copies.
func (e Report) claim(c *change) {
	for _, replica := range e.Ready {
		if a := c.find(replica); a != nil && a.Life == e.Life && a.Stage == Learning && a.Claimed < e.Epoch {
			a.Claimed, c.changed = e.Epoch, true
		}
	}
}

// held is the set of the slots that a life has been in charge of since an epoch, or longer.
func (c *Configuration) held(life LifeID, epoch uint64) (slots shard.Set) {
	for i := range c.Assignments {
		if a := &c.Assignments[i]; a.Life == life && a.Born <= epoch {
			slots = slots.Union(&a.Slots)
		}
	}
	return slots
}

// fixDead fixes the finals of dead replica ids whose rounds are complete.
func (c *change) fixDead() (again bool) {
	for i := range c.Assignments {
		a := &c.Assignments[i]
		if !a.Dead || a.Fixed {
			continue
		}
		if finals, complete := c.round(a); complete {
			a.Fixed, a.Finals = true, finals
			c.Rounds++
			c.changed, again = true, true
		}
	}
	return again
}

// round asks what is left of a dead replica id: slot by slot the most that anybody holds, once
// everybody has said so who could. Those that were assigned later know no more than they were told by
// these; where nobody is left, nothing is.
func (c *Configuration) round(dead *Assignment) (finals []Extent, complete bool) {
	var most [shard.Slots]uint64
	for i := range c.Assignments {
		a := &c.Assignments[i]
		if !a.holds(dead) {
			continue
		}
		r := c.reported(a.Life)
		if r == nil || r.Epoch < dead.Round {
			return nil, false
		}
		for k := range r.Have {
			part := r.Have[k].Slots.Intersect(&dead.Slots)
			seq := r.Have[k].Vector.Get(dead.Replica)
			for slot := range most {
				if part.Has(shard.Slot(slot)) {
					most[slot] = max(most[slot], seq)
				}
			}
		}
	}
	return extents(&most), true
}

// holds tells whether an assignment is one of those that are asked what they hold of a dead one.
func (a *Assignment) holds(dead *Assignment) bool {
	return !a.Dead && a.Born < dead.Round && a.Slots.Intersects(&dead.Slots)
}

// extents is the short form of a number for each slot.
func extents(seqs *[shard.Slots]uint64) (short []Extent) {
	for slot, seq := range seqs {
		if seq == 0 {
			continue
		}
		at, known := slices.BinarySearchFunc(short, seq, func(e Extent, seq uint64) int { return cmp.Compare(e.Seq, seq) })
		if !known {
			short = slices.Insert(short, at, Extent{Seq: seq})
		}
		short[at].Slots.Add(shard.Slot(slot))
	}
	return short
}
