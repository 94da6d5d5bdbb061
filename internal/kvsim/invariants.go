package kvsim

import (
	"fmt"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/view"
)

// observation is what an invariant looks at: which fields are set depends on the moment.
type observation struct {
	server   *server
	before   *view.Configuration // changes: the newest configuration before
	full     bool                // steps: the machine was told that its disk is full
	position core.Position       // steps: where the disk put the records, or the last one if there are none
	accepted core.Accepted       // mints
	minted   write               // mints

	response *core.Response // replies and answers
	number   int32          // replies and answers: the operation
	token    causal.Context // answers: what its token means
}

// invariant is something that must hold at certain moments of every run, whatever happens.
type invariant struct {
	name  string
	check func(r *run, o *observation) error
	// goesOn: a breach is noted, but does not stop the run.
	goesOn bool
	// atRest: it is not owed where a change of the configuration cannot end, see unfinished.
	atRest bool
}

// moment says when invariants are judged.
type moment uint8

const (
	atBoot     moment = iota // a process was made from what its disk kept
	atRestored               // it made its first step
	atStep                   // a machine made a step
	atChange                 // a configuration was put in force that is newer than all before
	atCover                  // a step changed what a machine covers
	atMint                   // a write got its dot
	atSend                   // a machine sends messages
	atReply                  // a machine answers a client
	atAnswer                 // a client gets that answer while it waits for it
	moments
)

// invariants lists them by moment. Each judges only the node that the event touched.
func invariants() [moments][]invariant {
	return [moments][]invariant{
		atBoot: {
			{name: "crash.keeps_its_life", check: keepsItsLife},
		},
		atRestored: {
			{name: "crash.keeps_what_was_shown", check: keepsWhatWasShown},
			{name: "crash.keeps_what_was_answered", check: keepsWhatWasAnswered},
		},
		atStep: {
			{name: "log.positions_coincide", check: positionsCoincide},
			{name: "log.waits_for_what_exists", check: waitsForWhatExists},
			{name: "disk.full_writes_nothing", check: fullWritesNothing},
			{name: "wait.is_bounded", check: waitIsBounded},
			{name: "form.one_founding", check: oneFounding},
		},
		atCover: {
			{name: "have.never_falls", check: haveNeverFalls},
			{name: "have.is_applied", check: haveIsApplied},
			{name: "have.own_is_last_write", check: haveOwnIsLastWrite},
			{name: "have.within_finals", check: haveWithinFinals},
		},
		atChange: {
			{name: "final.is_the_last_write", check: finalIsLastWrite},
			{name: "final.counts_all_copies", check: finalCountsAllCopies},
			{name: "serving.holds_what_retired", check: servingHoldsRetired},
		},
		atMint: {
			{name: "dot.belongs_to_its_minter", check: dotBelongsToItsMinter},
			{name: "dot.is_an_owners", check: dotIsAnOwners},
			{name: "dot.follows_a_request", check: dotFollowsRequest},
			{name: "forward.runs_once", check: forwardRunsOnce},
			{name: "refusal.is_final", check: refusalIsFinal},
			{name: "clock.above_its_past", check: clockAboveItsPast},
			{name: "write.replaces_what_was_there", check: writeReplaces},
		},
		atSend: {
			{name: "order.message_waits_for_what_it_tells", check: messagesWait},
		},
		atReply: {
			{name: "reply.answers_an_open_request", check: replyAnswersOpenRequest},
			{name: "reply.is_for_clients", check: replyIsForClients},
			{name: "order.answer_waits_for_what_it_tells", check: answerWaits},
		},
		atAnswer: {
			{name: "answer.accepts_honest_tokens", check: acceptsHonestTokens},
			{name: "answer.tells_the_truth", check: tellsTheTruth},
			{name: "answer.refused_did_not_run", check: refusedDidNotRun},
			{name: "token.is_request_and_version", check: tokenIsRequestAndVersion},
			{name: "read.follows_its_token", check: readFollowsToken, goesOn: true},
		},
	}
}

// keepsWhatWasShown: state that anybody saw outlives a crash.
func keepsWhatWasShown(r *run, o *observation) error {
	s, g := o.server, &r.ghost
	if g.newest != nil && g.newest.HasEnded(s.life) {
		return nil // the store has given up what it held
	}
	c, have := s.machine.Configuration(), s.machine.Have()
	if err := keeps(s.machine, g.shown[s.index], have); err != nil {
		return fmt.Errorf("after its crash %s covers %s, but it had shown that it covers %s: %w", r.names[s.index], inWords(have), inWords(g.shown[s.index]), err)
	}
	for id := range g.replicas {
		of, own := &g.replicas[id], causal.ReplicaID(id)
		if of.life != s.machine.Life() || of.shown == 0 || c != nil && own < c.NextReplica && c.Assignment(own) == nil {
			continue // another's, or it has retired
		}
		if c == nil || c.Assignment(own) == nil {
			return fmt.Errorf("after its crash %s knows nothing of replica id %d, under which it wrote", r.names[s.index], id)
		}
		if has, held := leastOf(have, c.Assignment(own)); held && has < of.shown {
			return fmt.Errorf("after its crash %s has %s of its own replica id %d, but it had shown %d", r.names[s.index], counted(int(has), "write"), id, of.shown)
		}
	}
	return nil
}

