package view_test

import (
	"slices"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/view"
)

// check looks at the head, and at the step to it from before, nil for the founding.
func (w *world) check(before *view.Configuration) {
	c := w.head
	w.checkAssignments(c)
	w.checkOwners(c)
	if before != nil && before != c {
		w.checkStep(before, c)
	}
	w.checkFinals(c)
	w.checkDebts(c)
}

// checkAssignments: no replica id ever belongs to two lives, and only the living own anything.
func (w *world) checkAssignments(c *view.Configuration) {
	for i := range c.Assignments {
		a := &c.Assignments[i]
		if owner, known := w.owners[a.Replica]; known && owner != a.Life {
			w.t.Fatalf("replica %d belongs to %s and %s", a.Replica, lifeName(owner), lifeName(a.Life))
		}
		w.owners[a.Replica] = a.Life
		if a.Dead != c.HasEnded(a.Life) || !a.Dead && c.MemberOf(a.Life) < 0 {
			w.t.Fatalf("%s: dead %t", describeAssignment(a), a.Dead)
		}
		if a.Dead && a.Stage != view.Closed {
			w.t.Fatalf("the dead own something: %s", describeAssignment(a))
		}
		if c.Retired(a.Replica, c.Epoch) {
			w.t.Fatalf("replica %d has retired", a.Replica)
		}
	}
	for i := range c.Reports {
		r := &c.Reports[i]
		held := slotsOf(c, r.Life, func(*view.Assignment) bool { return true })
		if reported := r.Have.Slots(); c.MemberOf(r.Life) < 0 || !held.Contains(&reported) {
			w.t.Fatalf("%s reported %v", lifeName(r.Life), r.Have)
		}
	}
	for i := range c.Members {
		m := &c.Members[i]
		if unclosed := len(slices.DeleteFunc(c.AssignmentsOf(m.Life), func(a *view.Assignment) bool { return !open(a) || a.Target })); unclosed > 1 || m.Leaving && unclosed > 0 {
			w.t.Fatalf("member %s has %d assignments", m.Address, unclosed)
		}
		if m.Leaving && m.Unseated && len(c.AssignmentsOf(m.Life)) == 0 || m.Unseated && !m.Leaving {
			w.t.Fatalf("member %s has nothing left to hand over and stays", m.Address)
		}
	}
}

// checkOwners: the owners of a slot are members of the shard that the layout gives it to, and every
// shard has a member.
func (w *world) checkOwners(c *view.Configuration) {
	for i := range c.Assignments {
		if a := &c.Assignments[i]; serves(a) && a.Slots != c.Layout.SlotsOf(a.Shard) {
			w.t.Fatalf("%s, other slots than the layout says", describeAssignment(a))
		}
	}
	for i := range c.Shards {
		if s := &c.Shards[i]; len(s.Members) == 0 {
			w.t.Fatalf("shard %v has no member", s.ID)
		}
	}
	if copying := c.Reshard.Phase == view.Copying; copying != (c.Target != nil) {
		w.t.Fatalf("reshard: %+v", c.Reshard)
	}
	served := shard.Set{}
	for i := range c.Assignments {
		if a := &c.Assignments[i]; serves(a) {
			served = served.Union(&a.Slots)
		}
	}
	all := shard.All()
	orphaned := all.Minus(&served)
	w.orphaned = w.orphaned.Union(&orphaned)
}

// checkStep: what moves forward only, and what starts an epoch.
func (w *world) checkStep(before, c *view.Configuration) {
	if c.Index <= before.Index || c.Epoch < before.Epoch || c.Epoch > before.Epoch+1 {
		w.t.Fatalf("from index %d, epoch %d to %d, %d", before.Index, before.Epoch, c.Index, c.Epoch)
	}
	changed := len(c.Members) != len(before.Members) || len(c.Ended) != len(before.Ended) || len(c.Retirements) != len(before.Retirements)
	for i := range before.Assignments {
		old := &before.Assignments[i]
		a := c.Assignment(old.Replica)
		if a == nil {
			if !c.Retired(old.Replica, c.Epoch) || c.Retired(old.Replica, before.Epoch) {
				w.t.Fatalf("replica %d is gone", old.Replica)
			}
			w.owe(c, old)
			w.checkHandedOver(before, c, old)
			continue
		}
		changed = changed || a.Stage != old.Stage && a.Stage != view.Prepared
		if a.Stage < old.Stage || a.Slots != old.Slots || a.Born != old.Born || old.Dead && !a.Dead {
			w.t.Fatalf("%s becomes %s", describeAssignment(old), describeAssignment(a))
		}
		if old.Fixed && !a.Fixed && len(c.Ended) == len(before.Ended) {
			w.t.Fatalf("nobody died, and %s becomes %s", describeAssignment(old), describeAssignment(a))
		}
	}
	changed = changed || len(c.Assignments) > 0 && c.Assignments[len(c.Assignments)-1].Born == c.Epoch && c.Epoch > before.Epoch
	if changed && c.Epoch == before.Epoch {
		w.t.Fatalf("no new epoch")
	}
	for _, life := range before.Ended {
		if !c.HasEnded(life) {
			w.t.Fatalf("%s lives again", lifeName(life))
		}
	}
}

