package core

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sequitur-kv/sequitur/core/token"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// A node may be started with the records of another store than that of its peers. Nothing of them mixes, since every
// message names its store; but nobody would tell the operator. So a node that cannot reach its own store asks its
// peers who they are.

// stranger is a peer that has answered as a member of another store.
type stranger struct {
	address string
	cluster token.ClusterID
	claims  bool // that store has a member at the address of this node
}

// hailedBy takes the answer of a peer that was asked who it is.
func (m *Machine) hailedBy(message *wire.Message, w *wire.Welcome) {
	switch {
	case w.Challenge != m.hailed:
	case !w.Formed:
		m.dismiss(w.Address)
	default:
		if message.Cluster == m.configuration.Cluster {
			m.reach(w.Address)
		}
		m.told(message, w)
	}
}

// meetStranger notes a peer of another store, if it is one of those that this node asks. The operator is told,
// whichever side is wrong.
func (m *Machine) meetStranger(address string, c *view.Configuration) {
	met := stranger{address, c.Cluster, c.MemberAt(m.founder.Address) >= 0}
	asked := m.configuration.MemberAt(address) >= 0 || slices.Contains(m.config.View, address)
	if address == m.founder.Address || !asked || slices.Contains(m.strangers, met) {
		return
	}
	before := m.elsewhere()
	m.dismiss(address)
	m.strangers = append(m.strangers, met)
	slices.SortFunc(m.strangers, func(a, b stranger) int { return strings.Compare(a.address, b.address) })
	switch after := m.elsewhere(); {
	case after == "":
		m.alarm("%s is of store %016x, this node is of store %016x: each drops what the other sends. "+
			"One of them was started with the --data-dir, or the VIEW, of another store",
			address, uint64(met.cluster), uint64(m.configuration.Cluster))
	case before == "":
		m.probe(ProbeElsewhere)
		m.alarm("%s", after)
	}
}

// reach notes that a member of this node's store is there.
func (m *Machine) reach(address string) {
	if m.elsewhere() != "" {
		m.log("%s belongs to store %016x as this node does, which serves again", address, uint64(m.configuration.Cluster))
	}
	m.reached = true
	m.dismiss(address)
}

// dismiss forgets that a peer belonged to another store.
func (m *Machine) dismiss(address string) {
	m.strangers = slices.DeleteFunc(m.strangers, func(s stranger) bool { return s.address == address })
}

// elsewhere says in a sentence that the records of this node are those of another store than its peers', "" if they do
// not seem to be. One who has heard of its own store since this boot knows better, whoever else answers, and so does
// one that is all of its store. Else the word of one peer will do whose store has a member at this very address; or it
// takes most of VIEW, so that a stray address in it cannot stop a node that is cut off.
func (m *Machine) elsewhere() string {
	if len(m.strangers) == 0 || m.reached || len(m.configuration.Members) == 1 {
		return ""
	}
	claimed, inView := false, 0
	for i := range m.strangers {
		claimed = claimed || m.strangers[i].claims
		if slices.Contains(m.config.View, m.strangers[i].address) {
			inView++
		}
	}
	if !claimed && 2*inView <= len(m.config.View)-1 {
		return ""
	}
	other := m.strangers[0].cluster
	return fmt.Sprintf("The data directory of %s belongs to another store than its peers: it is of store %016x, "+
		"of which nobody else answers, and %s of store %016x. Stop this node, and start it with its own --data-dir; "+
		"or with an empty one, and it joins that store without memory. This one is as it was",
		m.founder.Address, uint64(m.configuration.Cluster), m.strangersOf(other), uint64(other))
}

// strangersOf names the peers of another store.
func (m *Machine) strangersOf(cluster token.ClusterID) string {
	var addresses []string
	for _, s := range m.strangers {
		if s.cluster == cluster {
			addresses = append(addresses, s.address)
		}
	}
	if len(addresses) == 1 {
		return addresses[0] + " is"
	}
	return strings.Join(addresses, ", ") + " are"
}