// keepsWhatWasAnswered: so does a version that a client was told of.
func keepsWhatWasAnswered(r *run, o *observation) error {
	s := o.server
	for _, dot := range r.ghost.answers[s.index] {
		w := r.ghost.lookup(dot)
		if w == nil || s.machine.Have().At(w.slot) == nil && !holds(s.machine, w.slot) {
			continue // said elsewhere; or it is in charge of other slots now
		}
		if v := s.machine.Lookup(w.key); v == nil || orderOf(v).compare(w.order) < 0 {
			return fmt.Errorf("after its crash %s does not have %s, a write of %s that it had answered with", r.names[s.index], dot, w.key)
		}
	}
	return nil
}

// keepsItsLife: a restart with the disk is the same life, once that life was seen.
func keepsItsLife(r *run, o *observation) error {
	old, life := r.ghost.lives[o.server.index], o.server.machine.Life()
	if old == life || !r.ghost.lifeShown[o.server.index] {
		return nil
	}
	return fmt.Errorf("%s was life %s and restarts as life %s", r.names[o.server.index], old, life)
}

// positionsCoincide: the machine counts its changes as the disk counts its records.
func positionsCoincide(r *run, o *observation) error {
	if o.position == r.output.Position {
		return nil
	}
	return fmt.Errorf("the machine of %s is at position %d, its disk at %d", r.names[o.server.index], r.output.Position, o.position)
}

// waitsForWhatExists: an output that waits for a later position would wait for ever.
func waitsForWhatExists(r *run, o *observation) error {
	for i := range r.output.Sends {
		if after := r.output.Sends[i].After; after > r.output.Position {
			return fmt.Errorf("a message of %s waits for position %d, its log ends at %d", r.names[o.server.index], after, r.output.Position)
		}
	}
	for i := range r.output.Replies {
		if after := r.output.Replies[i].After; after > r.output.Position {
			return fmt.Errorf("a reply of %s waits for position %d, its log ends at %d", r.names[o.server.index], after, r.output.Position)
		}
	}
	return nil
}

// fullWritesNothing: who was told that the disk is full puts nothing on record.
func fullWritesNothing(r *run, o *observation) error {
	if !o.full || len(r.output.Records) == 0 {
		return nil
	}
	return fmt.Errorf("%s was told that its disk is full and puts %s on record, the first with key %q", r.names[o.server.index],
		counted(len(r.output.Records), "record"), r.output.Records[0].Key)
}

// waitIsBounded: what waits stays within the limit of the configuration.
func waitIsBounded(r *run, o *observation) error {
	if waiting := o.server.machine.Waiting(); waiting > r.waitLimit {
		return fmt.Errorf("waiting at %s: %s, the limit is %d", r.names[o.server.index], counted(waiting, "request"), r.waitLimit)
	}
	return nil
}

// oneFounding: the store forms once, and whoever belongs to it belongs to the same one for ever.
func oneFounding(r *run, o *observation) error {
	c := o.server.machine.Configuration()
	if c != nil && r.ghost.cluster != c.Cluster {
		return fmt.Errorf("%s formed the store %016x, others formed %016x", r.names[o.server.index], c.Cluster, r.ghost.cluster)
	}
	return nil
}

// haveNeverFalls: within a boot, what is covered stays covered, as long as it counts.
func haveNeverFalls(r *run, o *observation) error {
	have := o.server.machine.Have()
	if o.server.machine.Configuration() == nil {
		return nil // its life has ended
	}
	if err := keeps(o.server.machine, o.server.have, have); err != nil {
		return fmt.Errorf("%s covered %s and now covers %s: %w", r.names[o.server.index], inWords(o.server.have), inWords(have), err)
	}
	return nil
}

// haveIsApplied: of every write newly covered, the node holds the version, or one that beats it.
func haveIsApplied(r *run, o *observation) error {
	s := o.server
	have := s.machine.Have()
	for i := range have {
		for _, dot := range have[i].Vector {
			from := leastBefore(s.have, &have[i].Slots, dot.Replica)
			if err := r.isApplied(s, &have[i].Slots, from, dot); err != nil {
				return err
			}
		}
	}
	return nil
}

// isApplied judges the writes of a replica beyond from up to a dot that fall into some slots.
func (r *run) isApplied(s *server, slots *shard.Set, from uint64, dot causal.Dot) error {
	for seq := from + 1; seq <= dot.Seq; seq++ {
		covered := causal.Dot{Replica: dot.Replica, Seq: seq}
		w := r.ghost.lookup(covered)
		switch {
		case w == nil:
			return fmt.Errorf("%s covers %s, which nobody wrote", r.names[s.index], covered)
		case !slots.Has(w.slot) || s.have.At(w.slot).Covers(covered):
			continue
		}
		v := s.machine.Lookup(w.key)
		switch {
		case v == nil:
			return fmt.Errorf("%s covers %s, a write of %s, but holds nothing for that key", r.names[s.index], covered, w.key)
		case orderOf(v).compare(w.order) < 0:
			return fmt.Errorf("%s covers %s, a write of %s, but holds the older %s", r.names[s.index], covered, w.key, v.Dot)
		}
	}
	return nil
}

