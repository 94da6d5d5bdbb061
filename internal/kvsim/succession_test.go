package kvsim

import (
	"slices"
	"strings"
	"testing"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
	"github.com/sequitur-kv/sequitur/netsim"
)

// asked is an administrative request with its answer, for tests: from and to are milliseconds.
type asked struct {
	op       core.Op
	node     int // that it is about, from 1
	id       shard.ID
	count    int
	from, to int
	status   wire.Status // zero: the client gave up
	result   view.Result
}

// administered makes a run of the six founders whose administration is given. What is left of it in the
// end is that nothing of the first layout has changed, unless leaves says which node is gone.
func administered(requests []asked, gone int) *run {
	s := Membership()
	r := newRun(&s)
	c := &view.Configuration{Shards: make([]view.Shard, 2)}
	for i := range 6 {
		if i+1 != gone {
			c.Members = append(c.Members, view.Member{Address: r.names[i], Life: 1, Shard: shard.ID(1 + i/3)})
		}
	}
	r.ghost.newest = c
	r.plan, r.fates = make([]Operation, len(requests)), make([]fate, len(requests))
	for i, a := range requests {
		r.plan[i] = Operation{Client: 6, Number: i, Op: a.op, Shard: a.id, Count: a.count}
		f := fate{
			asked: true, status: a.status, result: a.result,
			invoked: netsim.Time(a.from) * netsim.Millisecond, returned: netsim.Time(a.to) * netsim.Millisecond,
		}
		if a.op != wire.OpReshard {
			f.about = r.names[a.node-1]
		}
		switch a.status {
		case 0:
			f.ending = expired
			r.ghost.observed = append(r.ghost.observed, observed{op: a.op, server: max(0, a.node-1), at: f.invoked})
		case wire.StatusAnswered:
			f.ending = succeeded
		case wire.StatusUnfinished:
			f.ending = unknown
			r.ghost.observed = append(r.ghost.observed, observed{op: reshardOver, at: f.returned})
		default:
			f.ending = refused
		}
		r.fates[i] = f
	}
	return r
}

func TestAdministrationIsLinearizable(t *testing.T) {
	const yes, no, goesOn, back = wire.StatusAnswered, wire.StatusDeclined, wire.StatusUnfinished, wire.StatusRolledBack
	for _, test := range []struct {
		name     string
		requests []asked
		gone     int
		culprit  int32 // counted from 1; zero: linearizable; -1: only the end does not fit
	}{
		{"nothing", nil, 0, 0},
		{"deleted, and added again unseen", []asked{{op: wire.OpRemove, node: 3, from: 1, to: 2, status: yes, result: view.Done}}, 3, 0},
		{"an effect that is lost", []asked{{op: wire.OpRemove, node: 3, from: 1, to: 2, status: yes, result: view.Done}}, 0, -1},
		{"deleted without anybody asking", nil, 3, -1},
		{"perhaps deleted", []asked{{op: wire.OpRemove, node: 3, from: 1, to: 2}}, 3, 0},
		{"perhaps not", []asked{{op: wire.OpRemove, node: 3, from: 1, to: 2}}, 0, 0},
		{"it exists", []asked{{op: wire.OpInvite, node: 3, from: 1, to: 2, status: no, result: view.Exists}}, 0, 0},
		{"it does not exist", []asked{{op: wire.OpInvite, node: 7, from: 1, to: 2, status: no, result: view.Exists}}, 0, 1},
		{"added twice", []asked{
			{op: wire.OpInvite, node: 7, from: 1, to: 2, status: yes, result: view.Done},
			{op: wire.OpInvite, node: 7, from: 3, to: 4, status: yes, result: view.Done},
		}, 0, 2},
		{"added twice at once", []asked{
			{op: wire.OpInvite, node: 7, from: 1, to: 5, status: yes, result: view.Done},
			{op: wire.OpInvite, node: 7, from: 2, to: 4, status: yes, result: view.Done},
		}, 0, 1},
		{"two reshards at once", []asked{
			{op: wire.OpReshard, count: 3, from: 1, to: 9, status: back, result: view.Done},
			{op: wire.OpReshard, count: 3, from: 2, to: 5, status: no, result: view.Busy},
		}, 0, 0},
		{"two reshards, one inside of the other", []asked{
			{op: wire.OpReshard, count: 3, from: 1, to: 3, status: goesOn, result: view.Done},
			{op: wire.OpReshard, count: 2, from: 4, to: 9, status: yes, result: view.Done},
		}, 0, 0},
		{"busy with nothing", []asked{{op: wire.OpReshard, count: 3, from: 2, to: 5, status: no, result: view.Busy}}, 0, 1},
		{"a reshard that is forgotten", []asked{{op: wire.OpReshard, count: 3, from: 2, to: 5, status: yes, result: view.Done}}, 0, -1},
		{"no such shard", []asked{{op: wire.OpAddMember, node: 1, id: 3, from: 2, to: 5, status: no, result: view.NoShard}}, 0, 0},
		{"such a shard", []asked{{op: wire.OpAddMember, node: 1, id: 2, from: 2, to: 5, status: no, result: view.NoShard}}, 0, 1},
		{"there already", []asked{{op: wire.OpAddMember, node: 1, id: 1, from: 2, to: 5, status: yes, result: view.Already}}, 0, 0},
		{"not there", []asked{{op: wire.OpAddMember, node: 1, id: 2, from: 2, to: 5, status: yes, result: view.Already}}, 0, 1},
		{"elsewhere", []asked{{op: wire.OpAddMember, node: 1, id: 2, from: 2, to: 5, status: no, result: view.Elsewhere}}, 0, 0},
		{"not elsewhere", []asked{{op: wire.OpAddMember, node: 1, id: 1, from: 2, to: 5, status: no, result: view.Elsewhere}}, 0, 1},
		{"found, then not, then found", []asked{
			{op: wire.OpRemove, node: 3, from: 1, to: 9, status: yes, result: view.Done},
			{op: wire.OpInvite, node: 3, from: 2, to: 3, status: no, result: view.Exists},
			{op: wire.OpRemove, node: 3, from: 4, to: 5, status: no, result: view.NotFound},
			{op: wire.OpInvite, node: 3, from: 6, to: 7, status: no, result: view.Exists},
		}, 3, 4},
	} {
		f := administered(test.requests, test.gone).checkAdministration()
		switch {
		case test.culprit == 0 && f != nil:
			t.Errorf("%s: %s", test.name, f.Explanation)
		case test.culprit != 0 && (f == nil || f.Kind != KindLinearizability || f.read != max(0, test.culprit)):
			t.Errorf("%s: %+v", test.name, f)
		case test.culprit < 0 && !strings.Contains(f.Explanation, "in the end"):
			t.Errorf("%s: %s", test.name, f.Explanation)
		}
	}
}

