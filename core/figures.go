package core

import "time"

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
}

// Figures counts in time proportional to the members of the shard, and allocates nothing.
func (m *Machine) Figures() Figures {
	f := Figures{
		Keys: m.store.Live(), Tombstones: m.store.Len() - m.store.Live(), Waiting: len(m.timers.Items()), WaitingBytes: m.parkedLoad.size + m.forwardedLoad.size,
		Outstanding: len(m.outstanding), Copying: m.copy != nil,
	}
	for i := range m.parked {
		f.Parked += len(m.parked[i].calls.Items())
	}
	for i := range m.streams {
		f.Held += m.streams[i].count
	}
	return f
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
// node itself, for members of other shards, which hold none of them, and until the store has formed.
func (m *Machine) Unconfirmed(member int) uint64 {
	if m.home == nil || member == m.self || m.configuration.Members[member].Shard != m.home.ID {
		return 0
	}
	own, told := m.store.Have().Get(m.replica), m.peers[member].have.Get(m.replica)
	return own - min(own, told)
}
