package kvsim

import (
	"fmt"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/view"
)

// dotIsAnOwners: a write is made by who owns its slot in the configuration that it has in force. The step
// that made it may have put a newer one in force before or after.
func dotIsAnOwners(r *run, o *observation) error {
	dot := o.accepted.Dot
	for _, c := range []*view.Configuration{o.server.machine.Configuration(), o.server.former} {
		if c == nil {
			continue
		}
		if a := c.Assignment(dot.Replica); a != nil && a.Stage == view.Serving && a.Life == o.server.life && a.Slots.Has(o.minted.slot) {
			return nil
		}
	}
	return fmt.Errorf("%s writes %s as %s, but does not own slot %d", r.names[o.server.index], o.minted.key, dot, o.minted.slot)
}

// haveWithinFinals: of a dead replica nobody covers more than counts.
func haveWithinFinals(r *run, o *observation) error {
	c, have := o.server.machine.Configuration(), o.server.machine.Have()
	if c == nil {
		return nil
	}
	for i := range c.Assignments {
		a := &c.Assignments[i]
		if !a.Dead || !a.Fixed {
			continue
		}
		if err := within(have, a); err != nil {
			return fmt.Errorf("%s: %w", r.names[o.server.index], err)
		}
	}
	return nil
}

func within(have causal.Coverage, a *view.Assignment) error {
	for i := range have {
		beyond := have[i].Slots.Intersect(&a.Slots)
		has := have[i].Vector.Get(a.Replica)
		for k := range a.Finals {
			if has <= a.Finals[k].Seq {
				beyond = beyond.Minus(&a.Finals[k].Slots)
			}
		}
		if slot, some := beyond.First(); some && has > 0 {
			return fmt.Errorf("of the dead replica %d it covers %s at slot %d, but only %d count", a.Replica, counted(int(has), "write"), slot, a.Final(slot))
		}
	}
	return nil
}

// finalIsLastWrite: what a life says is its last write is the last; no more can be left of a dead one.
func finalIsLastWrite(r *run, o *observation) error {
	c := r.ghost.newest
	for i := range c.Assignments {
		a := &c.Assignments[i]
		was := o.before.Assignment(a.Replica)
		if a.Stage != view.Closed || !a.Fixed || was != nil && was.Fixed {
			continue
		}
		made := r.ghost.made(a.Replica)
		if a.Dead {
			for k := range a.Finals {
				if a.Finals[k].Seq > made {
					return fmt.Errorf("of the dead replica %d, %s are said to count, it made %d", a.Replica, counted(int(a.Finals[k].Seq), "write"), made)
				}
			}
			continue
		}
		slot, _ := a.Slots.First()
		if final := a.Final(slot); final != made {
			return fmt.Errorf("replica %d is said to have made %s, it made %d", a.Replica, counted(int(final), "write"), made)
		}
	}
	return nil
}

// finalCountsAllCopies: when it is settled what counts of a dead replica, no member holds more.
func finalCountsAllCopies(r *run, o *observation) error {
	c := r.ghost.newest
	for i := range c.Assignments {
		a := &c.Assignments[i]
		was := o.before.Assignment(a.Replica)
		if !a.Dead || !a.Fixed || was != nil && was.Fixed {
			continue
		}
		for j, s := range r.servers {
			if s == nil || c.MemberOf(s.life) < 0 || s.wiped() {
				continue
			}
			have := s.machine.Have()
			if !r.world.Up(s.id()) { // what it had not synced is gone
				have = s.synced
			}
			for _, own := range c.AssignmentsOf(s.life) {
				if err := within(have.Within(&own.Slots), a); err != nil && own.Born < a.Round {
					return fmt.Errorf("%s: %w", r.names[j], err)
				}
			}
		}
	}
	return nil
}

// servingHoldsRetired: nobody asks by name for the writes of a replica that has retired, so that whoever
// serves has them all.
func servingHoldsRetired(r *run, o *observation) error {
	c := r.ghost.newest
	if c.Epoch == o.before.Epoch {
		return nil
	}
	retired := len(c.Retirements) != len(o.before.Retirements)
	for i := range c.Assignments {
		a := &c.Assignments[i]
		was := o.before.Assignment(a.Replica)
		if a.Stage != view.Serving || !retired && was != nil && was.Stage == view.Serving {
			continue
		}
		s := r.servers[r.ghost.serverOf(a.Life)]
		if s == nil || s.life != a.Life || s.wiped() {
			continue
		}
		for k := range c.Retirements {
			if err := r.holdsAllOf(s, a, c.Retirements[k].Replica); err != nil {
				return err
			}
		}
	}
	return nil
}

// holdsAllOf tells which of the writes of a replica that count a server does not hold in its slots.
func (r *run) holdsAllOf(s *server, a *view.Assignment, id causal.ReplicaID) error {
	for seq := uint64(1); seq <= r.ghost.made(id); seq++ {
		dot := causal.Dot{Replica: id, Seq: seq}
		w := r.ghost.lookup(dot)
		if !a.Slots.Has(w.slot) || r.ghost.lost(dot) {
			continue
		}
		if v := s.machine.Lookup(w.key); v == nil || orderOf(v).compare(w.order) < 0 {
			return fmt.Errorf("%s serves slot %d, but lacks %s, a write of %s; replica %d has retired",
				r.names[s.index], w.slot, dot, w.key, id)
		}
	}
	return nil
}