// owe notes what those who serve must hold of a replica id that retires. Its finals are as they were
// last, or became known in the entry that retired it; the model knows those of the living.
func (w *world) owe(c *view.Configuration, a *view.Assignment) {
	d := debt{replica: a.Replica, slots: a.Slots, finals: a.Finals}
	if !a.Fixed {
		d.finals = nil
		if p := w.process(a.Life); p != nil && !c.HasEnded(a.Life) && p.wrote[a.Replica] > 0 {
			d.finals = []view.Extent{{Slots: a.Slots, Seq: p.wrote[a.Replica]}}
		}
	}
	w.retired = append(w.retired, d)
}

func (w *world) process(life view.LifeID) *process {
	for _, p := range w.processes {
		if p.life == life {
			return p
		}
	}
	return nil
}

// checkFinals: once it is said what is left of the dead, no member holds more, in slots that it is in
// charge of; and nobody alive has written more than it sealed.
func (w *world) checkFinals(c *view.Configuration) {
	for i := range c.Assignments {
		a := &c.Assignments[i]
		if !a.Fixed {
			continue
		}
		if p := w.process(a.Life); p != nil && !a.Dead {
			if n := p.wrote[a.Replica]; n > 0 && (len(a.Finals) != 1 || a.Finals[0].Seq != n) {
				w.t.Fatalf("%s, but it wrote %d", describeAssignment(a), n)
			}
		}
		for _, p := range w.processes {
			if c.MemberOf(p.life) >= 0 {
				w.checkFinalAt(c, a, p)
			}
		}
	}
}

func (w *world) checkFinalAt(c *view.Configuration, a *view.Assignment, p *process) {
	held := slotsOf(c, p.life, func(*view.Assignment) bool { return true })
	held = held.Intersect(&a.Slots)
	for _, part := range p.have {
		n := part.Vector.Get(a.Replica)
		over := part.Slots.Intersect(&held)
		for _, e := range a.Finals {
			if e.Seq >= n {
				over = over.Minus(&e.Slots)
			}
		}
		if n > 0 && !over.IsEmpty() {
			w.t.Fatalf("%s, but %s holds %d in %d slots", describeAssignment(a), lifeName(p.life), n, over.Len())
		}
	}
}

// checkDebts: whoever serves a slot holds all that retired replica ids wrote there, unless nobody
// served it at some time.
func (w *world) checkDebts(c *view.Configuration) {
	for i := range c.Assignments {
		a := &c.Assignments[i]
		p := w.process(a.Life)
		if p == nil || !serves(a) {
			continue
		}
		for _, d := range w.retired {
			for _, e := range d.finals {
				slots := e.Slots.Minus(&w.orphaned)
				slots = slots.Intersect(&a.Slots)
				if !holds(p.truth, slots, causal.Dot{Replica: d.replica, Seq: e.Seq}) {
					w.t.Fatalf("%s, and lacks writes of replica %d, which has retired with %d: %v", describeAssignment(a), d.replica, e.Seq, p.truth)
				}
			}
		}
	}
}

// checkHandedOver: what a life held when a replica id of its retires is held by all who are ready, in the
// slots that it lets go of now.
func (w *world) checkHandedOver(before, c *view.Configuration, a *view.Assignment) {
	p := w.process(a.Life)
	if p == nil || c.HasEnded(a.Life) {
		return
	}
	kept := slotsOf(c, a.Life, open)
	left := a.Slots.Minus(&kept)
	for _, heir := range w.processes {
		ready := slotsOf(c, heir.life, func(a *view.Assignment) bool { return serves(a) || a.Stage == view.Prepared })
		heirs := left.Intersect(&ready)
		for _, part := range p.have {
			common := part.Slots.Intersect(&heirs)
			for _, dot := range part.Vector {
				if of := before.Assignment(dot.Replica); of == nil || of.Stage == view.Closed {
					continue
				}
				if !holds(heir.truth, common, dot) {
					w.t.Fatalf("%s is to let go of %v in %d slots, which %s lacks", lifeName(a.Life), dot, common.Len(), lifeName(heir.life))
				}
			}
		}
	}
}
