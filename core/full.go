package core

import (
	"fmt"

	"github.com/sequitur-kv/sequitur/core/wire"
)

// A node whose disk is full goes on with what leaves no record: it answers reads, says that it lives, and hands
// writes to others. What it misses meanwhile reaches it afterwards, as after any gap. In the configuration log it
// takes no part, as if it could not be reached: the others elect another leader.

// makeRoom begins and ends the time in which nothing may be put on record. The others are told at once.
func (m *Machine) makeRoom(full bool) {
	if full == m.noRoom {
		return
	}
	m.noRoom = full
	m.nextBeat = m.mono
	if full {
		m.probe(ProbeFull)
		m.repair, m.full = nil, nil // there is nowhere to put what they bring
	}
}

// needsRoom tells whether there is no use for a message without room: all that it could lead to is a
// change of durable state. It is lost then, like any message may be.
func (m *Machine) needsRoom(body wire.Body) bool {
	switch body.(type) {
	case *wire.Heartbeat, *wire.Pull, *wire.Forward, *wire.Reply:
		return false
	case *wire.Hello:
		return m.newborn // the answer would name a life that is not on record
	default:
		return true
	}
}

// overhear takes a message as a sign of life only.
func (m *Machine) overhear(message *wire.Message) {
	if m.configuration == nil || message.Cluster != m.configuration.Cluster || message.To != m.founder.Life {
		return
	}
	if from := m.configuration.MemberOf(message.From); from >= 0 && from != m.self {
		m.heard(from)
	}
}

// noteFull notes what a member says of its disk.
func (m *Machine) noteFull(from int, full bool) {
	p := &m.peers[from]
	if full == p.full {
		return
	}
	p.full = full
	if full {
		m.log("%s: others take the writes meanwhile", m.fullAt(from))
	} else {
		m.log("%s has room on its disk again", m.configuration.Members[from].Address)
	}
}

// counterFor is nextCounter for a forward. Without room a read gets a number of this boot that no reservation
// covers: who is asked keeps no account of reads, and that an answer to an earlier boot has just that number is as
// likely as that two lives are the same.
func (m *Machine) counterFor(op Op) (counter uint64, after Position) {
	if !m.noRoom || op.Writes() {
		return m.nextCounter()
	}
	m.passing++
	return 1<<63 | (m.boot + m.passing), 0
}

// forwardFull is route for a write without room: to another owner, under a counter that is reserved already.
func (m *Machine) forwardFull(c *call) {
	switch {
	case c.request == 0:
		m.answer(c, result{status: wire.StatusFull})
	case m.counter >= m.reserved:
		m.refuseFull(c, m.self)
	case m.serving != nil && m.serving.Slots.Has(c.slot):
		if target, _ := m.owner(c, 0); target < 0 {
			m.refuseFull(c, m.self)
			return
		}
		m.probe(ProbeFullAvoided)
		m.forward(c)
	default:
		m.forward(c)
	}
}

// refuseFull answers a write of an own client that nobody can write down. member is one who could otherwise.
func (m *Machine) refuseFull(c *call, member int) {
	m.probe(ProbeFullRefused)
	m.answer(c, result{status: wire.StatusFull, reason: m.fullAt(member) + "; nothing was written. Writes go on by themselves once there is room"})
}

// fullAt says whose disk is full. A node without a store has no other member to speak of.
func (m *Machine) fullAt(member int) string {
	address := m.config.Address
	if m.configuration != nil {
		address = m.configuration.Members[member].Address
	}
	return fmt.Sprintf("The disk of %s is full", address)
}

// Full tells whether a member, by its index in the configuration, says that its disk is full. The store must have
// formed.
func (m *Machine) Full(member int) bool {
	if member == m.self {
		return m.noRoom
	}
	return m.peers[member].full
}
