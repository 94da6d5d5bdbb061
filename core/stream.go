package core

import (
	"cmp"
	"slices"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/store"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// stream is what arrived of the stream of another replica and waits: for what comes before it, or for
// writes of other replicas that it follows.
type stream struct {
	replica causal.ReplicaID
	life    view.LifeID
	held    []*wire.Batch // by their beginnings
	count   int           // writes held
	size    int           // bytes of their keys and values
}

func sizeOf(b *wire.Batch) (size int) {
	for i := range b.Writes {
		size += len(b.Writes[i].Key) + len(b.Writes[i].Value)
	}
	return size
}

func (m *Machine) streamOf(replica causal.ReplicaID) *stream {
	for i := range m.streams {
		if m.streams[i].replica == replica {
			return &m.streams[i]
		}
	}
	return nil
}

// spread sends an own write to those who hold its slots and are up; the others catch up when they
// return. One that holds some of the slots only is told of every write, or its stream would have gaps.
func (m *Machine) spread(v *store.Version, position Position) {
	slot := shard.SlotOf(v.Key)
	var whole *wire.Batch
	for i := range m.audience {
		a := &m.audience[i]
		if !m.detector.Up(a.member) {
			continue
		}
		b := whole
		if b == nil || b.Slots != a.slots {
			b = &wire.Batch{Replica: m.replica, From: v.Dot.Seq - 1, To: v.Dot.Seq, Slots: a.slots}
			if a.slots.Has(slot) {
				b.Writes = []store.Version{*v}
			}
			whole = b
		}
		m.send(a.member, position, b)
	}
}

// receiveBatch takes a piece of a stream. When something before it is missing, the state that it
// belongs to is pulled: the stream does not repeat itself.
func (m *Machine) receiveBatch(from int, b *wire.Batch) {
	s := m.streamOf(b.Replica)
	if s == nil || m.configuration.Members[from].Life != s.life {
		m.probe(ProbeForeignMessage)
		return
	}
	if !m.growing.Contains(&b.Slots) { // some of it is for slots that are given up here
		cut := *b
		cut.Slots = b.Slots.Intersect(&m.growing)
		b = &cut
	}
	switch m.progress(b) {
	case elsewhere:
		m.probe(ProbeSlotSet) // it says nothing about the slots here, so have may not grow by it
		return
	case behind:
		m.probe(ProbeStreamRepeated)
		return
	case beyond, next:
	}
	if m.configuration.Assignment(b.Replica).Stage == view.Closed {
		m.probe(ProbeUnawareOwner) // its own seal counts this write, whatever others know
	}
	if s.count+len(b.Writes) > m.config.MaxBuffered || s.size > m.config.MaxBufferedSize {
		m.probe(ProbeStreamOverflow)
		m.pullBatch(b, from)
		return
	}
	at, _ := slices.BinarySearchFunc(s.held, b.From, func(h *wire.Batch, start uint64) int {
		return cmp.Compare(h.From, start)
	})
	if at < len(s.held) && s.held[at].From == b.From && s.held[at].To >= b.To && s.held[at].Slots.Contains(&b.Slots) {
		m.probe(ProbeStreamRepeated)
		return
	}
	s.held = slices.Insert(s.held, at, b)
	s.count += len(b.Writes)
	s.size += sizeOf(b)
	m.drain()
	switch {
	case len(s.held) == 0:
	case m.progress(s.held[0]) == beyond:
		m.probe(ProbeStreamGap)
		m.pullBatch(s.held[0], from)
	default:
		m.probe(ProbeStreamHeld)
	}
}

// pullBatch goes to get what comes before a batch at the slots that lack it, and the batch itself.
func (m *Machine) pullBatch(b *wire.Batch, from int) {
	for i := range m.store.Have() {
		p := &m.store.Have()[i]
		common := p.Slots.Intersect(&b.Slots)
		if p.Vector.Get(b.Replica) < b.To && common.Intersects(&m.based) {
			slot, _ := common.First()
			m.pull(causal.Dot{Replica: b.Replica, Seq: max(b.From, 1)}, slot, from)
			return
		}
	}
}

// progress says where a batch belongs, seen from what is here.
type progress uint8

const (
	elsewhere progress = iota // it is about other slots
	behind                    // everything in it is here
	beyond                    // something is missing before it
	next                      // somewhere it is what comes next
)

// progress compares a batch with what is here. Slots that wait for their first whole copy miss
// nothing in particular: whatever a stream would have brought, the copy brings.
func (m *Machine) progress(b *wire.Batch) progress {
	place := elsewhere
	for i := range m.store.Have() {
		p := &m.store.Have()[i]
		if !p.Slots.Intersects(&b.Slots) {
			continue
		}
		switch have := p.Vector.Get(b.Replica); {
		case have >= b.To:
			place = max(place, behind)
		case have >= b.From:
			return next
		case p.Slots.Intersects(&m.based):
			place = max(place, beyond)
		}
	}
	return place
}

// drain applies what the streams hold as far as what comes before it is here. A write of one stream
// may be what another one waits for.
func (m *Machine) drain() {
	for progress := true; progress; {
		progress = false
		for i := range m.streams {
			progress = m.drainStream(&m.streams[i]) || progress
		}
	}
}

func (m *Machine) drainStream(s *stream) (moved bool) {
	for len(s.held) > 0 {
		b := s.held[0]
		place := m.progress(b)
		if place == beyond {
			break
		}
		if place == next {
			done, changed := m.applyBatch(b)
			moved = moved || changed
			if !done {
				break
			}
		}
		s.count -= len(b.Writes)
		s.size -= sizeOf(b)
		s.held[0] = nil
		s.held = s.held[1:]
	}
	if moved {
		m.recordState()
		m.wake(s.replica)
	}
	return moved
}

// applyBatch applies the writes of a batch until one has to wait; done tells that none has to.
func (m *Machine) applyBatch(b *wire.Batch) (done, changed bool) {
	from := b.From
	for i := range b.Writes {
		v := &b.Writes[i]
		slot := shard.SlotOf(v.Key)
		have := m.store.Have().At(slot)
		if held := have.Get(b.Replica); held >= v.Dot.Seq || held < b.From || !b.Slots.Has(slot) {
			continue // here already, or part of what is copied
		}
		if v.Context.Epoch() > m.configuration.Epoch {
			return false, changed // whoever answers with it must know what had retired by then
		}
		for dot := range v.Context.Dots {
			if dot.Replica != b.Replica && m.configuration.Need(slot, dot) > have.Get(dot.Replica) {
				m.ownWrite(dot)
				return false, changed
			}
		}
		to := causal.Dot{Replica: b.Replica, Seq: v.Dot.Seq}
		changed = m.store.Cover(&b.Slots, from, to) || changed
		from = to.Seq
		m.apply(v)
	}
	changed = m.store.Cover(&b.Slots, from, causal.Dot{Replica: b.Replica, Seq: b.To}) || changed
	if changed {
		m.change()
	}
	return true, changed
}

// apply takes a write of a sibling into the store.
func (m *Machine) apply(v *store.Version) {
	m.clock.Observe(v.Clock())
	position := m.change()
	switch m.store.Offer(v, uint64(position)) {
	case store.Stored:
		m.recordVersion(v)
	case store.Loser:
		m.probe(ProbeConcurrentResolved)
	case store.Present:
	}
}
