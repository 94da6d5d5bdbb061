package core

import (
	"cmp"
	"slices"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/store"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// stream is what arrived of one sibling's stream and waits: for what comes before it, or for writes
// of other replicas that it follows.
type stream struct {
	replica causal.ReplicaID
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

// spread sends an own write to the siblings that are up; the others catch up when they return.
func (m *Machine) spread(v *store.Version, position Position) {
	var b *wire.Batch
	for _, member := range m.siblings {
		if !m.detector.Up(member) {
			continue
		}
		if b == nil {
			b = &wire.Batch{Replica: m.replica, From: v.Dot.Seq - 1, To: v.Dot.Seq, Slots: m.home.Slots, Writes: []store.Version{*v}}
		}
		m.send(member, position, b)
	}
}

// receiveBatch takes a piece of a sibling's stream. When something before it is missing, the state
// that it belongs to is pulled: the stream does not repeat itself.
func (m *Machine) receiveBatch(from int, b *wire.Batch) {
	s := m.streamOf(b.Replica)
	if s == nil || m.configuration.Members[from].Replica != b.Replica {
		m.probe(ProbeForeignMessage)
		return
	}
	if !b.Slots.Contains(&m.home.Slots) {
		m.probe(ProbeSlotSet) // it says nothing about the other slots, so have may not grow by it
		return
	}
	if m.store.Have().Get(b.Replica) >= b.To {
		m.probe(ProbeStreamRepeated)
		return
	}
	if s.count+len(b.Writes) > m.config.MaxBuffered || s.size > m.config.MaxBufferedSize {
		m.probe(ProbeStreamOverflow)
		m.pull(causal.Dot{Replica: b.Replica, Seq: b.To}, from)
		return
	}
	place, _ := slices.BinarySearchFunc(s.held, b.From, func(h *wire.Batch, start uint64) int {
		return cmp.Compare(h.From, start)
	})
	if place < len(s.held) && s.held[place].From == b.From && s.held[place].To >= b.To {
		m.probe(ProbeStreamRepeated)
		return
	}
	s.held = slices.Insert(s.held, place, b)
	s.count += len(b.Writes)
	s.size += sizeOf(b)
	m.drain()
	switch {
	case len(s.held) == 0:
	case s.held[0].From > m.store.Have().Get(b.Replica):
		m.probe(ProbeStreamGap)
		m.pull(causal.Dot{Replica: b.Replica, Seq: s.held[0].From}, from)
	default:
		m.probe(ProbeStreamHeld)
	}
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

func (m *Machine) drainStream(s *stream) (progress bool) {
	before := m.store.Have().Get(s.replica)
	for len(s.held) > 0 && s.held[0].From <= m.store.Have().Get(s.replica) && m.applyBatch(s.held[0]) {
		s.count -= len(s.held[0].Writes)
		s.size -= sizeOf(s.held[0])
		s.held[0] = nil
		s.held = s.held[1:]
	}
	after := m.store.Have().Get(s.replica)
	if after == before {
		return false
	}
	m.recordState()
	m.covered(causal.Dot{Replica: s.replica, Seq: after}, m.change())
	m.wake(s.replica)
	return true
}

// applyBatch applies the writes of a batch until one has to wait; it tells whether none has to.
func (m *Machine) applyBatch(b *wire.Batch) bool {
	for i := range b.Writes {
		v := &b.Writes[i]
		if m.store.Have().Covers(v.Dot) {
			continue
		}
		for dot := range v.Context.Dots {
			if dot.Replica == b.Replica || m.configuration.ShardOf(dot.Replica) != m.home.ID || m.store.Have().Covers(dot) {
				continue
			}
			if dot.Replica == m.replica {
				m.rollback(dot)
			}
			return false
		}
		m.apply(v)
	}
	m.store.Cover(causal.Dot{Replica: b.Replica, Seq: b.To})
	return true
}

// apply takes a write of a sibling into the store.
func (m *Machine) apply(v *store.Version) {
	m.clock.Observe(v.Clock())
	position := m.change()
	switch m.store.Apply(v, uint64(position)) {
	case store.Stored:
		m.recordVersion(v)
	case store.Loser:
		m.probe(ProbeConcurrentResolved)
	case store.Present:
	}
}
