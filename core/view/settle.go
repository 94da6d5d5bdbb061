package view

import (
	"slices"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
)

// settle draws the consequences of an entry until there are none left. Each of them moves something
// forward that never moves back, so there is an end.
func (c *change) settle() {
	for again := true; again; {
		again = c.fixDead()
		again = c.promote() || again
		again = c.switchOver() || again
		again = c.retire() || again
		again = c.leave() || again
	}
}

// promote makes learners that have made their full copies owners, or prepared if their layout is not in
// force. Who copied all from somebody who serves is as good as that one: it may lack a write, and then
// waits for it as everybody does. Where nobody serves, a learner must hold all that is left, and the
// first to do so becomes the one that the others copy from.
func (c *change) promote() (again bool) {
	for i := range c.Assignments {
		a := &c.Assignments[i]
		if a.Stage != Learning || a.Claimed < a.Since {
			continue
		}
		orphaned := c.orphaned(a)
		if !orphaned.IsEmpty() && (a.Target || !c.holdsAll(c.have(a.Life), &orphaned)) {
			continue
		}
		again, c.changed = true, true
		if a.Target {
			a.Stage = Prepared
			continue
		}
		a.Stage = Serving
		c.restructure()
		c.copyAnew(&orphaned)
	}
	return again
}

// serving is the set of the slots that somebody serves.
func (c *Configuration) serving() (slots shard.Set) {
	for i := range c.Assignments {
		if a := &c.Assignments[i]; a.Stage == Serving {
			slots = slots.Union(&a.Slots)
		}
	}
	return slots
}

// orphaned is the set of the slots of an assignment that nobody serves.
func (c *Configuration) orphaned(a *Assignment) shard.Set {
	serving := c.serving()
	return a.Slots.Minus(&serving)
}

// holdsAll tells whether it is known what counts of the closed replica ids in some slots, and have
// covers it.
func (c *Configuration) holdsAll(have causal.Coverage, slots *shard.Set) bool {
	for i := range c.Assignments {
		a := &c.Assignments[i]
		if a.Stage == Closed && a.Slots.Intersects(slots) && (!a.Fixed || !a.finalsWithin(have, slots)) {
			return false
		}
	}
	return true
}

// have is what a life has reported.
func (c *Configuration) have(life LifeID) causal.Coverage {
	if r := c.reported(life); r != nil {
		return r.Have
	}
	return nil
}

// copyAnew voids the copies of those who learn some of the slots: there is a new source.
func (c *change) copyAnew(slots *shard.Set) {
	for i := range c.Assignments {
		if a := &c.Assignments[i]; a.Stage == Learning && a.Slots.Intersects(slots) {
			a.Since = c.next
		}
	}
}

// finalsWithin tells whether have covers the finals of a fixed assignment in those of its slots that
// are among slots.
func (a *Assignment) finalsWithin(have causal.Coverage, slots *shard.Set) bool {
	for i := range a.Finals {
		if part := a.Finals[i].Slots.Intersect(slots); !covered(have, part, causal.Dot{Replica: a.Replica, Seq: a.Finals[i].Seq}) {
			return false
		}
	}
	return true
}

// covered tells whether have covers dot in all of the slots.
func covered(have causal.Coverage, slots shard.Set, dot causal.Dot) bool {
	for i := range have {
		if have[i].Vector.Covers(dot) {
			slots = slots.Minus(&have[i].Slots)
		}
	}
	return slots.IsEmpty()
}

// retire ends the story of closed replica ids. Assignments whose slots overlap, directly or through
// others, go together: those who copy have to begin anew only once.
func (c *change) retire() (again bool) {
	var seen shard.Set
	for i := 0; i < len(c.Assignments); i++ {
		if c.Assignments[i].Slots.Intersects(&seen) {
			continue
		}
		component := c.component(c.Assignments[i].Slots)
		seen = seen.Union(&component)
		if c.retirable(&component) {
			c.retireAll(&component)
			again, i = true, -1 // those of the component are seen
		}
	}
	return again
}

// component is the set of the slots of all assignments that are connected to some slots.
func (c *Configuration) component(slots shard.Set) shard.Set {
	for {
		before := slots
		for i := range c.Assignments {
			if a := &c.Assignments[i]; a.Slots.Intersects(&slots) {
				slots = slots.Union(&a.Slots)
			}
		}
		if slots == before {
			return slots
		}
	}
}

