// Package core is the whole node as a pure state machine.
package core

import (
	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/store"
	"github.com/sequitur-kv/sequitur/core/view"
)

// Machine is one node. Not safe for concurrent use.
type Machine struct{}

// New makes a machine from the records that were durable when the last boot ended (in the order in which
// Step gave them, or just the last one of each key) and their position; a fresh life without any.
func New(config Config, records []Record, position Position) (*Machine, error) { return nil, nil }

// Step feeds one input.
func (m *Machine) Step(input Input, output *Output) {}

// Configuration is the current one, nil until the store has formed. Immutable.
func (m *Machine) Configuration() *view.Configuration { return nil }

// Life is the life of this node.
func (m *Machine) Life() view.LifeID { return 0 }

// Replica is the node's replica id, zero until formed.
func (m *Machine) Replica() causal.ReplicaID { return 0 }

// Shard is the node's shard, zero for none.
func (m *Machine) Shard() shard.ID { return 0 }

// Have is the vector of what is applied; not to be modified or kept.
func (m *Machine) Have() causal.Vector { return nil }

// Lookup returns the current version of a key held here, tombstones included; nil if there is none.
func (m *Machine) Lookup(key string) *store.Version { return nil }

// Versions calls yield for every version held here, tombstones included, oldest arrival first, until it returns false.
func (m *Machine) Versions(yield func(*store.Version) bool) {}

// LiveKeys counts the keys held here that are not deleted.
func (m *Machine) LiveKeys() uint64 { return 0 }

// Waiting counts the requests that wait here for dependencies or for other nodes.
func (m *Machine) Waiting() int { return 0 }

// Obstacle says why requests are answered with 503 (forming, or refused), "" when the node serves.
func (m *Machine) Obstacle() string { return "" }

// AppendState appends a canonical rendering of the whole durable state, for digests.
func (m *Machine) AppendState(buf []byte) []byte { return buf }
