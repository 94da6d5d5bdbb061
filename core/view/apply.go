package view

import (
	"slices"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
)

// change is a configuration in the making: a copy of the last one, which an entry of the log, and
// then everything that follows from it, is applied to.
type change struct {
	Configuration // nothing that derive makes is up to date

	index      uint64 // of the entry
	next       uint64 // the epoch of whatever the entry changes
	changed    bool   // the configuration differs from the last one
	structural bool   // and starts a new epoch
	by         LifeID // who made the request, zero for none
	number     uint64
}

// Apply returns the configuration that follows from c with the entry at an index of the log, and how
// it ended. It never changes c, and is c itself when nothing changes. It depends on nothing but its
// arguments: every member that applies the same log comes to the same configurations.
//
// What the log is told are requests and facts. The decisions (a round of questions is complete, a new
// layout comes into force, replica ids retire, a member is gone) are consequences: they are drawn
// here, at once, as soon as their conditions hold.
func (c *Configuration) Apply(index uint64, e Entry) (*Configuration, Outcome) {
	if index <= c.Index {
		return c, Outcome{}
	}
	draft := &change{Configuration: *c, index: index, next: c.Epoch + 1}
	draft.Members = slices.Clone(c.Members)
	draft.Ended = slices.Clone(c.Ended)
	draft.Assignments = slices.Clone(c.Assignments)
	draft.Retirements = slices.Clone(c.Retirements)
	draft.Reports = slices.Clone(c.Reports)
	outcome := e.apply(draft)
	if !draft.changed {
		return c, outcome
	}
	draft.settle()
	draft.Index = index
	if draft.structural {
		draft.Epoch = draft.next
	}
	outcome.Index, outcome.Epoch = index, draft.Epoch
	if i := draft.MemberOf(draft.by); i >= 0 {
		draft.Members[i].LastOutcome = outcome
	}
	applied := draft.Configuration
	applied.derive()
	return &applied, outcome
}

// restructure marks the change as one that starts an epoch.
func (c *change) restructure() { c.changed, c.structural = true, true }

// apply does an operation once, however often it is proposed.
func (e Request) apply(c *change) Outcome {
	i := c.MemberOf(e.By)
	if i < 0 || e.Number < c.Members[i].LastRequest || e.Number == 0 {
		return Outcome{}
	}
	m := &c.Members[i]
	if e.Number == m.LastRequest {
		return m.LastOutcome
	}
	m.LastRequest, c.changed = e.Number, true
	c.by, c.number = e.By, e.Number
	return e.Operation.request(c)
}

func (o Invite) request(c *change) Outcome {
	if c.MemberAt(o.Address) >= 0 {
		return Outcome{Result: Exists}
	}
	c.join(Member{Address: o.Address, Joined: c.index})
	return Outcome{Result: Done}
}

func (c *change) join(m Member) {
	at, _ := slices.BinarySearchFunc(c.Members, m.Address, byAddress)
	c.Members = slices.Insert(c.Members, at, m)
	c.restructure()
}

func (o Remove) request(c *change) Outcome {
	i := c.MemberAt(o.Address)
	if i < 0 {
		return Outcome{Result: NotFound}
	}
	m := &c.Members[i]
	down, others := slices.Contains(o.Down, m.Life), o.Down
	if down {
		others = nil // it serves as little as they do
	}
	switch {
	case c.holdsAlone(m.Life, others):
		return Outcome{Result: LastMember}
	case down || m.Life == 0:
		c.expel(i)
	case m.Leaving: // already
	case c.Reshard.Phase == Copying && c.assigned(m.Life):
		return Outcome{Result: Busy}
	default: // it goes when what it was in charge of has retired, and its vote is gone: see leave
		m.Leaving = true
		for k := range c.Assignments {
			if a := &c.Assignments[k]; a.Life == m.Life {
				c.close(a)
			}
		}
		c.restructure()
	}
	return Outcome{Result: Done}
}

// holdsAlone tells whether a shard would be left without a member, or without one that serves and is
// none of those that are down, if a life ended: that is refused even if that one is down itself. Data that
// cannot be reached is not lost yet; it is when the node returns without its memory.
func (c *change) holdsAlone(life LifeID, down []LifeID) bool {
	own := c.current(life)
	if own == nil {
		return false
	}
	for i := range c.Assignments {
		a := &c.Assignments[i]
		if a.Life == life || a.Stage == Closed || a.Target || a.Shard != own.Shard {
			continue
		}
		if own.Stage != Serving || a.Stage == Serving && !slices.Contains(down, a.Life) {
			return false
		}
	}
	return true
}

// assigned tells whether a life has assignments that have not retired.
func (c *change) assigned(life LifeID) bool {
	return slices.ContainsFunc(c.Assignments, func(a Assignment) bool { return a.Life == life })
}

func (o AddMember) request(c *change) Outcome {
	i := c.MemberAt(o.Address)
	switch {
	case o.Shard == 0 || int(o.Shard) > c.Layout.Count():
		return Outcome{Result: NoShard}
	case i < 0:
		return Outcome{Result: NotFound}
	case c.Members[i].Life == 0:
		return Outcome{Result: NotSeen}
	case c.Members[i].Leaving:
		return Outcome{Result: Leaving}
	}
	life := c.Members[i].Life
	switch a := c.current(life); {
	case a != nil && a.Shard == o.Shard:
		return Outcome{Result: Already, Replica: a.Replica}
	case a != nil:
		return Outcome{Result: Elsewhere}
	case slices.Contains(o.Down, life):
		return Outcome{Result: Down}
	case c.Reshard.Phase == Copying:
		return Outcome{Result: Busy}
	}
	return Outcome{Result: Done, Replica: c.assign(life, o.Shard, c.Layout)}
}

// assign gives a life a shard of a layout, under a fresh replica id.
func (c *change) assign(life LifeID, id shard.ID, layout *shard.Layout) causal.ReplicaID {
	a := Assignment{
		Replica: c.NextReplica, Life: life, Shard: id, Slots: layout.SlotsOf(id),
		Born: c.next, Since: c.next, Target: layout != c.Layout,
	}
	c.NextReplica++
	c.Assignments = append(c.Assignments, a)
	c.restructure()
	return a.Replica
}

// close ends an assignment: nothing more is written under its replica id. One that never served wrote
// nothing. The last write of any other is known when its life tells, or when it is dead.
func (c *change) close(a *Assignment) {
	if a.Stage == Closed {
		return
	}
	a.Fixed = a.Stage != Serving
	a.Stage, a.Target, a.Round = Closed, false, c.next
	c.restructure()
}
