package core

import (
	"fmt"

	"github.com/sequitur-kv/sequitur/core/forming"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// obstacle says why this node answers no requests, zero for "it does".
func (m *Machine) obstacle() (Status, string) {
	switch {
	case m.refusal != "":
		return wire.StatusRefused, m.refusal
	case m.configuration != nil:
		return 0, ""
	case m.former == nil:
		return wire.StatusForming, "Cluster is forming: this node is starting"
	}
	if refused := m.former.Refused(); refused != "" {
		return wire.StatusRefused, refused
	}
	if obstacle := m.former.Obstacle(); obstacle != "" {
		return wire.StatusForming, obstacle
	}
	return wire.StatusForming, m.former.Waiting()
}

// ask sends a Hello to every other founder and repeats the pledge, if there is one. What stands in
// the way is logged when it has changed since the last time.
func (m *Machine) ask() {
	for i, address := range m.former.Peers() {
		if address != m.founder.Address {
			// After the life's own record: a life that was seen and then forgotten would be pledged in vain.
			m.sendForming(address, 0, lifePosition, m.former.Ask(i, m.random.Uint64()|1))
		}
	}
	m.pledge()
	if status, reason := m.obstacle(); reason != m.logged {
		if m.logged = reason; status == 0 {
			return
		}
		m.log("%s", reason)
		if status == wire.StatusRefused {
			m.probe(ProbeRefused)
		}
	}
}

// pledge decides on the list that this node pledges and sends it, and forms the store when all agree.
func (m *Machine) pledge() {
	founding, fresh, replaced, ok := m.former.Pledge()
	if !ok {
		return
	}
	if replaced {
		m.probe(ProbeFormLifeChanged)
	}
	if fresh {
		m.recordPledge(founding)
	}
	for _, f := range founding.Founders {
		if f.Address != m.founder.Address {
			m.sendForming(f.Address, f.Life, m.latest(), &wire.Pledge{Founding: founding})
		}
	}
	if formed, ok := m.former.Formed(); ok {
		m.form(formed)
	}
}

func (m *Machine) answerHello(from view.LifeID, h *wire.Hello) {
	m.sendForming(h.Address, from, max(lifePosition, m.formedAt),
		forming.Answer(h, m.founder, m.config.View, m.config.ShardCount, m.founding))
}

func (m *Machine) welcomed(message *wire.Message, w *wire.Welcome) {
	if m.former == nil || message.To != m.founder.Life {
		return
	}
	if formed, ok := m.former.Welcomed(message.From, w); ok {
		m.probe(ProbeFormTold)
		m.form(formed)
		return
	}
	m.pledge()
}

func (m *Machine) pledged(message *wire.Message, p *wire.Pledge) {
	if m.former == nil || message.To != m.founder.Life {
		return // formed: whoever pledges still will be told so when it asks
	}
	m.former.Pledged(message.From, p.Founding)
	if formed, ok := m.former.Formed(); ok {
		m.form(formed)
	}
}

// form makes this node a member of the store.
func (m *Machine) form(founding view.Founding) {
	m.formedAt = m.recordFounding(founding)
	m.join(founding)
	m.log("store %016x is formed by %s, in %s; this node serves shard %v",
		uint64(m.configuration.Cluster), counted(len(m.configuration.Members), "node"), counted(len(m.configuration.Shards), "shard"), m.home.ID)
	m.nextBeat = m.mono
	m.beat()
}

// counted is a number of things in words: 1 node, 2 nodes.
func counted(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// join derives everything from the founding.
func (m *Machine) join(founding view.Founding) {
	m.founding, m.former = &founding, nil
	m.configuration = view.Found(founding)
	m.self = m.configuration.MemberAt(m.founder.Address)
	own := m.configuration.Members[m.self]
	m.replica = own.Replica
	m.home = m.configuration.Shard(own.Shard)
	m.peers = make([]peer, len(m.configuration.Members))
	m.detector = view.NewDetector(len(m.configuration.Members), m.config.SuspectAfter, m.mono)
	for i, member := range m.home.Members {
		if member != m.self {
			m.siblings = append(m.siblings, member)
			m.streams = append(m.streams, stream{replica: m.home.Replicas[i]})
		}
		m.parked = append(m.parked, newWaitList(m.home.Replicas[i]))
	}
}
