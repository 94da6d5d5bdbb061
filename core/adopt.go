package core

import (
	"slices"

	"github.com/sequitur-kv/sequitur/core/consensus"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// adopt puts a configuration in force: everything that follows from it is made anew, at once, so that
// no part of this node ever acts on an older one.
func (m *Machine) adopt(next *view.Configuration) {
	old := m.configuration
	if next != m.restored {
		m.adoptedAt = m.record(recordConfiguration, nil, view.AppendConfiguration(nil, next))
	}
	m.restored = nil
	if next.MemberOf(m.founder.Life) < 0 {
		m.leave(next)
		return
	}
	m.configuration, m.former = next, nil
	if old != nil {
		for _, line := range view.News(old, next) {
			m.log("%s", line)
		}
	}
	m.self = next.MemberOf(m.founder.Life)
	m.farewell(old)
	m.adoptPeers(old)
	m.adoptAssignments()
	m.adoptSlots(old)
	m.adoptSiblings()
	m.adoptStreams()
	if old == nil || old.Epoch != next.Epoch {
		if m.repair.started() || m.full.started() {
			m.probe(ProbeCopyVoided)
		}
		m.repair, m.full = nil, nil // a copy is between nodes of one epoch
		for i := range m.peers {
			m.peers[i].gave = shard.Set{}
		}
	}
	if old == nil || old.Reshard.Started != next.Reshard.Started {
		m.copied, m.toCopy = 0, 0
	}
	m.awaited, m.nextReport = true, m.mono
	m.buryEnded()
	m.seen = slices.DeleteFunc(m.seen, func(e *executed) bool { return next.HasEnded(e.life) })
	m.reroute()
	m.learn()
}

// buryEnded tells the log who is over: it need not wait for their votes. That is safe even if one of
// them still runs and does not know: see package consensus.
func (m *Machine) buryEnded() {
	if m.raft == nil {
		return
	}
	for _, life := range m.configuration.Ended {
		m.raft.Bury(consensus.ID(life))
	}
}

// leave ends the part of this life in a store that does not name it as a member any more.
func (m *Machine) leave(next *view.Configuration) {
	if next.MemberAt(m.founder.Address) >= 0 {
		m.startOver(next)
	} else {
		m.exclude(next)
	}
}

// farewell tells the lives that are members no more: nobody else will speak to them.
func (m *Machine) farewell(old *view.Configuration) {
	if old == nil {
		return
	}
	for i := range old.Members {
		gone := &old.Members[i]
		if gone.Life != 0 && m.configuration.MemberOf(gone.Life) < 0 && m.detector.Up(i) {
			m.out.Sends = append(m.out.Sends, Send{To: gone.Address, After: m.latest(), Message: &wire.Message{
				Cluster: m.configuration.Cluster, Epoch: m.configuration.Epoch, From: m.founder.Life, To: gone.Life,
				Body: &wire.Configuration{Encoded: view.AppendConfiguration(nil, m.configuration)},
			}})
		}
	}
}

// adoptPeers keeps what is known of the lives that were members already.
func (m *Machine) adoptPeers(old *view.Configuration) {
	members := m.configuration.Members
	peers := make([]peer, len(members))
	before := make([]int, len(members))
	for i := range members {
		before[i] = -1
		if old == nil || members[i].Life == 0 {
			continue
		}
		if before[i] = old.MemberOf(members[i].Life); before[i] >= 0 {
			peers[i] = m.peers[before[i]]
		}
	}
	m.peers = peers
	m.detector = view.NewDetector(len(members), m.config.SuspectAfter, m.mono).Following(m.detector, before)
}

// adoptAssignments finds out what this node is in charge of.
func (m *Machine) adoptAssignments() {
	m.own = m.configuration.AssignmentsOf(m.founder.Life)
	m.serving, m.home, m.replica = nil, nil, 0
	for _, a := range m.own {
		if a.Stage == view.Serving {
			m.serving, m.home, m.replica = a, m.configuration.Shard(a.Shard), a.Replica
		}
	}
}

// adoptSlots holds the slots that this node is in charge of, and no others. Of a retired replica
// nothing needs to be said any more by those who are ready: they hold all that it wrote. Whoever learns
// begins a full copy anew when the configuration says that the one before does not count any more.
func (m *Machine) adoptSlots(old *view.Configuration) {
	var held, kept, ready, stale shard.Set
	m.growing = shard.Set{}
	for _, a := range m.own {
		held = held.Union(&a.Slots)
		if old == nil || a.Born <= old.Epoch {
			kept = kept.Union(&a.Slots) // in charge of them all the time: a slot may have gone and come back
		}
		switch a.Stage {
		case view.Serving, view.Prepared:
			ready = ready.Union(&a.Slots)
		case view.Learning:
			if old != nil && !knewSince(old, a) {
				stale = stale.Union(&a.Slots)
			}
		case view.Closed:
			continue
		}
		m.growing = m.growing.Union(&a.Slots)
	}
	had, based := m.store.Have().Slots(), m.based
	if surplus := had.Minus(&kept); !surplus.IsEmpty() {
		m.probe(ProbeSlotsDropped)
		m.store.Drop(&surplus, m.dropper())
		// Beats and pulls of this epoch wait for this step, and what was durable before it is gone with it.
		m.claimed, m.pending = m.claimed.Drop(&surplus), m.pending.Drop(&surplus)
	}
	m.store.Hold(&held)
	if old != nil && len(old.Retirements) != len(m.configuration.Retirements) {
		m.store.Forget(m.gone)
		m.change()
	}
	m.based = m.based.Minus(&stale)
	m.based = m.based.Intersect(&kept)
	m.based = m.based.Union(&ready)
	m.written = 0
	if m.serving != nil {
		slot, _ := m.serving.Slots.First()
		m.written = m.store.Have().At(slot).Get(m.replica)
	}
	if had != held || m.based != based || m.dirty {
		m.recordState()
	}
}

// knewSince tells whether a configuration knew a learner, and asked no later copy of it than now.
func knewSince(old *view.Configuration, a *view.Assignment) bool {
	was := old.Assignment(a.Replica)
	return was != nil && was.Since == a.Since
}

// adoptSiblings finds out who holds some of the same slots.
func (m *Machine) adoptSiblings() {
	m.audience, m.sources = m.audience[:0], m.sources[:0]
	held := m.store.Have().Slots()
	for i := range m.configuration.Members {
		life := m.configuration.Members[i].Life
		if i == m.self || life == 0 {
			continue
		}
		source, listener := sibling{member: i}, sibling{member: i}
		for _, a := range m.configuration.AssignmentsOf(life) {
			common := a.Slots.Intersect(&held)
			source.slots = source.slots.Union(&common)
			if a.Stage == view.Serving {
				source.serves = source.serves.Union(&common)
			}
			if m.serving != nil && a.Stage != view.Closed {
				common = a.Slots.Intersect(&m.serving.Slots)
				listener.slots = listener.slots.Union(&common)
			}
		}
		if !source.slots.IsEmpty() {
			m.sources = append(m.sources, source)
		}
		if !listener.slots.IsEmpty() {
			m.audience = append(m.audience, listener)
		}
	}
}

// adoptStreams keeps what waits of the streams that go on. Of an ended life nothing is taken any more.
func (m *Machine) adoptStreams() {
	before := m.streams
	m.streams = nil
	held := m.store.Have().Slots()
	for i := range m.configuration.Assignments {
		a := &m.configuration.Assignments[i]
		if a.Life == m.founder.Life || a.Dead || !a.Slots.Intersects(&held) {
			continue
		}
		s := stream{replica: a.Replica, life: a.Life}
		if j := slices.IndexFunc(before, func(s stream) bool { return s.replica == a.Replica }); j >= 0 {
			s = before[j]
		}
		m.streams = append(m.streams, s)
	}
	if len(m.streams) < len(before) {
		m.probe(ProbeStreamEnded)
	}
	for i := range before {
		if len(before[i].held) > 0 && m.streamOf(before[i].replica) == nil {
			m.probe(ProbeHeldDropped)
		}
	}
	m.drain()
}

// reroute looks at every waiting call again. What waits here may have to go elsewhere, or may run now
// that a write it waited for counts no more; what went to an ended life will not be answered.
func (m *Machine) reroute() {
	for _, c := range slices.Clone(m.timers.Items()) {
		if c.timer < 0 {
			continue // ended by one before it
		}
		if c.request == 0 && m.configuration.MemberOf(c.life) < 0 {
			m.release(c) // nobody is left to tell, and it has not run
			continue
		}
		switch c.state {
		case callParked:
			m.unpark(c)
			m.recall(c)
			m.route(c)
		case callForwarded:
			if c.op.OnKey() {
				c.shard = m.configuration.Layout.Owner(c.slot)
			}
			if life := c.latest(); m.configuration.MemberOf(life) < 0 {
				m.lost(life)
			}
		case callRunning:
		}
	}
	kept := m.parked[:0]
	for _, list := range m.parked {
		if len(list.calls.Items()) > 0 {
			kept = append(kept, list)
		}
	}
	clear(m.parked[len(kept):])
	m.parked = kept
}

// behind asks those who have a newer configuration for it: a heartbeat shows them that this node has not.
func (m *Machine) behind() {
	if m.mono < m.nextAsk || m.noRoom {
		return
	}
	m.nextAsk = m.mono + m.config.HeartbeatInterval/8
	for i := range m.configuration.Members {
		if i != m.self && m.configuration.Members[i].Life != 0 && m.detector.Up(i) {
			m.send(i, 0, m.pulse())
		}
	}
}

// compareEpochs hands the configuration to one who has an older one, and asks one who has a newer one.
// It tells whether a member has just come to have the one of this node.
func (m *Machine) compareEpochs(from int, epoch uint64) (caughtUp bool) {
	p := &m.peers[from]
	caughtUp = p.epoch != 0 && p.epoch < epoch && epoch == m.configuration.Epoch
	p.epoch = max(p.epoch, epoch)
	switch {
	case epoch > m.configuration.Epoch:
		m.behind()
	case epoch < m.configuration.Epoch && m.mono >= p.handed:
		p.handed = m.mono + m.config.HeartbeatInterval/8
		m.hand(from)
	}
	return caughtUp
}

// hand gives the configuration to a member that has an older one.
func (m *Machine) hand(member int) {
	m.probe(ProbeConfigurationHanded)
	m.send(member, m.latest(), &wire.Configuration{Encoded: view.AppendConfiguration(nil, m.configuration)})
}
