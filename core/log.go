package core

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/consensus"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// openLog makes this node's part of the configuration log: from the records of an earlier boot, as one
// of the founders, or as one who waits to be told the state.
func (m *Machine) openLog(founders []view.Founder, records []consensus.Record) error {
	config := consensus.Config{
		Self: consensus.ID(m.founder.Life), Random: rand.New(rand.NewPCG(m.random.Uint64(), m.random.Uint64())),
		HeartbeatInterval: m.config.HeartbeatInterval,
		ElectionTimeout:   max(m.config.SuspectAfter, 2*m.config.HeartbeatInterval),
	}
	for _, f := range founders {
		config.Founders = append(config.Founders, consensus.ID(f.Life))
	}
	slices.Sort(config.Founders)
	if founders != nil {
		config.Genesis = view.AppendConfiguration(nil, m.configuration)
	}
	log, err := consensus.New(config, records)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	m.raft, m.committed = log, nil
	return nil
}

// beginLog is openLog without records, which cannot fail.
func (m *Machine) beginLog(founders []view.Founder) {
	if err := m.openLog(founders, nil); err != nil {
		panic(err)
	}
	m.raft.Tick(m.mono)
}

// receiveRaft takes a message of the configuration log.
func (m *Machine) receiveRaft(from view.LifeID, r *wire.Raft) {
	switch m.raft.Step(consensus.ID(from), r.Payload) {
	case consensus.Rollback:
		m.rollback(causal.Dot{})
	case consensus.Malformed, consensus.Misdirected:
		m.probe(ProbeForeignMessage)
	case consensus.Stepped, consensus.Ignored:
	}
}

// runLog carries out what the configuration log wants done, and what the entries it has committed lead
// to. Its messages wait for all records of the step: see package consensus.
func (m *Machine) runLog() {
	if m.raft == nil || m.noRoom {
		return
	}
	m.compactLog()
	for {
		out := &m.raftOut
		out.Reset()
		m.raft.Ready(out)
		if len(out.Records)+len(out.Messages)+len(out.Committed) == 0 && out.Installed.Index == 0 && !out.Compact {
			return
		}
		m.recordRaft(out.Records)
		for _, message := range out.Messages {
			if to := m.configuration.MemberOf(view.LifeID(message.To)); to >= 0 && to != m.self {
				m.send(to, m.latest(), &wire.Raft{Payload: message.Payload})
			}
		}
		if out.Installed.Index > 0 {
			m.committed = m.readConfiguration(out.Installed.Data)
			if m.committed != nil && m.committed.Index > m.configuration.Index {
				m.adoptHanded(m.committed)
			}
		}
		m.applyEntries(out.Committed)
		if m.raft == nil {
			return // this life is over
		}
		m.compactDue = m.compactDue || out.Compact
		if m.raft.Leading() && len(out.Committed) > 0 {
			m.reconcile()
		}
	}
}

// compactLog replaces the older part of the log by the configuration as of the rest if the log asked for that, in a
// step before this one: so no message leaves before a record of its step, whatever that tells. It never waits for the
// log to catch up with the configuration in force: who needs the shorter log to follow may be whom that waits for.
func (m *Machine) compactLog() {
	if !m.compactDue || m.committed == nil {
		return
	}
	m.compactDue = false
	m.raftOut.Reset()
	m.raft.Compact(view.AppendConfiguration(nil, m.committed), &m.raftOut)
	m.recordRaft(m.raftOut.Records)
}

// applyEntries applies committed entries. Only what they lead to together is put in force, if nothing newer was handed
// by a peer: nothing is served, or written, by a configuration that has gone by.
func (m *Machine) applyEntries(entries []consensus.Entry) {
	if m.committed == nil {
		return
	}
	for i := range entries {
		r := codec.NewReader(entries[i].Data)
		if entry := view.ReadEntry(&r); r.Close() == nil {
			m.committed, _ = m.committed.Apply(entries[i].Index, entry)
			if m.committed.Index > m.configuration.Index {
				m.noteProgress(m.committed, false)
			}
		}
	}
	if m.committed.Index > m.configuration.Index {
		m.adopt(m.committed)
	}
}

// adoptEncoded adopts a configuration that was told, if it is newer.
func (m *Machine) adoptEncoded(encoded []byte) {
	if m.knows(encoded) {
		return
	}
	if next := m.readConfiguration(encoded); next != nil {
		m.adoptHanded(next)
	}
}

// adoptHanded adopts a newer configuration that did not come as entries.
func (m *Machine) adoptHanded(next *view.Configuration) {
	m.noteProgress(next, true)
	m.adopt(next)
}

// readConfiguration is nil if there is none of this store.
func (m *Machine) readConfiguration(encoded []byte) *view.Configuration {
	r := codec.NewReader(encoded)
	c := view.ReadConfiguration(&r)
	if r.Close() != nil || c.Cluster != m.configuration.Cluster {
		m.probe(ProbeForeignMessage)
		return nil
	}
	return c
}

// knows tells whether a configuration of this store is no newer than the one in force, or than the one that says that
// this node was deleted: most that are handed are not, and need not be read.
func (m *Machine) knows(encoded []byte) bool {
	r := codec.NewReader(encoded)
	cluster, index := view.ReadHeading(&r)
	if m.configuration == nil {
		return m.excluded && cluster == m.excludedFrom && index <= m.excludedAt
	}
	return cluster == m.configuration.Cluster && index <= m.configuration.Index
}

