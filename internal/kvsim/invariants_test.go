package kvsim

import (
	"testing"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// breach falsifies what an invariant looks at, at a moment of a real run where the invariant holds. It
// returns how to take that back, nil where the moment does not suit it.
type breach func(r *run, o *observation) (undo func())

// replace sets a variable and returns how to restore it.
func replace[T any](place *T, value T) (undo func()) {
	old := *place
	*place = value
	return func() { *place = old }
}

// beyond is a vector that covers one more write of a replica.
func beyond(v causal.Vector, replica causal.ReplicaID) causal.Vector {
	return v.Clone().Raise(causal.Dot{Replica: replica, Seq: v.Get(replica) + 1})
}

// more is what a machine has and one more write of a replica that is assigned some of the slots.
func more(o *observation) causal.Coverage {
	c := o.server.machine.Have().Clone()
	for i := range c {
		for _, shard := range o.server.machine.Configuration().Shards {
			if shard.Slots.Intersects(&c[i].Slots) {
				c[i].Vector = beyond(c[i].Vector, shard.Replicas[0])
			}
		}
	}
	return c
}

// fresh finds a dot that a step newly covers.
func fresh(r *run, o *observation) (causal.Dot, bool) {
	for _, p := range o.server.machine.Have() {
		for _, dot := range p.Vector {
			if w := r.ghost.lookup(dot); w != nil && p.Slots.Has(w.slot) && !o.server.have.At(w.slot).Covers(dot) {
				return dot, true
			}
		}
	}
	return causal.Dot{}, false
}

// sent finds a message of a kind among those of a step, which waits for more than what is durable; nil for none.
func sent[B wire.Body](r *run, durable int) *core.Send {
	for i := range r.output.Sends {
		if _, ok := r.output.Sends[i].Message.Body.(B); ok && int(r.output.Sends[i].After) > durable {
			return &r.output.Sends[i]
		}
	}
	return nil
}

// early lets a message of a kind leave at once.
func early[B wire.Body](r *run, o *observation) (undo func()) {
	if send := sent[B](r, int(o.server.durable)); send != nil {
		return replace(&send.After, 0)
	}
	return nil
}

// anyWrite finds a write that a machine holds.
func anyWrite(r *run, o *observation) (dot causal.Dot, ok bool) {
	for _, p := range o.server.machine.Have() {
		for _, last := range p.Vector {
			if w := r.ghost.lookup(last); w != nil && p.Slots.Has(w.slot) {
				return last, true
			}
		}
	}
	return causal.Dot{}, false
}

// breaches has at least one breach for every way in which an invariant can fail.
func breaches() map[string][]breach {
	return map[string][]breach{
		"crash.keeps_what_was_shown": {func(r *run, o *observation) func() {
			if o.server.adopted == nil {
				return nil
			}
			return replace(&r.ghost.shown[o.server.index], more(o))
		}, func(r *run, o *observation) func() {
			own := o.server.machine.Replica()
			if own == 0 {
				return nil
			}
			return replace(&r.ghost.replicas[own].shown, r.ghost.made(own)+1)
		}},
		"crash.keeps_what_was_answered": {func(r *run, o *observation) func() {
			dot, ok := anyWrite(r, o)
			if !ok {
				return nil
			}
			undo := replace(&r.ghost.lookup(dot).order.clock, 1<<62)
			r.ghost.answers[o.server.index] = append(r.ghost.answers[o.server.index], dot)
			return func() {
				undo()
				r.ghost.answers[o.server.index] = r.ghost.answers[o.server.index][:len(r.ghost.answers[o.server.index])-1]
			}
		}},
		"crash.keeps_its_life": {func(r *run, o *observation) func() {
			if !r.ghost.lifeShown[o.server.index] {
				return nil
			}
			return replace(&r.ghost.lives[o.server.index], o.server.machine.Life()+1)
		}},
		"log.positions_coincide": {func(_ *run, o *observation) func() {
			return replace(&o.position, o.position+1)
		}},
		"log.waits_for_what_exists": {func(r *run, _ *observation) func() {
			if len(r.output.Sends) == 0 {
				return nil
			}
			return replace(&r.output.Sends[len(r.output.Sends)-1].After, r.output.Position+1)
		}, func(r *run, _ *observation) func() {
			if len(r.output.Replies) == 0 {
				return nil
			}
			return replace(&r.output.Replies[0].After, r.output.Position+1)
		}},
		"order.answer_waits_for_what_it_tells": {func(_ *run, o *observation) func() {
			if o.response.After <= o.server.durable || o.response.Dot == (causal.Dot{}) {
				return nil
			}
			return replace(&o.response.After, 0)
		}, func(r *run, o *observation) func() {
			if r.plan[o.number].Op != wire.OpKeyCount || r.fates[o.number].forwarded || o.response.After == 0 {
				return nil
			}
			return replace(&o.response.After, 0)
		}},
		"order.message_waits_for_what_it_tells": {
			early[*wire.Batch], early[*wire.State], early[*wire.Pledge], early[*wire.Hello], early[*wire.Raft],
			early[*wire.Configuration], early[*wire.Reply], early[*wire.Forward],
			func(r *run, o *observation) func() {
				if b := sent[*wire.Heartbeat](r, -1); b != nil && o.server.machine.Configuration() != nil {
					body := b.Message.Body.(*wire.Heartbeat)
					return replace(&body.Have, more(o))
				}
				return nil
			},
			func(r *run, _ *observation) func() {
				if b := sent[*wire.Forward](r, -1); b != nil {
					return replace(&b.Message.Body.(*wire.Forward).Counter, 1<<40)
				}
				return nil
			},
		},
		"disk.full_writes_nothing": {func(r *run, o *observation) func() {
			if len(r.output.Records) == 0 {
				return nil
			}
			return replace(&o.full, true)
		}},
		"wait.is_bounded": {func(r *run, _ *observation) func() { return replace(&r.waitLimit, -1) }},
		"form.one_founding": {func(r *run, o *observation) func() {
			if o.server.adopted == nil {
				return nil
			}
			return replace(&r.ghost.cluster, r.ghost.cluster+1)
		}},
		"have.never_falls": {func(_ *run, o *observation) func() {
			return replace(&o.server.have, more(o))
		}},
		"have.is_applied":        coverBreaches(),
		"have.own_is_last_write": {anotherOwnWrite},
		"dot.belongs_to_its_minter": {func(_ *run, o *observation) func() {
			return replace(&o.accepted.Dot.Replica, o.accepted.Dot.Replica+1)
		}},
		"dot.is_an_owners": {func(_ *run, o *observation) func() {
			for slot := range shard.Slot(shard.Slots) {
				if held := o.server.machine.Have().Slots(); !held.Has(slot) {
					return replace(&o.minted.slot, slot)
				}
			}
			return nil
		}},
		"have.within_finals":         {lessCounts},
		"final.is_the_last_write":    finalBreaches(),
		"final.counts_all_copies":    {lessCounted},
		"serving.holds_what_retired": {retiredLater},
		"dot.follows_a_request": {func(_ *run, o *observation) func() {
			return replace(&o.accepted.Request, 0)
		}, func(_ *run, o *observation) func() {
			return replace(&o.accepted.Life, o.accepted.Life+1)
		}, func(r *run, o *observation) func() {
			return replace(&r.fates[o.accepted.Request-1].delivered, false)
		}, func(r *run, o *observation) func() {
			return replace(&r.plan[o.accepted.Request-1].Op, wire.OpGet)
		}},
		"forward.runs_once": {func(r *run, o *observation) func() {
			return replace(&r.ghost.dotOf[o.accepted.Request-1], causal.Dot{Replica: 1, Seq: 1})
		}},
		"refusal.is_final": {func(r *run, o *observation) func() {
			return replace(&r.fates[o.accepted.Request-1].ending, refused)
		}},
		"clock.above_its_past": clockBreaches(),
		"write.replaces_what_was_there": {func(_ *run, o *observation) func() {
			return replace(&o.minted.key, "a key that nobody wrote")
		}, func(_ *run, o *observation) func() {
			return replace(&o.accepted.Dot.Seq, o.accepted.Dot.Seq+100)
		}},
		"reply.answers_an_open_request": {func(r *run, o *observation) func() {
			return replace(&r.fates[o.number].replies, 1)
		}, func(r *run, o *observation) func() {
			return replace(&r.fates[o.number].server, o.server.index+1)
		}, func(_ *run, o *observation) func() {
			return replace(&o.response.ID, 1<<40)
		}},
		"reply.is_for_clients": {func(_ *run, o *observation) func() {
			return replace(&o.response.Status, wire.StatusWaiting)
		}, func(_ *run, o *observation) func() {
			return replace(&o.response.Status, wire.StatusUncovered)
		}},
		"answer.accepts_honest_tokens": {func(_ *run, o *observation) func() {
			return replace(&o.response.Status, wire.StatusBadToken)
		}},
		"answer.tells_the_truth": truthBreaches(),
		"answer.refused_did_not_run": {func(r *run, o *observation) func() {
			if r.ghost.dotOf[o.number] == (causal.Dot{}) {
				return nil
			}
			return replace(&r.fates[o.number].ending, refused)
		}},
		"token.is_request_and_version": tokenBreaches(),
		"read.follows_its_token": {func(r *run, o *observation) func() {
			read := o.response.Status == wire.StatusFound || o.response.Status == wire.StatusNotFound
			if !read || r.isAudit(o.number) || r.ghost.latest(r.keyIndex(r.plan[o.number].Key), r.fates[o.number].need.Vector) == nil {
				return nil
			}
			return replace(&o.response.Clock, 0)
		}},
	}
}

// lessCounts makes the writes of a dead replica that somebody covers count no more.
func lessCounts(_ *run, o *observation) func() {
	c := o.server.machine.Configuration()
	if c == nil {
		return nil
	}
	for i := range c.Assignments {
		a := &c.Assignments[i]
		for _, p := range o.server.machine.Have() {
			if a.Dead && a.Fixed && p.Slots.Intersects(&a.Slots) && p.Vector.Get(a.Replica) > 0 {
				return replace(&a.Finals, nil)
			}
		}
	}
	return nil
}

// settled finds the assignments of which it is known since the last change what counts.
func settled(r *run, o *observation, dead bool) (list []*view.Assignment) {
	for i := range r.ghost.newest.Assignments {
		a := &r.ghost.newest.Assignments[i]
		was := o.before.Assignment(a.Replica)
		if a.Stage == view.Closed && a.Fixed && a.Dead == dead && (was == nil || !was.Fixed) {
			list = append(list, a)
		}
	}
	return list
}

func finalBreaches() []breach {
	return []breach{
		func(r *run, o *observation) func() { // it wrote once more
			for _, a := range settled(r, o, false) {
				if int(a.Replica) < len(r.ghost.writes) { // else nobody has written under it yet
					return replace(&r.ghost.writes[a.Replica], append(r.ghost.writes[a.Replica], write{}))
				}
			}
			return nil
		},
		func(r *run, o *observation) func() { // what is left of a dead one is more than it wrote
			for _, a := range settled(r, o, true) {
				if len(a.Finals) > 0 {
					return replace(&a.Finals[0].Seq, r.ghost.made(a.Replica)+1)
				}
			}
			return nil
		},
	}
}

// lessCounted forgets the last write of a dead replica that is held.
func lessCounted(r *run, o *observation) func() {
	for _, a := range settled(r, o, true) {
		for k := range a.Finals {
			return replace(&a.Finals[k].Seq, a.Finals[k].Seq-1)
		}
	}
	return nil
}

// retiredLater puts something into the past of an owner that it has never seen.
func retiredLater(r *run, o *observation) func() {
	c := r.ghost.newest
	if c.Epoch == o.before.Epoch || len(c.Retirements) == len(o.before.Retirements) {
		return nil
	}
	for _, retired := range c.Retirements {
		for seq := uint64(1); seq <= r.ghost.made(retired.Replica); seq++ {
			dot := causal.Dot{Replica: retired.Replica, Seq: seq}
			w := r.ghost.lookup(dot)
			for i := range c.Assignments {
				a := &c.Assignments[i]
				s := r.servers[r.ghost.serverOf(a.Life)]
				if a.Stage == view.Serving && a.Slots.Has(w.slot) && !r.ghost.lost(dot) && s.life == a.Life && !s.wiped() {
					return replace(&w.order.clock, 1<<62)
				}
			}
		}
	}
	return nil
}

func coverBreaches() []breach {
	return []breach{
		func(r *run, o *observation) func() { // what was covered is not what beats it
			dot, ok := fresh(r, o)
			if !ok {
				return nil
			}
			return replace(&r.ghost.lookup(dot).order.clock, 1<<62)
		},
		func(r *run, o *observation) func() { // the key holds nothing
			dot, ok := fresh(r, o)
			if !ok {
				return nil
			}
			return replace(&r.ghost.lookup(dot).key, "unwritten")
		},
		func(r *run, o *observation) func() { // nobody wrote it
			dot, ok := fresh(r, o)
			if !ok {
				return nil
			}
			return replace(&r.ghost.writes[dot.Replica], r.ghost.writes[dot.Replica][:dot.Seq-1])
		},
	}
}

func anotherOwnWrite(r *run, o *observation) func() {
	replica := o.server.machine.Replica()
	if replica == 0 || int(replica) >= len(r.ghost.writes) { // nobody has written under it yet
		return nil
	}
	return replace(&r.ghost.writes[replica], append(r.ghost.writes[replica], write{}))
}

func clockBreaches() []breach {
	return []breach{
		func(r *run, o *observation) func() { // not above the token
			return replace(&r.fates[o.accepted.Request-1].need.Clock, o.minted.context.Clock)
		},
		func(r *run, o *observation) func() { // less than the token
			return replace(&r.fates[o.accepted.Request-1].need.Vector, beyond(o.minted.context.Vector, 1))
		},
		func(r *run, o *observation) func() { // not above what it follows
			for _, past := range o.minted.context.Vector {
				if past != o.accepted.Dot {
					return replace(&r.ghost.lookup(past).order.clock, o.minted.context.Clock)
				}
			}
			return nil
		},
		func(_ *run, o *observation) func() { // it follows what nobody wrote
			return replace(&o.minted.context.Vector, beyond(o.minted.context.Vector, 99))
		},
	}
}

func truthBreaches() []breach {
	on := func(status wire.Status, falsify func(r *run, o *observation) func()) breach {
		return func(r *run, o *observation) func() {
			if o.response.Status != status || o.response.Dot == (causal.Dot{}) || !r.plan[o.number].Op.OnKey() {
				return nil
			}
			return falsify(r, o)
		}
	}
	return []breach{
		on(wire.StatusFound, func(_ *run, o *observation) func() { return replace(&o.response.Value, []byte("false")) }),
		on(wire.StatusFound, func(_ *run, o *observation) func() { return replace(&o.response.Dot, causal.Dot{}) }),
		on(wire.StatusFound, func(_ *run, o *observation) func() { return replace(&o.response.Dot.Seq, 1<<40) }),
		on(wire.StatusFound, func(_ *run, o *observation) func() { return replace(&o.response.Clock, o.response.Clock+1) }),
		on(wire.StatusFound, func(r *run, o *observation) func() { return replace(&r.ghost.lookup(o.response.Dot).key, "other") }),
		on(wire.StatusFound, func(_ *run, o *observation) func() { return replace(&o.response.Status, wire.StatusNotFound) }),
		on(wire.StatusNotFound, func(_ *run, o *observation) func() { return replace(&o.response.Status, wire.StatusFound) }),
		on(wire.StatusCreated, func(r *run, o *observation) func() {
			return replace(&r.ghost.lookup(o.response.Dot).operation, o.number+1)
		}),
	}
}

func tokenBreaches() []breach {
	on := func(falsify func(r *run, o *observation) func()) breach {
		return func(r *run, o *observation) func() {
			if !o.response.Status.Succeeded() || !r.plan[o.number].Op.OnKey() {
				return nil
			}
			return falsify(r, o)
		}
	}
	return []breach{
		on(func(_ *run, o *observation) func() { return replace(&o.token.Clock, o.token.Clock+1) }),
		on(func(_ *run, o *observation) func() { return replace(&o.token.Epoch, o.token.Epoch+1) }),
		on(func(_ *run, o *observation) func() { return replace(&o.token.Vector, beyond(o.token.Vector, 1)) }),
	}
}

// TestEveryInvariantCanFail plants each breach at the first suitable moment of some runs: the invariant
// has to hold before it, fail with it, and hold again without it.
func TestEveryInvariantCanFail(t *testing.T) {
	standard, membership := NewRunner(Standard()), NewRunner(Membership())
	todo := breaches()
	hook := func(row invariant) invariant {
		return invariant{name: row.name, check: func(r *run, o *observation) error {
			err := row.check(r, o)
			var open []breach
			for _, plant := range todo[row.name] {
				undo := plant(r, o)
				if undo == nil {
					open = append(open, plant)
					continue
				}
				if err := row.check(r, o); err == nil {
					t.Errorf("%s: a breach goes unnoticed", row.name)
				} else {
					plainWords(t, err.Error())
				}
				undo()
				if again := row.check(r, o); again != nil {
					t.Errorf("%s: fails without its breach: %v", row.name, again)
				}
			}
			todo[row.name] = open
			return err
		}}
	}
	for when, rows := range invariants() {
		for i, row := range rows {
			if len(todo[row.name]) == 0 {
				t.Errorf("%s has no breach that shows that it can fail", row.name)
			}
			standard.run.invariants[when][i], membership.run.invariants[when][i] = hook(row), hook(row)
		}
	}
	left := func() (n int) {
		for _, open := range todo {
			n += len(open)
		}
		return n
	}
	for seed := range uint64(200) {
		if seed >= 20 && left() == 0 {
			break
		}
		for _, runner := range []*Runner{standard, membership} {
			if runner == standard && seed >= 20 {
				continue
			}
			if result := runner.Run(seed); result.Failure != nil {
				t.Fatalf("%s, seed %d: %s", result.Scenario, seed, result.Failure.Headline())
			}
		}
	}
	for name, open := range todo {
		if len(open) > 0 {
			t.Errorf("%s: %d of its breaches never met a suitable moment", name, len(open))
		}
	}
}

func TestGhostRefusesDots(t *testing.T) {
	var g ghost
	g.reset(6, 2, 10)
	for seq := uint64(1); seq <= 3; seq++ {
		if err := g.mint(causal.Dot{Replica: 2, Seq: seq}, write{operation: int32(seq)}, 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, dot := range []causal.Dot{{Replica: 2, Seq: 3}, {Replica: 2, Seq: 5}, {Replica: 0, Seq: 1}, {Replica: 2, Seq: 0}} {
		if g.mint(dot, write{operation: 9}, 0) == nil {
			t.Errorf("dot %s is accepted", dot)
		}
	}
	g.dotOf[3] = causal.Dot{Replica: 2, Seq: 3}
	g.forget(2, 2)
	if g.lookup(causal.Dot{Replica: 2, Seq: 3}) != nil || g.dotOf[3] != (causal.Dot{}) || len(g.byKey[0]) != 2 {
		t.Error("what a crash took is remembered")
	}
	if err := g.mint(causal.Dot{Replica: 2, Seq: 3}, write{operation: 4}, 1); err != nil {
		t.Errorf("a dot that nobody saw cannot be used again: %v", err)
	}
}
