package core

import (
	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/consensus"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/store"
	"github.com/sequitur-kv/sequitur/core/view"
)

// What a shell may look at between two steps.

// Configuration is the current one, nil until the store has formed. It never changes.
func (m *Machine) Configuration() *view.Configuration { return m.configuration }

// LogStatus is what this node knows of the configuration log; the zero value while it belongs to no store. Its slices
// are not to be modified.
func (m *Machine) LogStatus() consensus.Status {
	if m.raft == nil {
		return consensus.Status{}
	}
	return m.raft.Status()
}

// Life is the life of this node.
func (m *Machine) Life() view.LifeID { return m.founder.Life }

// Replica is the replica id that the node writes under, zero while it serves no shard.
func (m *Machine) Replica() causal.ReplicaID { return m.replica }

// Shard is the shard that the node serves, zero for none.
func (m *Machine) Shard() shard.ID {
	if m.home == nil {
		return 0
	}
	return m.home.ID
}

// Have is what is applied; not to be modified or kept.
func (m *Machine) Have() causal.Coverage { return m.store.Have() }

// Lookup returns the current version of a key held here, a tombstone too; nil if there is none.
func (m *Machine) Lookup(key string) *store.Version {
	v, _ := m.store.Lookup(key)
	return v
}

// Versions calls yield for every version held here, tombstones included, oldest arrival first, until
// it returns false.
func (m *Machine) Versions(yield func(*store.Version) bool) { m.store.Versions(yield) }

// LiveKeys counts the keys held here that are not deleted.
func (m *Machine) LiveKeys() uint64 { return m.store.Live() }

// Waiting counts the requests that wait here for dependencies or for other nodes.
func (m *Machine) Waiting() int { return len(m.timers.Items()) }

// Obstacle says why requests are refused with a 503 (forming, or for good), "" when the node serves.
func (m *Machine) Obstacle() string {
	_, reason := m.obstacle()
	return reason
}
