package core

import (
	"time"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/store"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// transfer is the copy under way: state and vector of one source in one of its boots, staged until
// it is whole. A copy of two sources, or half of one, would claim writes that it has not got.
type transfer struct {
	id     uint64
	source int
	want   causal.Dot // why it was begun
	due    time.Duration
	asked  int           // times that the next part was asked for
	have   causal.Vector // what the source need not send: durable, or the pull would have to wait for the disk
	boot   uint64
	cursor uint64
	to     causal.Vector
	staged []store.Version
}

// maxAsked is how often one source is asked for one part. The answer to the first time is as good as
// any, so that a copy makes progress over a link that is slower than the retry interval.
const maxAsked = 4

// pull begins a copy from a sibling, to get a write that is missing: from preferred, if that is not
// -1; else from one that told that it has it, or its origin, or any. One copy goes on at a time: what
// still misses something when it ends asks again.
func (m *Machine) pull(missing causal.Dot, preferred int) {
	if m.copy != nil {
		return
	}
	source := preferred
	if source < 0 {
		source = m.sourceFor(missing)
	}
	if source < 0 {
		return
	}
	m.copies++
	m.copy = &transfer{id: m.copies, source: source, want: missing, have: m.claimed.Clone()}
	m.pullPart()
}

// sourceFor picks a sibling that is up; -1 when there is none. Each copy begins its search at
// another one, so that a bad choice is not made again and again.
func (m *Machine) sourceFor(missing causal.Dot) int {
	source := -1
	for i := range m.siblings {
		member := m.siblings[(i+int(m.copies%uint64(len(m.siblings))))%len(m.siblings)]
		switch {
		case !m.detector.Up(member):
		case m.peers[member].have.Covers(missing):
			return member
		case source < 0 || m.configuration.Members[member].Replica == missing.Replica:
			source = member
		}
	}
	return source
}

// pullPart asks for the next part of the copy under way.
func (m *Machine) pullPart() {
	t := m.copy
	t.asked++
	t.due = m.mono + m.config.RetryInterval
	m.send(t.source, 0, &wire.Pull{Transfer: t.id, Slots: m.home.Slots, Have: t.have, Boot: t.boot, Cursor: t.cursor})
}

// expireCopy asks again for a part that does not come, and after a while looks for another source.
func (m *Machine) expireCopy() {
	t := m.copy
	if t == nil || m.mono < t.due {
		return
	}
	if m.detector.Up(t.source) && t.asked < maxAsked {
		m.pullPart()
		return
	}
	m.copy = nil
	if m.store.Have().Covers(t.want) {
		return
	}
	if source := m.sourceFor(t.want); source >= 0 && source != t.source {
		m.probe(ProbePullOtherSource)
	}
	m.pull(t.want, -1)
}

// answerPull sends one part of a copy. It keeps no memory of the requester: the cursor says where
// to go on, and a cursor of an earlier boot starts the copy anew.
func (m *Machine) answerPull(from int, p *wire.Pull) {
	if p.Slots != m.home.Slots {
		m.probe(ProbeSlotSet)
		return
	}
	state := &wire.State{Transfer: p.Transfer, Asked: p.Cursor, Boot: m.boot, Slots: m.home.Slots}
	cursor := p.Cursor
	if p.Boot != m.boot || cursor == 0 {
		state.First = true
		state.To = m.store.Have().Clone()
		cursor = m.store.Since(p.Have)
		if p.Cursor != 0 {
			m.probe(ProbePullRestarted)
		}
	}
	state.Versions, state.Cursor, state.Last = m.store.Part(cursor, p.Have, m.config.ChunkBytes)
	m.send(from, m.latest(), state)
}

// latest is the position of all state up to now, that of this Step included.
func (m *Machine) latest() Position {
	if m.dirty {
		return m.position + 1
	}
	return m.position
}

// receiveState takes one part of the copy under way, and installs the copy when it is whole.
func (m *Machine) receiveState(from int, s *wire.State) {
	t := m.copy
	switch {
	case t == nil || t.source != from || t.id != s.Transfer || t.cursor != s.Asked:
		return // late, or repeated
	case !s.Slots.Contains(&m.home.Slots):
		m.probe(ProbeSlotSet)
		return
	case s.First:
		t.boot, t.to, t.staged = s.Boot, s.To, nil
	case s.Boot != t.boot:
		return
	}
	t.staged = append(t.staged, s.Versions...)
	t.cursor, t.asked = s.Cursor, 0
	if !s.Last {
		m.pullPart()
		return
	}
	m.copy = nil
	m.install(t)
}

// install makes a whole copy part of the store, as one unit of the log.
func (m *Machine) install(t *transfer) {
	if m.rolledBack(t.to) {
		return
	}
	for i := range t.staged { // versions beyond the vector are a proof, too
		if dot := t.staged[i].Dot; dot.Replica == m.replica && !m.store.Have().Covers(dot) {
			m.rollback(dot)
			return
		}
	}
	before := m.store.Have().Clone()
	if before.CoversAll(t.to) && len(t.staged) == 0 {
		return
	}
	position := m.change()
	wanted := false
	for i := range t.staged {
		m.clock.Observe(t.staged[i].Clock())
		wanted = wanted || t.staged[i].Dot == t.want
	}
	n := m.store.Install(t.staged, t.to, uint64(position), m.recordVersion)
	m.recordState()
	if n.Skipped > 0 {
		m.probe(ProbeInstallCovered)
	}
	if n.Overtook > 0 {
		m.probe(ProbeInstallOvertaken)
	}
	if !wanted && t.to.Covers(t.want) && !before.Covers(t.want) {
		m.probe(ProbePullOverwritten)
	}
	for _, dot := range t.to {
		if !before.Covers(dot) {
			m.covered(dot, position)
		}
	}
	m.drain()
	for i := range m.parked {
		m.wake(m.parked[i].replica)
	}
}