// haveOwnIsLastWrite: a node covers exactly its own writes, in every slot that it made them for.
func haveOwnIsLastWrite(r *run, o *observation) error {
	m := o.server.machine
	c, have := m.Configuration(), m.Have()
	if c == nil || r.ghost.newest.HasEnded(m.Life()) {
		return nil // the store has given up what it held
	}
	for i := range c.Assignments {
		a := &c.Assignments[i]
		if a.Life != m.Life() {
			continue
		}
		minted := r.ghost.made(a.Replica)
		for j := range have {
			if own := have[j].Vector.Get(a.Replica); have[j].Slots.Intersects(&a.Slots) && own != minted {
				return fmt.Errorf("%s covers %d of the %s that it made as replica %d", r.names[o.server.index], own, counted(int(minted), "write"), a.Replica)
			}
		}
	}
	return nil
}

// dotBelongsToItsMinter: nobody writes in another's name.
func dotBelongsToItsMinter(r *run, o *observation) error {
	life := o.server.machine.Life()
	if of := r.ghost.replica(o.accepted.Dot.Replica); of == nil || of.life != life {
		return fmt.Errorf("%s, life %s, made the write %s under a replica id that is not its own", r.names[o.server.index], life, o.accepted.Dot)
	}
	return nil
}

// dotFollowsRequest: a write has a client that asked for it, at the node that says so.
func dotFollowsRequest(r *run, o *observation) error {
	number := int(o.accepted.Request) - 1
	switch {
	case number < 0 || number >= len(r.plan):
		return fmt.Errorf("the write %s comes from a request, number %d, that nobody made", o.accepted.Dot, o.accepted.Request)
	case !r.fates[number].delivered || !r.plan[number].Op.Writes():
		return fmt.Errorf("the write %s comes from %s, which is no write that was delivered", o.accepted.Dot, r.plan[number].name())
	case r.fates[number].life != o.accepted.Life:
		return fmt.Errorf("the write %s comes from %s as asked of life %s, but it was asked of life %s", o.accepted.Dot, r.plan[number].name(),
			o.accepted.Life, r.fates[number].life)
	}
	return nil
}

// forwardRunsOnce: a request becomes one write at most.
func forwardRunsOnce(r *run, o *observation) error {
	if first := r.ghost.dotOf[o.accepted.Request-1]; first != (causal.Dot{}) {
		return fmt.Errorf("%s is executed twice: as the write %s and as the write %s", r.plan[o.accepted.Request-1].name(), first, o.accepted.Dot)
	}
	return nil
}

// refusalIsFinal: what a client was told would not happen does not happen later.
func refusalIsFinal(r *run, o *observation) error {
	if r.fates[o.accepted.Request-1].ending == refused {
		return fmt.Errorf("%s was refused and becomes the write %s all the same", r.plan[o.accepted.Request-1].name(), o.accepted.Dot)
	}
	return nil
}

// clockAboveItsPast: hybrid time grows along causality.
func clockAboveItsPast(r *run, o *observation) error {
	dot, context := o.minted.order.dot, &o.minted.context
	if context.IsZero() {
		return nil // overwritten within its own step and not sent anywhere
	}
	need := &r.fates[o.accepted.Request-1].need
	if context.Clock <= need.Clock {
		return fmt.Errorf("the write %s is stamped %s, not above its token's %s", dot, context.Clock, need.Clock)
	}
	for _, past := range need.Vector {
		if !context.Vector.Covers(past) && !r.ghost.newest.Retired(past.Replica, context.Epoch) {
			return fmt.Errorf("the write %s is said to follow %s, the token of its request covers %s", dot, context.Vector, need.Vector)
		}
	}
	for _, past := range context.Vector {
		if past == dot {
			continue
		}
		w := r.ghost.lookup(past)
		if w == nil {
			return fmt.Errorf("the write %s is said to follow %s, which nobody wrote", dot, past)
		}
		if context.Clock <= w.order.clock {
			return fmt.Errorf("%s is stamped %s, not above %s, which it follows and which is stamped %s",
				dot, context.Clock, past, w.order.clock)
		}
	}
	return nil
}

// writeReplaces: a node's own write beats all that the node holds, so the key has it, or a later one, or
// what came in the rest of the step.
func writeReplaces(r *run, o *observation) error {
	dot := o.accepted.Dot
	v := o.server.machine.Lookup(o.minted.key)
	switch {
	case v == nil:
		return fmt.Errorf("%s writes %s as %s, but holds nothing there", r.names[o.server.index], o.minted.key, dot)
	case v.Dot.Replica == dot.Replica && v.Dot.Seq >= dot.Seq, v.Dot.Replica != dot.Replica && !o.server.have.At(shard.SlotOf(v.Key)).Covers(v.Dot):
		return nil
	}
	return fmt.Errorf("%s writes %s as %s, but goes on with %s", r.names[o.server.index], o.minted.key, dot, v.Dot)
}
