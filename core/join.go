package core

import (
	"fmt"
	"slices"

	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/consensus"
	"github.com/sequitur-kv/sequitur/core/forming"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// told takes the configuration of a store that a peer belongs to. If this life is a member, it takes
// up its place; else it asks to be entered, in the place of the life that the store knows at its
// address.
func (m *Machine) told(message *wire.Message, w *wire.Welcome) {
	if m.knows(w.Store) {
		return
	}
	r := codec.NewReader(w.Store)
	c := view.ReadConfiguration(&r)
	if r.Close() != nil || c == nil || c.Cluster != message.Cluster {
		m.probe(ProbeForeignMessage)
		return
	}
	at := c.MemberAt(m.founder.Address)
	switch {
	case m.configuration != nil && m.configuration.Cluster != c.Cluster:
		m.meetStranger(w.Address, c)
	case c.MemberOf(m.founder.Life) >= 0:
		m.enter(c)
	case c.HasEnded(m.founder.Life) && at < 0:
		m.exclude(c)
	case c.HasEnded(m.founder.Life):
		m.startOver(c)
	case m.configuration == nil:
		instead := view.LifeID(0)
		if at >= 0 {
			instead = c.Members[at].Life
		}
		m.out.Sends = append(m.out.Sends, Send{To: m.former.AddressOf(message.From), After: m.bornAt, Message: &wire.Message{
			Cluster: c.Cluster, Epoch: c.Epoch, From: m.founder.Life, To: message.From,
			Body: &wire.Enter{Address: m.founder.Address, Instead: instead},
		}})
	}
}

// enter makes this node a member of a store that exists.
func (m *Machine) enter(c *view.Configuration) {
	joined := m.configuration == nil
	m.reached = true
	m.noteProgress(c, true)
	m.adopt(c)
	if !joined || m.configuration == nil {
		return
	}
	m.probe(ProbeJoined)
	m.beginLog(foundersOf(c))
	home := "no shard"
	if own := m.configuration.Members[m.self].Shard; own != 0 {
		home = "shard " + own.String()
	}
	m.log("this node belongs to store %016x now, with %s", uint64(c.Cluster), home)
	m.nextBeat = m.mono
	m.beat()
}

// foundingIndex is the index in the configuration log of the founding.
const foundingIndex = 1

// foundersOf are the founders of a store whose configuration is still that of its founding: a founder
// that is told of it begins with the same log as the others, or they might lack a majority that knows
// that it has votes. It is nil later, when the log has what it needs: a majority has decided something.
func foundersOf(c *view.Configuration) (founders []view.Founder) {
	if c.Index != foundingIndex {
		return nil
	}
	for i := range c.Members {
		founders = append(founders, view.Founder{Address: c.Members[i].Address, Life: c.Members[i].Life})
	}
	return founders
}

// receiveEnter proposes a life that asks for it. The life in whose place it runs is over, however old the
// message is: the log need not wait for its vote.
func (m *Machine) receiveEnter(life view.LifeID, e *wire.Enter) {
	if m.configuration.MemberOf(life) < 0 {
		if at := m.configuration.MemberAt(e.Address); at >= 0 && m.configuration.Members[at].Life == e.Instead {
			m.raft.Bury(consensus.ID(e.Instead))
		}
		if slices.Contains(m.raft.Status().Voters, consensus.ID(e.Instead)) {
			m.probe(ProbeAmnesiacVoter)
		}
		m.propose(view.Enter{Address: e.Address, Life: life, Instead: e.Instead})
	}
}

// exclude ends the part of this life in the store: it was deleted from the view. It keeps asking, so
// that it learns when it is wanted again.
func (m *Machine) exclude(c *view.Configuration) {
	again := m.excluded
	m.excluded, m.excludedFrom, m.excludedAt = true, c.Cluster, c.Index
	if again {
		return
	}
	m.probe(ProbeExcluded)
	m.refusal = fmt.Sprintf("%s was deleted from the view of the store; put it back with PUT /key-value-store-view at one of its members", m.founder.Address)
	m.log("%s", m.refusal)
	m.logged = m.refusal
	for _, call := range slices.Clone(m.timers.Items()) {
		m.abandon(call)
	}
	m.abandonPetitions()
	if left := m.imports.left(); left > 0 {
		m.log("the restore is not done: %d keys of it stay on record here, and come into the store once this node is put back", left)
	}
	m.remember(c)
	m.former = forming.New(m.founder, m.config.View, m.config.ShardCount, view.Founding{})
	m.configuration, m.committed, m.raft, m.strangers = nil, nil, nil, nil
	m.repair, m.full = nil, nil
	m.nextBeat = m.mono
}

// remember adds the members of a store to whom this node asks when it is no part of one: it must find that store, and
// found no other, though nobody whom its VIEW names may be left there.
func (m *Machine) remember(c *view.Configuration) {
	addresses := make([]string, len(c.Members))
	for i := range c.Members {
		addresses[i] = c.Members[i].Address
	}
	m.config.ask(addresses)
}

// abandon answers a waiting call of a node that does not belong to the store any more.
func (m *Machine) abandon(c *call) {
	switch {
	case c.request == 0:
		m.release(c) // nobody listens
	case c.state == callForwarded && c.op.Writes() && len(c.attempts) > 0:
		m.answer(c, result{status: wire.StatusUnknown})
	default:
		m.answer(c, result{status: wire.StatusRefused, reason: m.refusal})
	}
}

// startOver begins a new life: the store, whose configuration is c, counts this one as over, and has a place for the
// node all the same. Of the old life nothing is kept but who the members were.
func (m *Machine) startOver(c *view.Configuration) {
	if m.refusal == "" {
		m.refusal = fmt.Sprintf("%s starts over with an empty memory: try again", m.founder.Address)
	}
	for _, call := range slices.Clone(m.timers.Items()) {
		m.abandon(call)
	}
	m.abandonPetitions()
	m.remember(c)
	fresh := newMachine(m.config, m.random)
	fresh.position, fresh.dirty, fresh.newborn = m.position, m.dirty, true
	fresh.wall, fresh.mono, fresh.durable, fresh.out = m.wall, m.mono, m.durable, m.out
	fresh.nextBeat, fresh.lastStep = m.mono, m.lastStep
	fresh.beget()
	fresh.imports = m.imports
	fresh.imports.paced = 0
	*m = *fresh
	m.probe(ProbeStartedOver)
	m.out.Forget = true
	m.out.Records = m.out.Records[:0]
	m.recordLife()
	m.recordAddresses()
	m.recordImports()
	m.former = forming.New(m.founder, m.config.View, m.config.ShardCount, view.Founding{})
	m.log("%s starts over as a new life, with an empty memory", m.founder.Address)
}
