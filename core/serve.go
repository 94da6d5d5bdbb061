package core

import (
	"errors"
	"slices"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/store"
	"github.com/sequitur-kv/sequitur/core/token"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// request takes a request of an own client.
func (m *Machine) request(r *Request) {
	m.current = call{op: r.Op, key: r.Key, value: r.Value, request: r.ID, timer: -1, place: -1}
	c := &m.current
	if status, reason := m.obstacle(); status != 0 {
		m.answer(c, result{status: status, reason: reason})
		return
	}
	c.slot = shard.SlotOf(c.key)
	if r.Op.Administers() {
		m.administer(r)
		return
	}
	if !r.Op.OnKey() {
		m.question(c, r.Shard)
		return
	}
	c.context.Vector = m.vector[:0] // reused: whatever outlives this Step is copied
	var err error
	m.scratch, m.spare, err = m.configuration.Tokens.Merge(&c.context, r.Tokens, m.scratch, m.spare)
	m.vector = c.context.Vector
	if err != nil {
		if errors.Is(err, token.ErrMAC) {
			m.probe(ProbeBadMAC)
		}
		m.answer(c, result{status: wire.StatusBadToken, reason: err.Error()})
		return
	}
	m.route(c)
}

// route sends a call on a key to where it can be answered in the configuration of now.
func (m *Machine) route(c *call) {
	c.shard = m.configuration.Layout.Owner(c.slot)
	switch {
	case m.noRoom && c.op.Writes():
		m.forwardFull(c)
	case max(c.epoch, c.context.Epoch) > m.configuration.Epoch:
		if m.serving != nil && m.serving.Slots.Has(c.slot) {
			m.probe(ProbeTokenNewerAtOwner)
		}
		m.park(c, causal.Dot{})
	case m.serving != nil && m.serving.Slots.Has(c.slot):
		m.serve(c)
	case c.request == 0:
		m.probe(ProbeForwardMoved)
		m.answer(c, result{status: wire.StatusMoved})
	default:
		m.forward(c)
	}
}

// serve runs a call on a key of this shard as soon as everything it depends on is here. Causality
// across shards needs no more than this check, made by every owner at the time of the read.
func (m *Machine) serve(c *call) {
	if missing, waits := m.configuration.Missing(c.slot, m.store.Have().At(c.slot), c.context.Vector); waits {
		m.park(c, missing)
		return
	}
	m.execute(c)
}

func (m *Machine) execute(c *call) {
	current, position := m.store.Lookup(c.key)
	after := Position(position)
	switch {
	case c.time != 0 && current != nil && current.Clock() >= c.time:
		m.probe(ProbeImportSuperseded)
		m.answer(c, resultOf(wire.StatusAnswered, current, after))
	case c.op == wire.OpPut:
		status := wire.StatusCreated
		if current != nil && !current.Deleted {
			status = wire.StatusReplaced
		}
		m.write(c, status)
	case c.time == 0 && (current == nil || current.Deleted): // an import deletes what may be about to come, too
		m.answer(c, resultOf(wire.StatusNotFound, current, after))
	case c.op == wire.OpDelete:
		m.write(c, wire.StatusDeleted)
	default:
		m.answer(c, resultOf(wire.StatusFound, current, after))
	}
}

// write mints the next dot of this replica for a call. The version is above everything that this
// node has seen and that the call depends on; that of an import depends on nothing and has the time of long ago.
func (m *Machine) write(c *call, status Status) {
	m.written++
	dot := causal.Dot{Replica: m.replica, Seq: m.written}
	floor := max(m.clock.Highest(), c.context.Clock)
	context := &m.minted
	context.Epoch, context.Vector = m.configuration.Epoch, append(context.Vector[:0], c.context.Vector...)
	if context.Clock = c.time; c.time != 0 {
		m.clock.Observe(c.time)
	} else {
		context.Clock = m.clock.Next(m.wall, c.context.Clock)
	}
	context.Vector = m.configuration.Trim(context.Vector.Raise(dot), context.Epoch)
	if c.time == 0 && context.Clock.Millis() > m.wall && context.Clock == floor+1 {
		m.probe(ProbeClockFloor)
	}
	v := &store.Version{Key: c.key, Dot: dot, Context: causal.Pack(*context), Value: c.value, Deleted: c.op == wire.OpDelete}
	position := m.change()
	m.store.Cover(&m.serving.Slots, dot.Seq-1, dot)
	m.store.Offer(v, uint64(position))
	m.recordVersion(v)
	m.recordState()
	m.spread(v, position)
	accepted := Accepted{Dot: dot, Life: m.founder.Life, Request: c.request}
	if c.request == 0 {
		accepted.Life, accepted.Request = c.life, RequestID(c.origin)
	}
	m.out.Accepted = append(m.out.Accepted, accepted)
	m.answer(c, resultOf(status, v, position))
	m.wake(m.replica)
}

// park makes a call wait for a write that is not here, or for a newer configuration if missing is
// zero, and goes to get it. A read may be answered by a sibling in the meantime.
func (m *Machine) park(c *call, missing causal.Dot) {
	if m.ownWrite(missing) { // the token proves it: tokens cannot be forged
		if c == &m.current { // else it is answered already
			m.answer(c, result{status: wire.StatusRefused, reason: m.refusal})
		}
		return
	}
	if c.final {
		m.answer(c, result{status: wire.StatusUncovered})
		return
	}
	again := c != &m.current
	if again {
		m.probe(ProbeParkedTwice)
	}
	if c = m.keep(c, callParked, m.config.DependencyWait, m.config.RetryInterval); c == nil {
		return
	}
	c.missing = missing
	if missing == (causal.Dot{}) {
		m.probe(ProbeTokenNewer)
		m.ahead = append(m.ahead, c)
		m.behind()
	} else {
		m.waitListOf(missing.Replica).calls.Push(c)
		m.pull(missing, c.slot, -1)
	}
	if again {
		return
	}
	m.probe(ProbeParked)
	if c.request == 0 {
		m.probe(ProbeForwardWaiting)
		m.replyTo(c, &wire.Reply{Counter: c.counter, Status: wire.StatusWaiting}, 0)
	}
	if missing != (causal.Dot{}) {
		m.proxy(c)
	}
}

// wake runs the calls that waited for writes of a replica that are here now.
func (m *Machine) wake(replica causal.ReplicaID) {
	list := m.waitListOf(replica)
	if len(m.store.Have()) == 1 { // almost always: the lowest number comes first
		for len(list.calls.Items()) > 0 && m.store.Have().At(list.calls.Items()[0].slot).Covers(list.calls.Items()[0].missing) {
			c := list.calls.Items()[0]
			list.calls.Remove(0)
			m.serve(c)
		}
		return
	}
	for _, c := range slices.Clone(list.calls.Items()) {
		if c.place >= 0 && c.missing.Replica == replica && m.store.Have().At(c.slot).Covers(c.missing) {
			m.unpark(c)
			m.serve(c)
		}
	}
}

// question answers what does not concern a key.
func (m *Machine) question(c *call, id shard.ID) {
	r := result{status: wire.StatusAnswered}
	response := Response{ID: c.request, Status: r.status, After: m.adoptedAt}
	members := m.configuration.Members
	switch c.op {
	case wire.OpView:
		for i := range members {
			if m.detector.Up(i) {
				response.Members = append(response.Members, members[i].Address)
			}
		}
	case wire.OpShardIDs:
		for i := range m.configuration.Shards {
			response.Members = append(response.Members, m.configuration.Shards[i].ID.String())
		}
	case wire.OpProgress:
		response.Progress = m.progressOfReshard()
	case wire.OpNodeShard:
		if response.Shard = members[m.self].Shard; response.Shard == 0 {
			response.Status = wire.StatusNoShard
		}
	case wire.OpShardMembers, wire.OpKeyCount:
		asked := m.configuration.Shard(id)
		switch {
		case asked == nil:
			response.Status = wire.StatusNoShard
		case c.op == wire.OpShardMembers:
			for _, i := range asked.Members {
				response.Members = append(response.Members, members[i].Address)
			}
		case asked == m.home:
			response.Count, response.After = m.store.LiveIn(&asked.Slots), m.latest()
		default:
			c.shard = id
			m.forward(c)
			return
		}
		response.Shard = id
	default: // about a key
	}
	m.out.Replies = append(m.out.Replies, response)
}
