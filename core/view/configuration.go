// Package view knows who belongs to the store (Configuration) and who of them is up (Detector).
package view

import (
	"slices"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/token"
)

// Member is a node that belongs to the store.
type Member struct {
	Address string
	Life    LifeID

	Replica causal.ReplicaID // its replica id in Shard
	Shard   shard.ID         // zero: unassigned
}

// Retirement says that a replica id is of no further interest from an epoch on.
type Retirement struct {
	Replica causal.ReplicaID
	Epoch   uint64
}

// Configuration is who owns what, during one epoch. It never changes once made; a new epoch is a
// new value.
type Configuration struct {
	Epoch       uint64
	Cluster     token.ClusterID
	Tokens      token.Codec
	Members     []Member // sorted by address
	Layout      *shard.Layout
	Assignments []Assignment // that have not retired, sorted by replica id
	Retirements []Retirement // sorted by replica id
	Shards      []Shard      // by id, from 1

	first     causal.ReplicaID // lowest of the assignments
	byReplica []*Assignment    // from first on; nil: retired
}

// Shard is what a configuration says of one shard.
type Shard struct {
	ID       shard.ID
	Slots    shard.Set
	Members  []int              // who is assigned to it: indices into Configuration.Members, ascending
	Serving  []int              // those of Members that own it now; the others are learning it
	Replicas []causal.ReplicaID // every unretired replica id whose assignment ever held one of the slots
}

// derive makes everything that follows from the layout, the members and the assignments.
func (c *Configuration) derive() {
	c.deriveReplicas()
	c.Shards = make([]Shard, c.Layout.Count())
	for i := range c.Shards {
		s := &c.Shards[i]
		s.ID = shard.ID(i + 1)
		s.Slots = c.Layout.SlotsOf(s.ID)
		for k := range c.Assignments {
			if a := &c.Assignments[k]; a.Slots.Intersects(&s.Slots) {
				s.Replicas = append(s.Replicas, a.Replica)
			}
		}
	}
	for i := range c.Members {
		m := &c.Members[i]
		m.Replica, m.Shard = 0, 0
		a := c.current(m.Life)
		if a == nil {
			continue
		}
		m.Replica, m.Shard = a.Replica, a.Shard
		s := &c.Shards[a.Shard-1]
		s.Members = append(s.Members, i)
		if a.Stage == Serving {
			s.Serving = append(s.Serving, i)
		}
	}
}

// deriveReplicas makes the table of assignments by replica id.
func (c *Configuration) deriveReplicas() {
	c.first, c.byReplica = 0, nil
	if len(c.Assignments) == 0 {
		return
	}
	c.first = c.Assignments[0].Replica
	c.byReplica = make([]*Assignment, c.Assignments[len(c.Assignments)-1].Replica-c.first+1)
	for i := range c.Assignments {
		a := &c.Assignments[i]
		c.byReplica[a.Replica-c.first] = a
	}
}

// current is the assignment of a life in the layout in force, nil if it has none.
func (c *Configuration) current(life LifeID) *Assignment {
	for i := range c.Assignments {
		if a := &c.Assignments[i]; a.Life == life && a.Stage != Closed {
			return a
		}
	}
	return nil
}

// MemberAt is the index of the member with an address, -1 if there is none.
func (c *Configuration) MemberAt(address string) int {
	i, ok := slices.BinarySearchFunc(c.Members, address, func(m Member, a string) int {
		switch {
		case m.Address < a:
			return -1
		case m.Address > a:
			return 1
		default:
			return 0
		}
	})
	if !ok {
		return -1
	}
	return i
}

// MemberOf is the index of the member with a life, -1 if there is none.
func (c *Configuration) MemberOf(life LifeID) int {
	for i := range c.Members {
		if c.Members[i].Life == life {
			return i
		}
	}
	return -1
}

// Shard returns what is known of a shard, nil for an unknown id.
func (c *Configuration) Shard(id shard.ID) *Shard {
	if id == 0 || int(id) > len(c.Shards) {
		return nil
	}
	return &c.Shards[id-1]
}

// Assignment is the assignment of a replica id, nil for one that is unknown or has retired.
func (c *Configuration) Assignment(replica causal.ReplicaID) *Assignment {
	if i := uint64(replica) - uint64(c.first); i < uint64(len(c.byReplica)) { // wraps around below first
		return c.byReplica[i]
	}
	return nil
}

// AssignmentsOf are the assignments of a life, ascending by replica id.
func (c *Configuration) AssignmentsOf(life LifeID) []*Assignment {
	var own []*Assignment
	for i := range c.Assignments {
		if c.Assignments[i].Life == life {
			own = append(own, &c.Assignments[i])
		}
	}
	return own
}

// Retired tells whether a replica id had retired at an epoch: contexts of that epoch do without it.
func (c *Configuration) Retired(replica causal.ReplicaID, epoch uint64) bool {
	i, ok := slices.BinarySearchFunc(c.Retirements, replica, func(r Retirement, id causal.ReplicaID) int {
		return int(int64(r.Replica) - int64(id))
	})
	return ok && c.Retirements[i].Epoch <= epoch
}

// ShardOf is the shard of a replica id, zero if it has none.
func (c *Configuration) ShardOf(replica causal.ReplicaID) shard.ID {
	if a := c.Assignment(replica); a != nil {
		return a.Shard
	}
	return 0
}

// FirstMissing finds the first dot of the relevant part of need for a shard that have does not
// cover: of the replicas that ever held slots of it. ok is false when all is covered.
func (c *Configuration) FirstMissing(home shard.ID, have, need causal.Vector) (missing causal.Dot, ok bool) {
	for _, dot := range need {
		if c.ShardOf(dot.Replica) == home && !have.Covers(dot) {
			return dot, true
		}
	}
	return causal.Dot{}, false
}
