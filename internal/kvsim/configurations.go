package kvsim

import (
	"fmt"
	"slices"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/netsim"
)

// Situations of the configuration, met by the first node that puts it in force: mostly the leader of the
// log.
const (
	ProbeEpoch           = "configuration.epoch_begins"
	ProbeReshardStarted  = "reshard.started"
	ProbeReshardSwitched = "reshard.switched"
	ProbeReshardAborted  = "reshard.aborted"
	ProbeReshardPending  = "reshard.with_unretired"
	ProbeMemberJoined    = "view.member_joined"
	ProbeMemberLeft      = "view.member_left"
	ProbeLearns          = "assignment.learns"
	ProbeServes          = "assignment.serves"
	ProbeRetired         = "rid.retired"
	ProbeKilled          = "rid.killed"
	ProbeKilledSealed    = "kill.sealed_rid"
	ProbeRoundComplete   = "rid.final_of_the_dead"
	ProbeFinalLowered    = "final.lowered_again"
	ProbeFinalBelow      = "rid.writes_lost"
	ProbeLeads           = "log.leads"
)

// situations lists those that faults wait for.
func situations() []string {
	return []string{
		ProbeEpoch, ProbeReshardStarted, ProbeReshardSwitched, ProbeReshardAborted, ProbeMemberJoined, ProbeMemberLeft,
		ProbeLearns, ProbeServes, ProbeRetired, ProbeKilled, ProbeRoundComplete, ProbeLeads,
	}
}

// version is a configuration that a server has put in force.
type version struct {
	index, epoch    uint64
	content, owners uint64 // hashes
}

// sameEverywhere notes a configuration that a server has put in force. The error says where two differ that
// should not: those of one index are the same, those of one epoch have the same members and owners.
func (g *ghost) sameEverywhere(c *view.Configuration, scratch []byte) ([]byte, error) {
	scratch = view.AppendConfiguration(scratch[:0], c)
	v := version{index: c.Index, epoch: c.Epoch, content: hash(scratch)}
	scratch = appendOwners(scratch[:0], c)
	v.owners = hash(scratch)
	at, known := slices.BinarySearchFunc(g.versions, v.index, func(v version, index uint64) int {
		return int(int64(v.index) - int64(index))
	})
	if known {
		if g.versions[at] != v {
			return scratch, fmt.Errorf("there are two configurations of index %d", v.index)
		}
		return scratch, nil
	}
	for _, neighbour := range []int{at - 1, at} {
		if neighbour < 0 || neighbour >= len(g.versions) {
			continue
		}
		n := g.versions[neighbour]
		switch {
		case n.epoch == v.epoch && n.owners != v.owners:
			return scratch, fmt.Errorf("the configurations of index %d and %d, both of epoch %d, have different owners", n.index, v.index, v.epoch)
		case n.index < v.index && n.epoch > v.epoch, n.index > v.index && n.epoch < v.epoch:
			return scratch, fmt.Errorf("the epoch of index %d is %d, that of index %d is %d", n.index, n.epoch, v.index, v.epoch)
		}
	}
	g.versions = slices.Insert(g.versions, at, v)
	return scratch, nil
}

// appendOwners appends who belongs to the store and who owns what.
func appendOwners(buf []byte, c *view.Configuration) []byte {
	for i := range c.Members {
		m := &c.Members[i]
		buf = codec.AppendString(buf, m.Address)
		buf = codec.AppendFixed64(buf, uint64(m.Life))
		buf = codec.AppendBool(buf, m.Leaving)
	}
	for slot := range shard.Slot(shard.Slots) {
		buf = codec.AppendUint(buf, uint64(c.Layout.Owner(slot)))
	}
	for i := range c.Assignments {
		a := &c.Assignments[i]
		buf = codec.AppendUint(buf, uint64(a.Replica))
		buf = codec.AppendFixed64(buf, uint64(a.Life))
		buf = shard.AppendSet(buf, &a.Slots)
		buf = codec.AppendBool(buf, a.Stage == view.Serving)
		buf = codec.AppendBool(buf, a.Stage == view.Closed)
	}
	return buf
}

