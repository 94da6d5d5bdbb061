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
		if elsewhere := m.elsewhere(); elsewhere != "" {
			return wire.StatusRefused, elsewhere
		}
		return 0, ""
	case m.noRoom:
		return wire.StatusForming, m.fullAt(m.self) + ": it takes part when there is room"
	case m.former == nil:
		return wire.StatusForming, "Cluster is forming: this node is starting"
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
			m.sendForming(address, 0, m.bornAt, m.former.Ask(i, m.random.Uint64()|1))
		}
	}
	m.pledge()
	if status, reason := m.obstacle(); reason != m.logged {
		if m.logged = reason; status == 0 {
			return
		}
		m.log("%s", reason)
	}
}

// pledge decides on the list that this node pledges and sends it, and forms the store when all agree.
func (m *Machine) pledge() {
	if m.excluded {
		return
	}
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
	w := forming.Answer(h, m.founder, m.config.View, m.config.ShardCount)
	message := &wire.Message{From: m.founder.Life, To: from, Body: w}
	if m.configuration != nil {
		message.Cluster, message.Epoch = m.configuration.Cluster, m.configuration.Epoch
		w.Formed, w.Store = true, view.AppendConfiguration(nil, m.configuration)
		if len(m.raft.Status().Voters) > 0 {
			w.Decides, w.Missing = m.majority()
		}
	}
	m.out.Sends = append(m.out.Sends, Send{To: h.Address, After: max(m.bornAt, m.latest()), Message: message})
}

func (m *Machine) welcomed(message *wire.Message, w *wire.Welcome) {
	switch {
	case message.To != m.founder.Life:
	case m.former == nil:
		m.hailedBy(message, w)
	case !m.former.Welcomed(message.From, w):
	case w.Formed:
		m.told(message, w)
	default:
		m.pledge()
	}
}

// hail asks the members that are not heard who they are: this life may be one that they do not listen
// to any more, and nobody else would tell it. One that has heard of nobody in its store asks all of VIEW: see elsewhere.
func (m *Machine) hail() {
	if m.hailed == 0 {
		m.hailed = m.random.Uint64() | 1
	}
	hello := &wire.Hello{Address: m.founder.Address, Challenge: m.hailed, View: m.config.View, ShardCount: m.config.ShardCount}
	alone := !m.reached
	for i := range m.configuration.Members {
		if i == m.self {
			continue
		}
		if m.detector.Up(i) {
			alone = false // or nobody knows yet
		} else {
			m.sendForming(m.configuration.Members[i].Address, 0, m.adoptedAt, hello)
		}
	}
	for _, address := range m.config.View {
		if alone && m.configuration.MemberAt(address) < 0 {
			m.sendForming(address, 0, m.adoptedAt, hello)
		}
	}
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

// form makes this node a founding member of the store.
func (m *Machine) form(founding view.Founding) {
	m.reached = true
	m.adopt(view.Found(founding))
	m.beginLog(founding.Founders)
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