// TestAdministrationCanFail is the negative control on real runs: an answer that is turned around does not
// go unnoticed.
func TestAdministrationCanFail(t *testing.T) {
	runner := NewRunner(Membership())
	turned, noticed := 0, 0
	tried := seeds(12)
	for seed := range tried {
		if result := runner.Run(seed); result.Failure != nil {
			t.Fatalf("seed %d: %s", seed, result.Failure.Headline())
		}
		r := runner.run
		for number := range r.plan {
			plan, f := &r.plan[number], &r.fates[number]
			if plan.Op != wire.OpInvite || f.status != wire.StatusDeclined || f.result != view.Exists || f.about == r.names[6] {
				continue
			}
			undo := replace(f, *f)
			f.status, f.result, f.ending = wire.StatusAnswered, view.Done, succeeded
			turned++
			if failure := r.checkAdministration(); failure != nil && failure.Kind == KindLinearizability {
				noticed++
			}
			undo()
			break
		}
	}
	if turned == 0 || uint64(turned)*12 < 5*tried || noticed*10 < turned*8 {
		t.Errorf("%d of %d wrong answers are noticed, in %d seeds", noticed, turned, tried)
	}
}

// TestMembershipBites: those who run the store get everything done, and what they do hits the sessions.
func TestMembershipBites(t *testing.T) {
	s := sweep(t, Membership(), seeds(30))
	x := s.Stats
	if x.Admin < 15*s.Seeds || x.AdminDone*5 < x.Admin || x.AdminDeclined*20 < x.Admin || x.AdminRefused == 0 || x.AdminUnknown == 0 {
		t.Errorf("of the administrative requests too few end in one way: %+v", x)
	}
	if x.AdminWithheld == 0 || x.Lost == 0 || x.Lost*50 > x.Writes {
		t.Errorf("%d requests are withheld; %d of %d writes are lost", x.AdminWithheld, x.Lost, x.Writes)
	}
	if s.Seeds >= 30 && len(s.Unreached) > 8 {
		t.Errorf("situations never reached: %v", s.Unreached)
	}
}

// TestObservesWhatOneStepHides: a server that applies several entries of the log in one step shows only what
// they lead to, and that a member was deleted and added again.
func TestObservesWhatOneStepHides(t *testing.T) {
	runner := NewRunner(Membership())
	runner.Run(1) // makes a world, which has the time
	r := runner.run
	r.ghost.observed = nil
	founding := view.Founding{ShardCount: 1, Founders: []view.Founder{{Address: r.names[0], Life: 1}, {Address: r.names[1], Life: 2}}}
	before := view.Found(founding)
	now, _ := before.Apply(2, view.Request{By: 1, Number: 1, Operation: view.Remove{Address: r.names[1], Down: []view.LifeID{2}}})
	now, _ = now.Apply(3, view.Request{By: 1, Number: 2, Operation: view.Invite{Address: r.names[1]}})
	r.observe(before, now)
	if want := []observed{{wire.OpInvite, 1, r.world.Now()}, {wire.OpRemove, 1, r.world.Now()}}; !slices.Equal(r.ghost.observed, want) {
		t.Errorf("observed are %v, want %v", r.ghost.observed, want)
	}
}
