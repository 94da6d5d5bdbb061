// Package view knows who belongs to the store (Configuration) and who of them is up (Detector).
package view

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/token"
)

// Member is a node that belongs to the store.
type Member struct {
	Address     string
	Life        LifeID  // zero: invited, not heard of yet
	Joined      uint64  // index of the entry of the log that made it a member
	Leaving     bool    // it is deleted when it has handed over what it holds, and has no vote any more
	Unseated    bool    // it has no vote in the log any more: only of one that is Leaving
	LastRequest uint64  // number of the last request that this life made for a client
	LastOutcome Outcome // of that request

	Replica causal.ReplicaID // its replica id in Shard
	Shard   shard.ID         // zero: unassigned
}

// Retirement says that a replica id is of no further interest from an epoch on.
type Retirement struct {
	Replica causal.ReplicaID
	Epoch   uint64
}

// Configuration is who owns what. It never changes once made: Apply makes a new one of it and an entry
// of the configuration log.
type Configuration struct {
	Cluster     token.ClusterID
	Secret      token.Secret
	Index       uint64   // of the last entry that changed anything; the founding is entry 1
	Epoch       uint64   // advances whenever members or assignments change, at most once per entry
	Members     []Member // sorted by address
	Ended       []LifeID // of members: they never come back; ascending
	Layout      *shard.Layout
	Target      *shard.Layout // nil unless a reshard copies
	Reshard     Reshard
	Assignments []Assignment     // that have not retired, sorted by replica id
	Retirements []Retirement     // sorted by replica id
	NextReplica causal.ReplicaID // the next one to be handed out
	Reports     []Reported       // by lives of members, ascending
	Rounds      uint64           // how often it was found out what is left of the writes of a dead replica id

	// What follows from the above.
	Tokens token.Codec
	Shards []Shard // by id, from 1

	first     causal.ReplicaID // lowest of the assignments
	byReplica []*Assignment    // from first on; nil: retired
	settled   bool             // all assignments serve
}

// maxSpan bounds the table of assignments by replica id; any further apart are searched for.
const maxSpan = 1 << 14

// Shard is what a configuration says of one shard.
type Shard struct {
	ID       shard.ID
	Slots    shard.Set
	Members  []int              // who is assigned to it: indices into Configuration.Members, ascending
	Serving  []int              // those of Members that own it now; the others are learning it
	Replicas []causal.ReplicaID // every unretired replica id whose assignment ever held one of the slots
}

// derive makes everything that follows from the rest.
func (c *Configuration) derive() {
	c.Tokens = token.NewCodec(c.Cluster, c.Secret)
	c.deriveReplicas()
	slots := c.Layout.Shards()
	c.Shards = make([]Shard, len(slots))
	for i := range c.Shards {
		s := &c.Shards[i]
		s.ID, s.Slots = shard.ID(i+1), slots[i]
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
	c.first, c.byReplica, c.settled = 0, nil, true
	if len(c.Assignments) == 0 {
		return
	}
	c.first = c.Assignments[0].Replica
	span := min(c.Assignments[len(c.Assignments)-1].Replica-c.first, maxSpan) + 1
	c.byReplica = make([]*Assignment, span)
	for i := range c.Assignments {
		a := &c.Assignments[i]
		if at := a.Replica - c.first; at < span {
			c.byReplica[at] = a
		}
		c.settled = c.settled && a.Stage == Serving
	}
}

// current is the assignment of a life in the layout in force, nil if it has none.
func (c *Configuration) current(life LifeID) *Assignment {
	for i := range c.Assignments {
		if a := &c.Assignments[i]; a.Life == life && a.Stage != Closed && !a.Target {
			return a
		}
	}
	return nil
}

// MemberAt is the index of the member with an address, -1 if there is none.
func (c *Configuration) MemberAt(address string) int {
	i, ok := slices.BinarySearchFunc(c.Members, address, byAddress)
	if !ok {
		return -1
	}
	return i
}

func byAddress(m Member, address string) int { return strings.Compare(m.Address, address) }

// MemberOf is the index of the member with a life, -1 if there is none; a member that was not seen yet
// has none.
func (c *Configuration) MemberOf(life LifeID) int {
	if life == 0 {
		return -1
	}
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
	if len(c.byReplica) > maxSpan {
		return c.find(replica)
	}
	return nil
}

// find is Assignment for a configuration in the making, whose table is not up to date.
func (c *Configuration) find(replica causal.ReplicaID) *Assignment {
	i, ok := slices.BinarySearchFunc(c.Assignments, replica, byAssigned)
	if !ok {
		return nil
	}
	return &c.Assignments[i]
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
	i, ok := slices.BinarySearchFunc(c.Retirements, replica, byRetired)
	return ok && c.Retirements[i].Epoch <= epoch
}

func byRetired(r Retirement, replica causal.ReplicaID) int { return cmp.Compare(r.Replica, replica) }

func byAssigned(a Assignment, replica causal.ReplicaID) int { return cmp.Compare(a.Replica, replica) }

// Trim removes from the vector of a context of an epoch what had retired by then, and returns it.
// Contexts of one epoch are trimmed alike by everybody who knows it.
func (c *Configuration) Trim(vector causal.Vector, epoch uint64) causal.Vector {
	if len(c.Retirements) == 0 {
		return vector
	}
	return slices.DeleteFunc(vector, func(dot causal.Dot) bool { return c.Retired(dot.Replica, epoch) })
}