// hash is FNV-1a.
func hash(data []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, b := range data {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}

// adopts judges a configuration that a server has put in force, and notes it.
func (r *run) adopts(s *server, c *view.Configuration, outbox *netsim.Outbox[Packet]) {
	g := &r.ghost
	before := g.newest
	if err := g.adopted(s.index, c); err != nil {
		r.fail("replica.has_one_life", err.Error())
		return
	}
	if c.Cluster != g.cluster {
		return // form.one_founding says so
	}
	var err error
	if r.hashScratch, err = g.sameEverywhere(c, r.hashScratch); err != nil {
		r.fail("configuration.is_the_same_everywhere", err.Error())
		return
	}
	if g.newest != c || before == nil || before.Cluster != c.Cluster { // founded, if need be a second time
		return
	}
	g.noteFinals(c)
	r.noteRetiredDead(before, c)
	if len(c.Ended) != len(before.Ended) {
		r.noteDestroyed()
	}
	g.observe(before, c)
	r.meet(before, c, outbox)
	r.judge(atChange, observation{server: s, before: before})
	for i := range r.removing {
		r.removing[i] = r.removing[i] && c.MemberAt(r.names[i]) >= 0
	}
}

// meet tells the world which situations a new configuration is.
func (r *run) meet(before, now *view.Configuration, outbox *netsim.Outbox[Packet]) {
	when := func(met bool, probe string) {
		if met {
			r.metWhileDown(probe)
			outbox.Probe(probe)
		}
	}
	when(now.Epoch != before.Epoch, ProbeEpoch)
	started := now.Reshard.Started != before.Reshard.Started
	phase := started || now.Reshard.Phase != before.Reshard.Phase
	when(started, ProbeReshardStarted)
	when(started && slices.ContainsFunc(before.Assignments, func(a view.Assignment) bool { return a.Stage == view.Closed }), ProbeReshardPending)
	when(phase && now.Reshard.Phase == view.Switched, ProbeReshardSwitched)
	when(phase && now.Reshard.Phase == view.Aborted, ProbeReshardAborted)
	when(len(now.Members) > len(before.Members), ProbeMemberJoined)
	when(len(now.Members) < len(before.Members), ProbeMemberLeft)
	when(len(now.Retirements) > len(before.Retirements), ProbeRetired)
	var learns, serves, killed, sealed, complete, below bool
	for i := range now.Assignments {
		a := &now.Assignments[i]
		was := before.Assignment(a.Replica)
		if was == nil {
			was = &view.Assignment{Stage: view.Closed + 1}
		}
		learns = learns || a.Stage == view.Learning && was.Stage != view.Learning
		serves = serves || a.Stage == view.Serving && was.Stage != view.Serving
		killed = killed || a.Dead && !was.Dead
		sealed = sealed || a.Dead && !was.Dead && was.Stage == view.Closed
		if a.Dead && a.Fixed && !was.Fixed {
			complete = true
			below = below || r.someLost(a)
		}
	}
	when(learns, ProbeLearns)
	when(serves, ProbeServes)
	when(killed, ProbeKilled)
	when(sealed, ProbeKilledSealed)
	when(complete, ProbeRoundComplete)
	when(below, ProbeFinalBelow)
	when(r.ghost.lowered, ProbeFinalLowered)
	r.ghost.lowered = false
}

// someLost tells whether writes of a dead replica do not count.
func (r *run) someLost(a *view.Assignment) bool {
	for seq := uint64(1); seq <= r.ghost.made(a.Replica); seq++ {
		if r.ghost.lost(causal.Dot{Replica: a.Replica, Seq: seq}) {
			return true
		}
	}
	return false
}

// noteFinals notes what a configuration says of the writes of dead replicas.
func (g *ghost) noteFinals(c *view.Configuration) {
	for i := range c.Assignments {
		a := &c.Assignments[i]
		if !a.Dead || !a.Fixed {
			continue
		}
		of := &g.replicas[a.Replica]
		if of.fixed && !slices.Equal(of.finals, a.Finals) {
			g.lowered = true
		}
		of.fixed, of.finals = true, a.Finals
	}
}

// noteRetiredDead notes what counts of the writes of dead replicas that have retired, for those where it was
// settled and acted on at once, so that no configuration says it: what the members held.
func (r *run) noteRetiredDead(before, now *view.Configuration) {
	for i := range before.Assignments {
		id := before.Assignments[i].Replica
		of := r.ghost.replica(id)
		if of.fixed || now.Assignment(id) != nil || !now.HasEnded(of.life) {
			continue
		}
		of.fixed, of.finals = true, []view.Extent{{Slots: shard.All(), Seq: r.ghost.made(id)}}
		for seq := uint64(1); seq <= r.ghost.made(id); seq++ {
			dot := causal.Dot{Replica: id, Seq: seq}
			w := r.ghost.lookup(dot)
			w.destroyed = w.destroyed || !slices.ContainsFunc(r.servers, func(s *server) bool {
				return s != nil && now.MemberOf(s.life) >= 0 && !s.wiped() && s.have.At(w.slot).Covers(dot)
			})
		}
	}
}

// lost tells whether a write counts no more: the store has found out that nobody who is left holds it, or
// the world has destroyed every copy.
func (g *ghost) lost(dot causal.Dot) bool {
	w := g.lookup(dot)
	if w == nil || w.destroyed {
		return w != nil
	}
	of := g.replica(dot.Replica)
	if of == nil || !of.fixed {
		return false
	}
	for i := range of.finals {
		if of.finals[i].Slots.Has(w.slot) {
			return dot.Seq > of.finals[i].Seq
		}
	}
	return true
}

// noteDestroyed marks the writes of which no durable copy is left. It is called when a memory has been
// lost: by a fault, or because its node was deleted.
func (r *run) noteDestroyed() {
	for id := range r.ghost.writes {
		for i := range r.ghost.writes[id] {
			w := &r.ghost.writes[id][i]
			dot := causal.Dot{Replica: causal.ReplicaID(id), Seq: uint64(i + 1)}
			w.destroyed = w.destroyed || !slices.ContainsFunc(r.servers, func(s *server) bool { return r.survives(s, w, dot) })
		}
	}
}

// survives tells whether a server surely holds a write, or what beats it, for as long as it lives.
func (r *run) survives(s *server, w *write, dot causal.Dot) bool {
	if s == nil || r.dead(s.index) || r.ghost.newest == nil || r.ghost.newest.HasEnded(s.life) || !r.keepsSlot(s, w.slot) {
		return false
	}
	if s.synced.At(w.slot).Covers(dot) {
		return true
	}
	if of := r.ghost.replica(dot.Replica); of != nil && of.life == s.life && r.world.Up(s.id()) && s.machine.Have().At(w.slot).Covers(dot) {
		return true // just made: if a crash takes it, nobody has seen it
	}
	c := s.syncedUnder
	if c == nil || dot.Replica >= c.NextReplica || c.Assignment(dot.Replica) != nil {
		return false
	}
	// It has retired: whoever is ready has it all. Of what is closed nobody can tell whether it ever was.
	for _, a := range c.AssignmentsOf(s.life) {
		if a.Slots.Has(w.slot) && (a.Stage == view.Serving || a.Stage == view.Prepared) {
			return true
		}
	}
	return false
}

// keepsSlot tells whether a server goes on holding a slot when it learns of the newest configuration. What has retired
// there it gives up, though it does not know yet: who serves the slot has said that it has all of it, and may have
// lost its memory since.
func (r *run) keepsSlot(s *server, slot shard.Slot) bool {
	return s.adopted != nil && slices.ContainsFunc(r.ghost.newest.AssignmentsOf(s.life), func(a *view.Assignment) bool {
		return a.Slots.Has(slot) && s.adopted.Assignment(a.Replica) != nil
	})
}
