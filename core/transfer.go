package core

import (
	"time"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/store"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// transfer is a copy under way: state and coverage of one source in one of its boots, staged until
// it is whole. A copy of two sources, or half of one, would claim writes that it has not got.
type transfer struct {
	id     uint64
	full   bool // of everything, also of what retired replicas wrote; else of what is missing here
	moves  bool // a full one, of slots that a reshard brings here
	ending bool // what the source got while the copy was made is all that is missing
	source int
	slots  shard.Set
	whole  shard.Set     // of them, those of which the source has everything
	want   causal.Dot    // why it was begun; zero for a full one
	at     shard.Slot    // where
	due    time.Duration // when the next part is asked for, perhaps again
	asked  int           // times that the next part was asked for
	have   causal.Vector // what the source need not send: durable, or the pull would have to wait for the disk
	boot   uint64
	cursor uint64
	staged *store.Copy // nil: nothing came yet
	wanted bool        // the write that it was begun for came
}

// started tells whether versions have come.
func (t *transfer) started() bool { return t != nil && t.staged != nil && t.staged.Len() > 0 }

// maxAsked is how often one source is asked for one part. The answer to the first time is as good as
// any, so that a copy makes progress over a link that is slower than the retry interval.
const maxAsked = 4

// pull begins a copy to get a write that is missing in a slot: from preferred, if that is not -1;
// else from one that told that it has it, or its origin, or any. One such copy goes on at a time:
// what still misses something when it ends asks again.
func (m *Machine) pull(missing causal.Dot, slot shard.Slot, preferred int) {
	if m.noRoom || m.repair != nil || !m.based.Has(slot) || !m.growing.Has(slot) {
		return // a slot that is new here gets a full copy, one that is given up nothing more
	}
	source := m.siblingAt(preferred, slot)
	if source == nil {
		source = m.sourceFor(missing, slot)
	}
	if source == nil {
		return
	}
	t := &transfer{source: source.member, want: missing, at: slot}
	for i := range m.store.Have() {
		if p := &m.store.Have()[i]; p.Slots.Has(slot) {
			t.slots = p.Slots.Intersect(&source.slots)
			t.slots = t.slots.Intersect(&m.based) // it brings nothing of what retired, which slots that are new lack
		}
	}
	t.have = m.claimed.Least(&t.slots)
	m.repair = t
	m.begin(t)
}

// begin asks for the first part of a copy.
func (m *Machine) begin(t *transfer) {
	m.copies++
	t.id = m.copies
	m.pullPart(t)
}

// siblingAt is the source that a member is for a slot, nil if it is none.
func (m *Machine) siblingAt(member int, slot shard.Slot) *sibling {
	for i := range m.sources {
		if s := &m.sources[i]; s.member == member && s.slots.Has(slot) {
			return s
		}
	}
	return nil
}

// sourceFor picks a source that is up; nil when there is none. Each copy begins its search at
// another one, so that a bad choice is not made again and again.
func (m *Machine) sourceFor(missing causal.Dot, slot shard.Slot) *sibling {
	var found *sibling
	for i := range m.sources {
		s := &m.sources[(i+int(m.copies%uint64(len(m.sources))))%len(m.sources)]
		switch {
		case !m.detector.Up(s.member) || !s.slots.Has(slot):
		case m.peers[s.member].have.At(slot).Covers(missing):
			return s
		case found == nil || m.writes(s.member, missing.Replica):
			found = s
		}
	}
	return found
}

// writes tells whether a replica id is one of a member.
func (m *Machine) writes(member int, replica causal.ReplicaID) bool {
	a := m.configuration.Assignment(replica)
	return a != nil && a.Life == m.configuration.Members[member].Life
}

// pullPart asks for the next part of a copy under way.
func (m *Machine) pullPart(t *transfer) {
	t.asked++
	t.due = m.mono + m.config.RetryInterval
	m.send(t.source, 0, &wire.Pull{
		Transfer: t.id, Full: t.full && !t.ending, Slots: t.slots, Have: t.have, Boot: t.boot, Cursor: t.cursor,
	})
}

// askAgain repeats a question that a source may not have answered because its configuration was older.
func (m *Machine) askAgain(source int) {
	for _, t := range []*transfer{m.repair, m.full} {
		if t != nil && t.source == source && t.boot == 0 && t.asked < maxAsked {
			m.pullPart(t)
		}
	}
}

// expireCopies asks again for parts that do not come, and after a while looks for other sources.
func (m *Machine) expireCopies() {
	if t := m.repair; t != nil && m.mono >= t.due {
		switch {
		case m.detector.Up(t.source) && t.asked < maxAsked:
			m.pullPart(t)
		default:
			m.repair = nil
			if m.store.Have().At(t.at).Covers(t.want) {
				break
			}
			if source := m.sourceFor(t.want, t.at); source != nil && source.member != t.source {
				m.probe(ProbePullOtherSource)
			}
			m.pull(t.want, t.at, -1)
		}
	}
	if t := m.full; t != nil && m.mono >= t.due {
		if m.detector.Up(t.source) && t.asked < maxAsked {
			m.pullPart(t)
			return
		}
		m.full = nil
		m.learn()
	}
}

// answerPull sends one part of a copy. It keeps no memory of the requester: the cursor says where
// to go on, and a cursor of an earlier boot starts the copy anew. Between nodes of different epochs
// the one may have retired a replica that the other one asks about, so they agree on the epoch first.
func (m *Machine) answerPull(from int, epoch uint64, p *wire.Pull) {
	held := m.store.Have().Slots()
	if epoch != m.configuration.Epoch || p.Slots.IsEmpty() || !held.Contains(&p.Slots) {
		m.probe(ProbeSlotSet)
		return
	}
	request := store.Request{Slots: p.Slots, Have: p.Have}
	if !p.Full {
		request.Gone = m.gone
	}
	state := &wire.State{Transfer: p.Transfer, Asked: p.Cursor, Boot: m.boot}
	cursor := p.Cursor
	if p.Boot != m.boot || cursor == 0 {
		state.First = true
		state.To = m.store.Have().Within(&p.Slots)
		state.Keys = m.store.LiveIn(&p.Slots)
		if p.Full {
			state.Whole = m.based.Intersect(&p.Slots)
		}
		if cursor = 0; p.Cursor != 0 {
			m.probe(ProbePullRestarted)
		}
	}
	state.Versions, state.Cursor, state.Last = m.store.Part(cursor, &request, m.config.ChunkBytes)
	m.send(from, m.latest(), state)
}

// gone tells whether a replica id has retired: whoever holds one of its slots has all that it wrote there.
func (m *Machine) gone(replica causal.ReplicaID) bool {
	return m.configuration.Assignment(replica) == nil
}

// latest is the position of all state up to now, that of this Step included.
func (m *Machine) latest() Position {
	if m.dirty {
		return m.position + 1
	}
	return m.position
}

// receiveState takes one part of a copy under way, and installs the copy when it is whole.
func (m *Machine) receiveState(from int, epoch uint64, s *wire.State) {
	t := m.repair
	if t == nil || t.id != s.Transfer {
		t = m.full
	}
	switch {
	case t == nil || t.source != from || t.id != s.Transfer || t.cursor != s.Asked || epoch != m.configuration.Epoch:
		return // late, or repeated
	case s.First && t.ending && s.Boot != t.boot:
		return // what it told before it restarted is no part of this copy
	case s.First:
		if told := s.To.Slots(); !told.Contains(&t.slots) {
			m.probe(ProbeSlotSet) // it says nothing about some of the slots, which may not count as copied
			return
		}
		if t.ending {
			t.staged.Follow(s.To.Within(&t.slots))
			break
		}
		t.boot, t.staged, t.wanted = s.Boot, store.NewCopy(s.To.Within(&t.slots)), false
		t.whole = s.Whole.Intersect(&t.slots)
		if t.moves {
			m.toCopy += s.Keys
		}
	case s.Boot != t.boot:
		return
	}
	t.staged.Add(s.Versions)
	for i := range s.Versions {
		t.wanted = t.wanted || s.Versions[i].Dot == t.want
	}
	if t.moves && !t.ending {
		m.copied += uint64(len(s.Versions))
	}
	t.cursor, t.asked = s.Cursor, 0
	switch {
	case s.Last && !s.First && t.staged.Overtaken(m.gone):
		m.overtaken(t)
	case s.Last && t.full:
		m.full = nil
		m.install(t)
	case s.Last:
		m.repair = nil
		m.install(t)
	case t.full && !t.ending:
		m.rest(t)
	default:
		m.pullPart(t)
	}
}

// overtaken goes on with a copy to which the source added, while it made it, what the vector of the copy does
// not cover, until nothing is missing that the source has when it makes the last part. To install it
// as it is would show versions of which this node does not say that it has them: if their writers forget,
// nobody would count them, and nobody else get them.
func (m *Machine) overtaken(t *transfer) {
	m.probe(ProbeInstallOvertaken)
	t.ending, t.have, t.cursor = true, t.staged.To().Least(&t.slots), 0
	m.begin(t)
}

// rest lets a full copy pause before its next part: nobody waits for it, and requests want to be served
// meanwhile. Where nodes are busy, parts take long and pauses are long.
func (m *Machine) rest(t *transfer) {
	const times = 8 // as long as the last part took
	took := m.mono - (t.due - m.config.RetryInterval)
	t.due = m.mono + min(times*took, m.config.CopyPause)
}

// install makes a whole copy part of the store, as one unit of the log.
func (m *Machine) install(t *transfer) {
	to := t.staged.To()
	if m.rolledBack(to) {
		return
	}
	had := m.store.Have().At(t.at).Covers(t.want)
	if m.store.Have().CoversAll(to) && t.staged.Len() == 0 && !t.full {
		return
	}
	position := m.change()
	m.clock.Observe(t.staged.Clock())
	m.nextReport = m.mono
	if t.full {
		m.based = m.based.Union(&t.whole)
		gave := &m.peers[t.source].gave
		*gave = gave.Union(&t.slots)
	}
	n := m.store.Install(t.staged, m.gone, t.full, uint64(position), m.recorder())
	m.recordState()
	if n.Skipped {
		m.probe(ProbeInstallCovered)
	}
	if !t.full && !t.wanted && !had && to.At(t.at).Covers(t.want) {
		m.probe(ProbePullOverwritten)
	}
	m.drain()
	for _, list := range m.parked {
		m.wake(list.replica)
	}
	m.learn()
}
