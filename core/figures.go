package core

import (
	"time"

	"github.com/sequitur-kv/sequitur/core/view"
)

// Figures are numbers about a machine for those who watch it, as of the last Step. The zero value
// is that of a node whose store has not formed.
type Figures struct {
	Keys         uint64 // held here and not deleted
	Tombstones   uint64 // held here
	Waiting      int    // requests that wait for dependencies or for other nodes
	WaitingBytes int    // their keys and values
	Parked       int    // of them, those that wait for dependencies
	Outstanding  int    // of them, those that another node was asked to answer
	Held         int    // writes of siblings that wait for what they follow
	Copying      bool   // a copy of a sibling's state is under way
	Restored     uint64 // of ToRestore, those that owners of the keys have durably
	ToRestore    uint64 // keys that this node is to bring from a backup into the store; zero when all are done

	Progress Progress // of the last reshard
	Leader   string   // address of the leader of the configuration log, as far as this node knows; "" for none
	Voters   int      // members whose majority decides
	VotersUp int      // of them, those that are presumed up
}

// Figures counts in time proportional to the members of the shard, and allocates nothing.
func (m *Machine) Figures() Figures {
	f := Figures{
		Keys: m.store.Live(), Tombstones: m.store.Len() - m.store.Live(), Waiting: len(m.timers.Items()), WaitingBytes: m.parkedLoad.size + m.forwardedLoad.size,
		Outstanding: len(m.outstanding), Copying: m.repair != nil || m.full != nil,
	}
	if m.imports.whole {
		f.Restored, f.ToRestore = m.imports.total-m.imports.left(), m.imports.total
	}
	if m.configuration != nil {
		m.figuresOfLog(&f)
	}
	for i := range m.parked {
		f.Parked += len(m.parked[i].calls.Items())
	}
	for i := range m.streams {
		f.Held += m.streams[i].count
	}
	return f
}

func (m *Machine) figuresOfLog(f *Figures) {
	f.Progress = m.progressOfReshard()
	status := m.raft.Status()
	if leader := m.configuration.MemberOf(view.LifeID(status.Leader)); status.Leader != 0 && leader >= 0 {
		f.Leader = m.configuration.Members[leader].Address
	}
	f.Voters = len(status.Voters)
	for _, id := range status.Voters {
		if i := m.configuration.MemberOf(view.LifeID(id)); i >= 0 && m.detector.Up(i) {
			f.VotersUp++
		}
	}
}

// Up tells whether a member, by its index in the configuration, is presumed up. The store must have formed.
func (m *Machine) Up(member int) bool { return m.detector.Up(member) }

// Silent is for how long nothing was heard of a member, as of the last Step; zero for the node
// itself. The store must have formed.
func (m *Machine) Silent(member int) time.Duration {
	if member == m.self {
		return 0
	}
	return max(0, m.mono-m.detector.LastHeard(member))
}

// Unconfirmed counts the own writes that a member has not told it holds durably. It is zero for the
// node itself, for those who hold none of its slots, and until the store has formed.
func (m *Machine) Unconfirmed(member int) uint64 {
	for i := range m.audience {
		if a := &m.audience[i]; a.member == member {
			told := m.peers[member].have.Least(&a.slots)
			return m.written - min(m.written, told.Get(m.replica))
		}
	}
	return 0
}