// retirable tells whether everything closed in a component can retire: it is known how far each came,
// somebody serves its slots, those who left have told what they hold, and all who are ready have all of
// that.
func (c *Configuration) retirable(component *shard.Set) bool {
	closed, serving := false, c.serving()
	for i := range c.Assignments {
		a := &c.Assignments[i]
		if a.Stage != Closed || !a.Slots.Intersects(component) {
			continue
		}
		closed = true
		if !a.Fixed || !serving.Contains(&a.Slots) || !a.Dead && c.leaverSilent(a) {
			return false
		}
	}
	for i := range c.Assignments {
		if a := &c.Assignments[i]; closed && a.ready() && a.Slots.Intersects(component) && !c.inherits(a, c.have(a.Life)) {
			return false
		}
	}
	return closed
}

// ready tells whether others may rely on what the assignment holds.
func (a *Assignment) ready() bool { return a.Stage == Serving || a.Stage == Prepared }

// leaverSilent tells whether the life of a closed assignment has not reported since it closed.
func (c *Configuration) leaverSilent(a *Assignment) bool {
	r := c.reported(a.Life)
	return r == nil || r.Epoch < a.Round
}

// inherits tells whether a life that reports have, and is ready by heir, holds what is left of closed
// replica ids in its slots, and what those held who leave the slots.
func (c *Configuration) inherits(heir *Assignment, have causal.Coverage) bool {
	for i := range c.Assignments {
		a := &c.Assignments[i]
		if a.Stage != Closed || !a.Slots.Intersects(&heir.Slots) {
			continue
		}
		if a.Fixed && !a.finalsWithin(have, &heir.Slots) {
			return false
		}
		if !a.Dead && !c.handedOver(a, heir, have) {
			return false
		}
	}
	return true
}

// handedOver tells whether have covers, in the slots of heir, what the life of a closed assignment
// reported there, unless it stays in charge of them. It may be the only one to hold a write of somebody
// who dies before it goes. Who gets the slots back, and may not know it yet, drops them in between.
func (c *Configuration) handedOver(closed, heir *Assignment, have causal.Coverage) bool {
	r := c.reported(closed.Life)
	if r == nil {
		return true
	}
	kept := c.kept(closed.Life, r.Epoch)
	left := closed.Slots.Minus(&kept)
	left = left.Intersect(&heir.Slots)
	for _, p := range r.Have {
		part := p.Slots.Intersect(&left)
		for _, dot := range p.Vector {
			// Of closed replica ids the finals count, and are looked at by themselves.
			if a := c.find(dot.Replica); a != nil && a.Stage != Closed && !covered(have, part.Intersect(&a.Slots), dot) {
				return false
			}
		}
	}
	return true
}

// kept is the set of the slots that a life has been in charge of since an epoch, or longer, and stays so.
func (c *Configuration) kept(life LifeID, epoch uint64) (slots shard.Set) {
	for i := range c.Assignments {
		if a := &c.Assignments[i]; a.Life == life && a.Stage != Closed && a.Born <= epoch {
			slots = slots.Union(&a.Slots)
		}
	}
	return slots
}

// retireAll removes the closed assignments of a component. Who copies its slots begins anew, from
// somebody who holds all that the retired wrote: nobody asks for those writes by name any more.
func (c *change) retireAll(component *shard.Set) {
	c.restructure()
	c.Assignments = slices.DeleteFunc(c.Assignments, func(a Assignment) bool {
		if a.Stage != Closed || !a.Slots.Intersects(component) {
			return false
		}
		at, _ := slices.BinarySearchFunc(c.Retirements, a.Replica, byRetired)
		c.Retirements = slices.Insert(c.Retirements, at, Retirement{Replica: a.Replica, Epoch: c.next})
		return true
	})
	c.copyAnew(component)
	for i := range c.Reports {
		r := &c.Reports[i]
		// What it got anew since may have gone and come back, with nothing in it.
		held := c.held(r.Life, r.Epoch)
		r.Have = r.Have.Within(&held).Forget(func(replica causal.ReplicaID) bool { return c.find(replica) == nil })
	}
}
