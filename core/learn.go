package core

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/view"
)

// learn goes on with what this node has to get before it may serve: a full copy of the slots that
// are new here, then what closed replicas wrote last.
func (m *Machine) learn() {
	if m.noRoom {
		return
	}
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

// copyNew begins a full copy of slots that are new here: from an owner, or if nobody serves a slot from all
// who hold it, one after the other, until one of them has everything. If none has, what they have together
// is what is left. One that is down may be the only one to have a write of a replica that retired, and is
// waited for.
func (m *Machine) copyNew() {
	held := m.store.Have().Slots()
	fresh := held.Minus(&m.based)
	fresh = fresh.Intersect(&m.growing)
	if fresh.IsEmpty() {
		return
	}
	orphans, awaited, down := fresh, shard.Set{}, []string(nil)
	for i := range m.configuration.Assignments {
		if a := &m.configuration.Assignments[i]; a.Stage == view.Serving {
			orphans = orphans.Minus(&a.Slots)
		}
	}
	for i := range m.sources {
		s := &m.sources[(i+int(m.copies%uint64(len(m.sources))))%len(m.sources)]
		more := s.slots.Intersect(&orphans)
		more = more.Minus(&m.peers[s.member].gave)
		slots := s.serves.Intersect(&fresh)
		if slots.IsEmpty() {
			slots = more
		}
		switch {
		case slots.IsEmpty():
		case m.detector.Up(s.member):
			m.full = &transfer{full: true, source: s.member, slots: slots}
			m.sort(m.full)
			m.begin(m.full)
			return
		case !more.IsEmpty():
			awaited = awaited.Union(&more)
			down = append(down, m.configuration.Members[s.member].Address)
		}
	}
	m.tellAwaited(down, awaited.Len())
	if left := orphans.Minus(&awaited); !left.IsEmpty() {
		m.change()
		m.based = m.based.Union(&left)
		m.recordState()
		m.probe(ProbeStartedEmpty)
		m.log("nobody has a full copy of %s any more: this node starts them from what is left of them", counted(left.Len(), "slot"))
	}
}

// tellAwaited logs for whom slots wait that nobody serves.
func (m *Machine) tellAwaited(down []string, slots int) {
	if len(down) == 0 {
		return
	}
	slices.Sort(down)
	text := fmt.Sprintf("nobody has a full copy of %s any more; what is left of them may be with %s: this node waits until that is up again, or deleted",
		counted(slots, "slot"), strings.Join(down, ", "))
	if text != m.logged {
		m.logged = text
		m.log("%s", text)
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
