package core

import (
	"slices"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// counterBlock is how many forward counters one record reserves.
const counterBlock = 1 << 12

// nextCounter returns a counter that this life never used, and the position that makes it certain.
func (m *Machine) nextCounter() (counter uint64, after Position) {
	m.counter++
	if m.counter > m.reserved {
		m.reserved = m.counter + counterBlock
		m.reservedAt = m.recordCounters(m.reserved)
	}
	return m.counter, m.reservedAt
}

// owner picks another member that serves a shard and is up: the same one for the same key as long as it
// stays up, another one with each try. One whose disk is full gets no writes, and reads only when there is
// nobody else, as it may lag. It returns -1 when all are down, and for a write when none has room; full is
// then one that has not, or -1.
func (m *Machine) owner(c *call, tries int) (owner, full int) {
	members := m.configuration.Shard(c.shard).Serving
	start := int(c.slot) + tries
	full = -1
	for i := range members {
		member := members[(start+i)%len(members)]
		switch {
		case member == m.self || !m.detector.Up(member):
		case !m.peers[member].full:
			return member, full
		case full < 0:
			full = member
		}
	}
	if c.op.Writes() {
		return -1, full
	}
	return full, full
}

// forward hands a call to an owner of its key.
func (m *Machine) forward(c *call) {
	target, full := m.owner(c, 0)
	if full >= 0 && c.op.Writes() {
		if target < 0 {
			m.refuseFull(c, full)
			return
		}
		m.probe(ProbeFullAvoided)
	}
	if target < 0 {
		m.probe(ProbeShardDown)
		m.answer(c, result{status: wire.StatusShardDown})
		return
	}
	next := m.config.ForwardTimeout
	if !c.op.Writes() {
		next = m.config.RetryInterval
	}
	if c = m.keep(c, callForwarded, m.config.ForwardTimeout, next); c != nil {
		m.dispatch(c, target, false)
	}
}

// dispatch sends a call to a member. final asks for an answer from what is there.
func (m *Machine) dispatch(c *call, target int, final bool) {
	counter, after := m.counterFor(c.op)
	c.attempts = append(c.attempts, attempt{counter: counter, target: m.configuration.Members[target].Life})
	c.tries++
	m.outstanding[counter] = c
	origin := uint64(c.request)
	if c.request == 0 {
		origin = c.origin
	}
	m.send(target, after, &wire.Forward{
		Counter: counter, Request: origin, Final: final, Op: c.op, Key: c.key, Value: c.value, Shard: c.shard, Context: c.context, Time: c.time,
	})
}

// forwardElsewhere tries a read at another owner. Those asked before may answer still: on slow links
// only the first answer comes in time.
func (m *Machine) forwardElsewhere(c *call) {
	if m.configuration.Shard(c.shard) == nil {
		m.answer(c, result{status: wire.StatusNoShard}) // the layout has changed since
		return
	}
	target, _ := m.owner(c, c.tries)
	if target < 0 {
		m.probe(ProbeShardDown)
		m.answer(c, result{status: wire.StatusShardDown})
		return
	}
	m.probe(ProbeForwardRetried)
	m.dispatch(c, target, false)
}

// proxy asks a sibling for the answer to a read that has to wait here: one that told that it covers
// everything, else the origin of what is missing.
func (m *Machine) proxy(c *call) {
	if c.op != wire.OpGet {
		return
	}
	target := -1
	for i := range m.sources {
		s := &m.sources[i]
		if !s.serves.Has(c.slot) || !m.detector.Up(s.member) {
			continue
		}
		if _, lacks := m.configuration.Missing(c.slot, m.peers[s.member].have.At(c.slot), c.context.Vector); !lacks {
			target = s.member
			break
		}
		if m.writes(s.member, c.missing.Replica) {
			target = s.member
		}
	}
	if target >= 0 {
		m.probe(ProbeProxied)
		m.dispatch(c, target, true)
	}
}

// lost settles the calls that went to a life that fell silent or ended: a write may have run there, a
// read goes elsewhere.
func (m *Machine) lost(life view.LifeID) {
	var affected []*call
	for _, c := range m.timers.Items() {
		if c.state == callForwarded && c.latest() == life {
			affected = append(affected, c)
		}
	}
	for _, c := range affected {
		if c.op.Writes() {
			m.probe(ProbeForwardUnknown)
			m.answer(c, result{status: wire.StatusUnknown})
		} else {
			m.forwardElsewhere(c)
		}
	}
}

// receiveForward runs the call of another member's client. A write runs at most once: its triple is
// remembered, durably together with its effect.
func (m *Machine) receiveForward(from int, epoch uint64, f *wire.Forward) {
	life := m.configuration.Members[from].Life
	if f.Op.Writes() {
		taken := m.executedBy(life)
		switch {
		case taken.tooOld(f.Counter):
			m.probe(ProbeForwardTooOld)
			return
		case taken.has(f.Counter):
			m.probe(ProbeForwardDuplicate)
			return
		}
		taken.take(f.Counter) // on record with the write, or with the answer that there will be none
	}
	m.current = call{
		op: f.Op, key: f.Key, value: f.Value, context: f.Context, time: f.Time, shard: f.Shard, epoch: epoch,
		life: life, counter: f.Counter, origin: f.Request, final: f.Final, timer: -1, place: -1,
	}
	c := &m.current
	switch {
	case m.refusal != "":
		m.answer(c, result{status: wire.StatusRefused, reason: m.refusal})
	case f.Op.OnKey():
		c.slot = shard.SlotOf(c.key)
		m.route(c)
	case m.home != nil && m.home.ID == f.Shard:
		m.answer(c, result{status: wire.StatusAnswered, count: m.store.LiveIn(&m.home.Slots), after: m.latest()})
	default:
		m.answer(c, result{status: wire.StatusMoved})
	}
}

// answerForward sends the result of a call to the member that forwarded it.
func (m *Machine) answerForward(c *call, r result) {
	switch {
	case c.op.Writes() && m.noRoom: // that it will not run cannot be put on record, so it is no promise
		m.probe(ProbeFullForwarded)
		r = result{status: wire.StatusFull}
	case c.op.Writes():
		r.after = max(r.after, m.recordExecuted(c.life, c.counter))
	}
	reply := &wire.Reply{
		Counter: c.counter, Status: r.status, Value: r.value, Clock: r.clock, Dot: r.dot, Count: r.count, Reason: r.reason,
	}
	switch {
	case !r.status.Succeeded() || !c.op.OnKey():
	case r.isUnion(c):
		reply.Context = r.context
	default:
		m.meet(c, r)
		reply.Context = causal.Pack(m.reply)
	}
	m.replyTo(c, reply, r.after)
}

// replyTo answers the member that forwarded a call, if it is one still.
func (m *Machine) replyTo(c *call, reply *wire.Reply, after Position) {
	if member := m.configuration.MemberOf(c.life); member >= 0 {
		m.send(member, after, reply)
	}
}

// receiveReply takes the answer to a forward. The header repeats the lives, the body the counter.
func (m *Machine) receiveReply(from int, epoch uint64, reply *wire.Reply) {
	c := m.outstanding[reply.Counter]
	if c == nil || !slices.Contains(c.attempts, attempt{counter: reply.Counter, target: m.configuration.Members[from].Life}) {
		m.probe(ProbeReplyUnexpected)
		return
	}
	switch {
	case reply.Status == wire.StatusWaiting:
		c.deadline = m.mono + m.config.DependencyWait + m.config.ForwardTimeout
		m.reschedule(c, c.deadline)
	case c.state == callParked && !reply.Status.Succeeded():
		m.probe(ProbeProxyUncovered)
		m.drop(c, reply.Counter)
	case reply.Status == wire.StatusMoved:
		m.drop(c, reply.Counter)
		m.moved(c, epoch)
	case reply.Status == wire.StatusRefused && c.op.Writes():
		// The disk that lost writes may have lost the mark that it ran this one, under another copy of the forward.
		m.answer(c, result{status: wire.StatusUnknown})
	case reply.Status == wire.StatusFull && c.op.Writes():
		m.peers[from].full = true
		m.answer(c, result{status: wire.StatusUnknown}) // another copy of the forward may run when there is room
	case reply.Status == wire.StatusRefused && c.tries < len(m.configuration.Shard(c.shard).Serving):
		m.drop(c, reply.Counter)
		m.forwardElsewhere(c)
	default:
		m.answer(c, result{
			status: reply.Status, value: reply.Value, context: reply.Context, merged: true, clock: reply.Clock,
			dot: reply.Dot, count: reply.Count, reason: reply.Reason,
		})
	}
}

// drop forgets one attempt of a call.
func (m *Machine) drop(c *call, counter uint64) {
	delete(m.outstanding, counter)
	c.attempts = slices.DeleteFunc(c.attempts, func(a attempt) bool { return a.counter == counter })
}

// moved goes on with a call that a node with the configuration of an epoch did not run, as it is no
// owner there.
func (m *Machine) moved(c *call, epoch uint64) {
	c.epoch = max(c.epoch, epoch)
	switch {
	case c.op.OnKey():
		m.route(c)
	case m.configuration.Shard(c.shard) == nil:
		m.answer(c, result{status: wire.StatusNoShard})
	default:
		m.reschedule(c, m.mono+m.config.RetryInterval)
	}
}
