package core

import (
	"fmt"
	"slices"
	"time"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/forming"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// tick does what has come due by now.
func (m *Machine) tick() {
	if m.former == nil && m.configuration == nil { // the first Step of a boot
		m.nextBeat = m.mono
		if m.restored != nil {
			m.adopt(m.restored)
		} else {
			m.former = forming.New(m.founder, m.config.View, m.config.ShardCount, m.pledgeOnRecord)
		}
	}
	if m.configuration != nil {
		if !m.noRoom {
			m.raft.Tick(m.mono)
		}
		m.detect()
	}
	if m.mono >= m.nextBeat {
		m.beat()
	}
	if m.configuration == nil {
		return
	}
	m.expireCopies()
	m.expireCalls()
	if m.awaited && m.mono >= m.nextReport && !m.noRoom {
		m.report()
	}
	if len(m.petitions) > 0 {
		m.pursue()
	}
}

// detect looks for members that fell silent. A node that was paused itself has heard nobody: it
// takes the others for up until it had time to listen.
func (m *Machine) detect() {
	if m.mono-m.lastStep > m.config.SuspectAfter/2 {
		m.detector.Excuse(m.mono)
	}
	m.expired = m.detector.Expire(m.self, m.mono, m.expired[:0])
	for _, member := range m.expired {
		m.probe(ProbePeerDown)
		m.log("%s is down: silent for more than %v", m.configuration.Members[member].Address, m.config.SuspectAfter)
	}
	for _, member := range m.expired {
		m.lost(m.configuration.Members[member].Life)
	}
}

// beat sends what is due every interval: questions while forming, heartbeats afterwards.
func (m *Machine) beat() {
	jitter := time.Duration(m.random.Uint64() % uint64(m.config.HeartbeatInterval/8+1))
	m.nextBeat = m.mono + m.config.HeartbeatInterval - jitter
	if m.configuration == nil {
		if !m.noRoom {
			m.ask()
		}
		return
	}
	b := m.pulse()
	for i := range m.configuration.Members {
		if i != m.self && m.configuration.Members[i].Life != 0 {
			m.send(i, 0, b)
		}
	}
	if m.noRoom {
		return
	}
	m.hail()
	m.learn()
	m.report()
	m.reconcile()
	m.watchReshard()
	m.insist()
}

// pulse is what the node says of itself. The coverage is durable already, so that it need not wait for the disk.
func (m *Machine) pulse() *wire.Heartbeat {
	return &wire.Heartbeat{Have: m.claimed.Clone(), Copied: m.copied, ToCopy: m.toCopy, Full: m.noRoom, Restoring: m.imports.whole}
}

// heartbeat takes what a peer says it holds. Two beats in a row that name the same missing write
// mean that its stream will not bring it.
func (m *Machine) heartbeat(from int, b *wire.Heartbeat) {
	p := &m.peers[from]
	p.lastHave, p.have = p.have, b.Have
	p.copied, p.toCopy = b.Copied, b.ToCopy
	m.noteFull(from, b.Full)
	if !b.Full {
		p.heard, p.restores = true, b.Restoring
	}
	if m.rolledBack(b.Have) {
		return
	}
	for i := range p.lastHave {
		theirs := &p.lastHave[i]
		for j := range m.store.Have() {
			ours := &m.store.Have()[j]
			common := ours.Slots.Intersect(&theirs.Slots)
			common = common.Intersect(&m.growing)
			slot, ok := common.First()
			if !ok {
				continue
			}
			if missing, ok := m.configuration.Missing(slot, ours.Vector, theirs.Vector); ok && p.have.At(slot).Covers(missing) {
				m.pull(missing, slot, from)
				return
			}
		}
	}
}

// rolledBack tells whether a coverage proves that this node has forgotten writes of its own; if so,
// it stops serving.
func (m *Machine) rolledBack(told causal.Coverage) bool {
	for i := range told {
		if m.ownWrite(causal.Dot{Replica: m.replica, Seq: told[i].Vector.Get(m.replica)}) {
			return true
		}
	}
	return false
}

// ownWrite tells whether a dot that others know is one that this node should have made and knows
// nothing of; if so, it stops serving.
func (m *Machine) ownWrite(known causal.Dot) bool {
	if known.Replica != m.replica || known.Seq <= m.written {
		return false
	}
	m.rollback(known)
	return true
}

// rollback gives up the life of a node whose disk lost writes that it had called durable: its next
// write would reuse the name of one that others have. The step ends first, without serving anything.
func (m *Machine) rollback(known causal.Dot) {
	if m.refusal != "" {
		return
	}
	m.probe(ProbeRollback)
	own := causal.Dot{Replica: m.replica, Seq: m.written}
	m.refusal = fmt.Sprintf("The disk of %s lost writes that it had called durable: its last one is %v, others have %v; "+
		"it returns with an empty memory: try again", m.founder.Address, own, known)
	if known == (causal.Dot{}) {
		m.refusal = fmt.Sprintf("The disk of %s lost entries of the configuration log that it had called durable; "+
			"it returns with an empty memory: try again", m.founder.Address)
	}
	m.log("%s", m.refusal)
	for _, c := range slices.Clone(m.timers.Items()) {
		if c.state == callParked && c.timer >= 0 {
			m.answer(c, result{status: wire.StatusRefused, reason: m.refusal})
		}
	}
}

// claimDurable lets heartbeats and pulls tell what has become durable: the state of now, if all of it
// is, else the last one that was set aside for this.
func (m *Machine) claimDurable() {
	if m.pendingAt != 0 && m.pendingAt <= m.durable {
		m.claimed, m.pending = m.pending, m.claimed
		m.claimedAt, m.pendingAt = m.pendingAt, 0
	}
	switch {
	case m.claimedAt == m.position:
	case m.position <= m.durable:
		m.claimed = m.store.Have().CopyInto(m.claimed)
		m.claimedAt, m.pendingAt = m.position, 0
	case m.pendingAt == 0:
		m.pending = m.store.Have().CopyInto(m.pending)
		m.pendingAt = m.position
	}
}

// nextWake is when the machine must be stepped again.
func (m *Machine) nextWake() time.Duration {
	next := m.nextBeat
	if m.raft != nil && !m.noRoom {
		next = min(next, m.raft.Due())
		if m.awaited {
			next = min(next, m.nextReport)
		}
		for _, p := range m.petitions {
			if !p.decided {
				next = min(next, p.due)
				break // one at a time: the others wait for this one
			}
		}
	}
	for _, p := range m.petitions {
		next = min(next, max(p.deadline, m.mono+m.config.HeartbeatInterval/4))
	}
	if items := m.timers.Items(); len(items) > 0 {
		next = min(next, items[0].due)
	}
	if m.repair != nil {
		next = min(next, m.repair.due)
	}
	if m.full != nil {
		next = min(next, m.full.due)
	}
	if due, ok := m.importsDue(); ok {
		next = min(next, due)
	}
	return next
}
