package core

import (
	"time"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/store"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// transfer is a copy under way: state and coverage of one source in one of its boots, staged until
// it is whole. A copy of two sources, or half of one, would claim writes that it has not got.
type transfer struct {
	id     uint64
	full   bool // of everything, also of what retired replicas wrote; else of what is missing here
	moves  bool // a full one, of slots that a reshard brings here
	source int
	slots  shard.Set
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
	if m.repair != nil || !m.based.Has(slot) || !m.growing.Has(slot) {
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
		Transfer: t.id, Full: t.full, Slots: t.slots, Have: t.have, Boot: t.boot, Cursor: t.cursor,
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
		m.unanswered++
		m.learn()
	}
}

// answerPull sends one part of a copy. It keeps no memory of the requester: the cursor says where
// to go on, and a cursor of an earlier boot starts the copy anew. Between nodes of different epochs
// the one may have retired a replica that the other one asks about, so they agree on the epoch first.
func (m *Machine) answerPull(from int, epoch uint64, p *wire.Pull) {
	held := m.store.Have().Slots()
	if epoch != m.configuration.Epoch || p.Slots.IsEmpty() || !held.Contains(&p.Slots) || p.Full && !m.based.Contains(&p.Slots) {
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
	case s.First:
		if told := s.To.Slots(); !told.Contains(&t.slots) {
			m.probe(ProbeSlotSet) // it says nothing about some of the slots, which may not count as copied
			return
		}
		t.boot, t.staged, t.wanted = s.Boot, store.NewCopy(s.To.Within(&t.slots)), false
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
	if t.moves {
		m.copied += uint64(len(s.Versions))
	}
	t.cursor, t.asked = s.Cursor, 0
	switch {
	case s.Last && t.full:
		m.full = nil
		m.install(t)
	case s.Last:
		m.repair = nil
		m.install(t)
	case t.full:
		m.rest(t)
	default:
		m.pullPart(t)
	}
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
	for _, dot := range t.staged.Newest() { // versions beyond the vector are a proof, too
		if m.ownWrite(dot) {
			return
		}
	}
	had := m.store.Have().At(t.at).Covers(t.want)
	if m.store.Have().CoversAll(to) && t.staged.Len() == 0 && !t.full {
		return
	}
	position := m.change()
	m.clock.Observe(t.staged.Clock())
	m.nextReport = m.mono
	if t.full {
		m.based = m.based.Union(&t.slots)
	}
	n := m.store.Install(t.staged, m.gone, t.full, uint64(position), m.recorder())
	m.recordState()
	if n.Skipped {
		m.probe(ProbeInstallCovered)
	}
	if n.Overtook {
		m.probe(ProbeInstallOvertaken)
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

// learn goes on with what this node has to get before it may serve: a full copy of the slots that
// are new here, then what closed replicas wrote last.
func (m *Machine) learn() {
	if m.full == nil {
		m.copyNew()
	}
	if m.repair != nil {
		return
	}
	if missing, slot, ok := m.unfinished(); ok {
		if m.configuration.Assignment(missing.Replica).Dead {
			m.probe(ProbeFinalRaised)
		}
		m.pull(missing, slot, -1)
	}
}

// copyNew begins a full copy of slots that are new here: from an owner, or if nobody serves a slot
// from anybody who holds it.
func (m *Machine) copyNew() {
	held := m.store.Have().Slots()
	fresh := held.Minus(&m.based)
	fresh = fresh.Intersect(&m.growing)
	if fresh.IsEmpty() {
		return
	}
	orphans := fresh
	for i := range m.configuration.Assignments {
		if a := &m.configuration.Assignments[i]; a.Stage == view.Serving {
			orphans = orphans.Minus(&a.Slots)
		}
	}
	for i := range m.sources {
		s := &m.sources[(i+int(m.copies%uint64(len(m.sources))))%len(m.sources)]
		slots := s.serves.Intersect(&fresh)
		if slots.IsEmpty() && m.unanswered < len(m.sources) {
			slots = s.slots.Intersect(&orphans)
		}
		if !slots.IsEmpty() && m.detector.Up(s.member) {
			m.full = &transfer{full: true, source: s.member, slots: slots}
			m.sort(m.full)
			m.begin(m.full)
			return
		}
	}
	if !orphans.IsEmpty() {
		// All memory of them is lost: whoever holds what the survivors know has everything that there is.
		m.change()
		m.based = m.based.Union(&orphans)
		m.recordState()
		m.probe(ProbeStartedEmpty)
		m.log("nobody who has a full copy of %s is left: this node starts them from what it has", counted(orphans.Len(), "slot"))
	}
}

// sort makes a full copy one of slots that a reshard brings here or one of those that this node has to hold anyway,
// as after a loss of its memory; those first.
func (m *Machine) sort(t *transfer) {
	var brought shard.Set
	for _, a := range m.configuration.AssignmentsOf(m.founder.Life) {
		if a.Target {
			brought = brought.Union(&a.Slots)
		}
	}
	for _, a := range m.configuration.AssignmentsOf(m.founder.Life) {
		if !a.Target && a.Stage != view.Closed {
			brought = brought.Minus(&a.Slots)
		}
	}
	if rest := t.slots.Minus(&brought); !rest.IsEmpty() {
		t.slots = rest
		return
	}
	t.moves = true
}

// unfinished finds a write of a closed replica that counts and that is missing here.
func (m *Machine) unfinished() (missing causal.Dot, slot shard.Slot, ok bool) {
	for i := range m.configuration.Assignments {
		a := &m.configuration.Assignments[i]
		if a.Stage != view.Closed || !a.Fixed {
			continue
		}
		for j := range a.Finals {
			f := &a.Finals[j]
			for k := range m.store.Have() {
				p := &m.store.Have()[k]
				common := p.Slots.Intersect(&f.Slots)
				common = common.Intersect(&m.based)
				common = common.Intersect(&m.growing)
				if slot, ok = common.First(); ok && p.Vector.Get(a.Replica) < f.Seq {
					return causal.Dot{Replica: a.Replica, Seq: f.Seq}, slot, true
				}
			}
		}
	}
	return causal.Dot{}, 0, false
}
