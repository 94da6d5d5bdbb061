package kvsim

import (
	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
	"github.com/sequitur-kv/sequitur/netsim"
)

// Administration says how the administrative requests of a scenario are drawn. They come from clients of
// their own, which follow those of the workload. The zero value: there are none.
type Administration struct {
	Clients    int
	Operations int         // of all these clients together
	From, To   netsim.Time // when they are due
	MinTimeout netsim.Time
	MaxTimeout netsim.Time
	InStep     netsim.Ratio // share of the requests that all clients make at the same moment

	MostShards   int // that a reshard asks for
	LeastMembers int // a deletion that would leave fewer is withheld
}

// deadNode as Operation.Member stands for the nodes that never come back: the request is made for one of
// them that is still a member, and withheld if there is none.
const deadNode = -1

// Plan appends the requests of a seed, sorted by client and then by time. The clients are numbered from
// first on.
func (w *Administration) Plan(seed netsim.Seed, first, servers int, into []Operation) []Operation {
	for client := range w.Clients {
		each := w.Operations / w.Clients
		for number := range each {
			into = append(into, w.draw(seed, first+client, number, each, servers))
		}
	}
	return into
}

func (w *Administration) draw(seed netsim.Seed, client, number, count, servers int) Operation {
	s := seed.Stream("administration", uint64(client), uint64(number))
	o := Operation{Client: client, Number: number, Node: int(s.Below(uint64(servers)))}
	length := (w.To - w.From) / netsim.Time(count)
	start := seed.Stream("administration begins", uint64(client), uint64(number))
	if common := seed.Stream("administration in step", uint64(number)); common.Chance(w.InStep) {
		start = seed.Stream("administration begins in step", uint64(number))
	}
	o.At = w.From + length*netsim.Time(number) + start.Between(0, length)
	o.Timeout = w.MinTimeout + s.Between(0, w.MaxTimeout-w.MinTimeout)
	member := int(s.Below(uint64(servers)))
	switch kind := s.Below(8); {
	case kind < 2:
		o.Op, o.Member = wire.OpInvite, member
	case kind < 4:
		o.Op, o.Member = wire.OpRemove, member
	case kind < 6:
		o.Op, o.Member = wire.OpAddMember, member
		o.Shard = shard.ID(1 + s.Below(uint64(w.MostShards)))
	default:
		o.Op = wire.OpReshard
		o.Count = int(1 + s.Below(uint64(w.MostShards)))
	}
	return o
}

// Repairs are the last administrative requests: once the world has healed, whoever runs the store deletes
// the nodes that never come back. A scenario without administration has somebody who does that alone.
const (
	repairs       = 5
	repairEvery   = 6 * netsim.Second
	repairTimeout = 5 * netsim.Second
)

// planRepairs appends them.
func (r *run) planRepairs(plan []Operation) []Operation {
	if !r.repaired {
		return plan
	}
	client := r.scenario.Workload.Clients
	for number := range repairs {
		at := r.scenario.ChaosEnd + repairEvery*netsim.Time(number) + 2*netsim.Second
		if at+repairTimeout > r.scenario.Settled {
			break
		}
		plan = append(plan, Operation{
			Client: client, Number: repairNumber + number, At: at,
			Node: number % r.scenario.Servers, Op: wire.OpRemove, Member: deadNode, Timeout: repairTimeout,
		})
	}
	return plan
}

// repairNumber is more than any number of an operation.
const repairNumber = 1 << 20

// address is that of the node which an administrative request is about; false: the request is withheld,
// because the world is not as it would have to be.
func (r *run) address(o *Operation) (address string, ok bool) {
	if o.Op == wire.OpReshard {
		return "", true
	}
	if o.Member == deadNode {
		for i := range r.servers {
			if r.dead(i) && r.ghost.newest != nil && r.ghost.newest.MemberAt(r.names[i]) >= 0 {
				return r.names[i], true
			}
		}
		return "", false
	}
	if o.Op == wire.OpRemove && !r.removable(o.Member) {
		return "", false
	}
	return r.names[o.Member], true
}

// removable tells whether a node may be deleted without putting at risk what the scenario takes for
// granted: a majority, and a shard that outlives one more loss. A deletion whose outcome is not known may
// have happened, or happen yet.
func (r *run) removable(server int) bool {
	c := r.ghost.newest
	if c == nil || c.MemberAt(r.names[server]) < 0 {
		return true // nothing to delete
	}
	left := 0
	serving := make([]int, len(c.Shards)+1)
	for i := range c.Members {
		m := &c.Members[i]
		other := r.serverAt(m.Address)
		if m.Leaving || int(other) == server || r.removing[other] || r.dead(int(other)) {
			continue
		}
		left++
		if m.Shard != 0 {
			for _, a := range c.AssignmentsOf(m.Life) {
				if a.Stage == view.Serving {
					serving[m.Shard]++
				}
			}
		}
	}
	own := c.Members[c.MemberAt(r.names[server])].Shard
	return left >= r.scenario.Administration.LeastMembers && (own == 0 || serving[own] >= 2)
}

// dead tells whether a node never comes back.
func (r *run) dead(server int) bool { return r.world.Killed().Has(netsim.NodeID(server)) }

// target is the server that an operation is for: the planned one, but after the world has healed the next
// one that belongs to the store.
func (r *run) target(number int32) int {
	node := r.plan[number].Node
	if number < r.repairs || r.ghost.newest == nil {
		return node
	}
	for i := range r.scenario.Servers {
		if next := (node + i) % r.scenario.Servers; r.isMember(next) {
			return next
		}
	}
	return node
}

// isMember tells whether the life of a server belongs to the store.
func (r *run) isMember(server int) bool {
	s := r.servers[server]
	return s != nil && !r.dead(server) && r.ghost.newest != nil && r.ghost.newest.MemberOf(s.machine.Life()) >= 0
}

// administered notes how an administrative request ended.
func (r *run) administered(number int32, response *core.Response) {
	f := &r.fates[number]
	f.status, f.result, f.index = response.Status, response.Outcome.Result, response.Outcome.Index
	f.known = r.ghost.index()
	if r.plan[number].Op == wire.OpRemove && f.ending == refused && response.Status != wire.StatusRolledBack {
		r.removing[r.serverAt(f.about)] = false
	}
}
