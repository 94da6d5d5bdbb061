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
		if m.founding != nil {
			m.join(*m.founding)
		} else {
			m.former = forming.New(m.founder, m.config.View, m.config.ShardCount, m.pledgeOnRecord)
		}
	}
	if m.configuration != nil {
		m.detect()
	}
	if m.mono >= m.nextBeat {
		m.beat()
	}
	m.expireCopy()
	m.expireCalls()
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
		m.lost(member)
	}
}

// beat sends what is due every interval: questions while forming, heartbeats afterwards.
func (m *Machine) beat() {
	jitter := time.Duration(m.random.Uint64() % uint64(m.config.HeartbeatInterval/8+1))
	m.nextBeat = m.mono + m.config.HeartbeatInterval - jitter
	if m.configuration == nil {
		m.ask()
		return
	}
	// The vector is durable already, so that the beat itself need not wait for the disk.
	b := &wire.Heartbeat{Have: m.claimed.Clone()}
	for i := range m.configuration.Members {
		if i != m.self {
			m.send(i, 0, b)
		}
	}
}

// heartbeat takes what a peer says it holds. Two beats in a row that name the same missing write
// mean that its stream will not bring it.
func (m *Machine) heartbeat(from int, b *wire.Heartbeat) {
	p := &m.peers[from]
	p.lastHave, p.have = p.have, b.Have
	if m.configuration.Members[from].Shard != m.home.ID {
		return
	}
	if m.rolledBack(b.Have) {
		return
	}
	if missing, ok := m.configuration.FirstMissing(m.home.ID, m.store.Have(), p.lastHave); ok && p.have.Covers(missing) {
		m.pull(missing, from)
	}
}

// rolledBack tells whether a vector proves that this node has forgotten writes of its own; if so,
// it stops serving.
func (m *Machine) rolledBack(told causal.Vector) bool {
	own := causal.Dot{Replica: m.replica, Seq: told.Get(m.replica)}
	if m.store.Have().Covers(own) {
		return false
	}
	m.rollback(own)
	return true
}

// rollback stops a node whose disk lost writes that it had called durable: its next write would
// reuse the name of one that others have.
func (m *Machine) rollback(known causal.Dot) {
	if m.refusal != "" {
		return
	}
	m.probe(ProbeRollback)
	own := causal.Dot{Replica: m.replica, Seq: m.store.Have().Get(m.replica)}
	m.refusal = fmt.Sprintf("The disk of %s lost writes that it had called durable: its last one is %v, others have %v; "+
		"it must not write again: use one of the other nodes", m.founder.Address, own, known)
	m.log("%s", m.refusal)
	for _, c := range slices.Clone(m.timers.Items()) {
		if c.shard == m.home.ID && c.timer >= 0 {
			m.answer(c, result{status: wire.StatusRefused, reason: m.refusal})
		}
	}
}

// claim is a growth of have that is not durable yet.
type claim struct {
	position Position
	dot      causal.Dot
}

// covered notes that have grew to dot at a log position.
func (m *Machine) covered(dot causal.Dot, position Position) {
	m.claims = append(m.claims, claim{position: position, dot: dot})
}

// claimDurable moves the claims that have become durable into the vector that heartbeats tell.
func (m *Machine) claimDurable() {
	done := 0
	for done < len(m.claims) && m.claims[done].position <= m.durable {
		m.claimed = m.claimed.Raise(m.claims[done].dot)
		done++
	}
	if done > 0 {
		m.claims = append(m.claims[:0], m.claims[done:]...)
	}
}

// nextWake is when the machine must be stepped again.
func (m *Machine) nextWake() time.Duration {
	next := m.nextBeat
	if items := m.timers.Items(); len(items) > 0 {
		next = min(next, items[0].due)
	}
	if m.copy != nil {
		next = min(next, m.copy.due)
	}
	return next
}