// propose hands an entry to the leader of the log; false: surely not.
func (m *Machine) propose(entry view.Entry) bool {
	return m.raft.Propose(view.AppendEntry(nil, entry))
}

// reconcile lets the members of the log follow those of the store, if this node leads it. Who is to
// leave the store leaves the log first: see view.Unseat.
func (m *Machine) reconcile() {
	if !m.raft.Leading() {
		return
	}
	members := slices.Clone(m.configuration.Members)
	slices.SortStableFunc(members, func(a, b view.Member) int { return cmp.Compare(a.Joined, b.Joined) })
	desired := make([]consensus.ID, 0, len(members))
	for i := range members {
		if members[i].Life != 0 && !members[i].Leaving {
			desired = append(desired, consensus.ID(members[i].Life))
		}
	}
	m.raft.Reconcile(desired)
	if m.mono < m.nextUnseat {
		return
	}
	status := m.raft.Status()
	for i := range members {
		life := members[i].Life
		if members[i].Leaving && !members[i].Unseated && !slices.Contains(status.Voters, consensus.ID(life)) && !m.restores(life) {
			m.propose(view.Unseat{Life: life})
			m.nextUnseat = m.mono + m.config.HeartbeatInterval/2
		}
	}
}

// restores tells whether a member has keys from a backup that are not in the store yet, or may have, as it has said nothing of
// that so far: it does not leave before they are.
func (m *Machine) restores(life view.LifeID) bool {
	i := m.configuration.MemberOf(life)
	if i == m.self {
		return m.imports.whole
	}
	p := &m.peers[i]
	return p.restores || !p.heard && m.detector.Up(i)
}

// majority tells whether a majority of the voters seems to be up, or as many as can do without one, and
// says who is missing.
func (m *Machine) majority() (up bool, missing string) {
	var dead, away []string // who lost their memory, if those are too many; and all others
	seen := func(id consensus.ID) bool {
		i := m.configuration.MemberOf(view.LifeID(id))
		return i >= 0 && (i == m.self || m.detector.Up(i) && !m.peers[i].full)
	}
	status := m.raft.Status()
	for _, id := range status.Voters {
		i, name := m.configuration.MemberOf(view.LifeID(id)), "a former member"
		if i >= 0 {
			name = m.configuration.Members[i].Address
		}
		switch {
		case status.Lost && m.raft.Buried(id):
			dead = append(dead, name)
		case i >= 0 && m.peers[i].full:
			away = append(away, name+" (its disk is full)")
		case m.raft.Buried(id) || !seen(id):
			away = append(away, name)
		}
	}
	slices.Sort(dead)
	slices.Sort(away)
	missing = strings.Join(away, ", ")
	switch {
	case !status.Lost:
	case len(away) == 0:
		missing = strings.Join(dead, ", ") + ", for good: too many lost their memory"
	default:
		missing += " for now, and " + strings.Join(dead, ", ") + " for good: too many lost their memory"
	}
	return len(status.Voters) == 0 || m.raft.Decides(seen), missing
}

// report tells the log what it waits for from this life. What it tells is durable before anybody
// learns of it: the proposal waits like everything else.
func (m *Machine) report() {
	m.nextReport = m.mono + m.config.HeartbeatInterval/8
	have := m.store.Have()
	wanted := m.configuration.Awaits(m.founder.Life, have)
	r := view.Report{Life: m.founder.Life, Epoch: m.configuration.Epoch}
	for _, replica := range wanted.Seal {
		slot, _ := m.configuration.Assignment(replica).Slots.First()
		r.Sealed = append(r.Sealed, causal.Dot{Replica: replica, Seq: have.At(slot).Get(replica)})
	}
	for _, replica := range wanted.Copy {
		if m.based.Contains(&m.configuration.Assignment(replica).Slots) {
			r.Ready = append(r.Ready, replica)
		}
	}
	m.awaited = wanted.Report || len(wanted.Seal) > 0 || len(wanted.Copy) > 0
	if len(r.Sealed) == 0 && len(r.Ready) == 0 && !wanted.Report {
		return
	}
	r.Have = have.Clone()
	m.nextReport = m.mono + m.config.HeartbeatInterval/2
	if !m.propose(r) && !m.raft.Leading() { // a leader is only waiting for the members to change
		m.askToPropose(r)
	}
}

// askToPropose hands an entry to one of the members that are up, another one each time.
func (m *Machine) askToPropose(entry view.Entry) {
	members := m.configuration.Members
	for range members {
		m.proposer = (m.proposer + 1) % len(members)
		if i := m.proposer; i != m.self && members[i].Life != 0 && m.detector.Up(i) {
			m.probe(ProbeProposedByPeer)
			m.send(i, m.latest(), &wire.Propose{Entry: view.AppendEntry(nil, entry)})
			return
		}
	}
}

// receivePropose proposes an entry for a member.
func (m *Machine) receivePropose(p *wire.Propose) {
	r := codec.NewReader(p.Entry)
	if view.ReadEntry(&r); r.Close() != nil {
		m.probe(ProbeForeignMessage)
		return
	}
	m.raft.Propose(p.Entry)
}
