package kvsim

import (
	"testing"

	"github.com/sequitur-kv/sequitur/checker"
	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/hlc"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// finished is a run after its end, as the audit left it.
func finished(t *testing.T) *run {
	t.Helper()
	r := NewRunner(Standard())
	if result := r.Run(1); result.Failure != nil {
		t.Fatal(result.Failure.Headline())
	}
	return r.run
}

// request asks a server's machine behind the back of the world.
func request(r *run, server int, request core.Request) {
	const after = 1 << 40
	r.servers[server].machine.Step(core.Input{Kind: core.InputRequest, Mono: after, Request: request}, &r.output)
}

// owned is a key of the shard of a server.
func owned(r *run, server int) string {
	layout := r.servers[server].machine.Configuration().Layout
	for _, key := range r.keys {
		if layout.Owner(shard.SlotOf(key)) == r.servers[server].machine.Shard() {
			return key
		}
	}
	panic("a shard without a key")
}

// unheardWrite lets a server write something that no other replica hears of.
func unheardWrite(_ *testing.T, r *run) {
	request(r, 0, core.Request{ID: 1, Op: wire.OpPut, Key: owned(r, 0), Value: []byte("1")})
}

// promiseBreaches break each of the settled promises.
var promiseBreaches = map[string]func(t *testing.T, r *run){
	"settled.all_formed": func(t *testing.T, r *run) {
		newborn, err := core.New(core.Config{Address: "n1", View: r.names[:6], ShardCount: 2}, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		r.servers[0].machine = newborn
	},
	"settled.every_operation_ended": func(_ *testing.T, r *run) { r.fates[7].ending = pending },
	"settled.nothing_waits": func(_ *testing.T, r *run) {
		future := causal.Context{Epoch: 1, Clock: hlc.At(1), Vector: causal.Vector{{Replica: r.servers[1].machine.Replica(), Seq: 1 << 40}}}
		token, _ := r.ghost.tokens.Append(nil, nil, future)
		request(r, 0, core.Request{ID: 1, Op: wire.OpGet, Key: owned(r, 0), Tokens: string(token)})
	},
	"settled.vectors_are_equal":    unheardWrite,
	"settled.vectors_are_complete": unheardWrite,
	"settled.replicas_agree":       unheardWrite,
	"settled.nothing_lost": func(_ *testing.T, r *run) {
		r.history = append(r.history, checker.Operation{
			Session: 0, Kind: checker.Write, Key: r.keys[0], Value: "lost", Version: "1.99999",
			Stamp: checker.Stamp{Clock: 1 << 62, Tie: 1}, Outcome: checker.Acknowledged,
		})
		r.historyOf, r.versions = append(r.historyOf, 0), append(r.versions, causal.Dot{})
	},
	"settled.configurations_agree": func(_ *testing.T, r *run) {
		newer := *r.ghost.newest
		newer.Index, newer.Epoch = newer.Index+1, newer.Epoch+1
		r.ghost.newest = &newer
	},
	"settled.coverage_is_tidy": func(t *testing.T, r *run) {
		s := r.servers[0]
		c := s.machine.Configuration()
		kept := c.AssignmentsOf(s.life)[0]
		rest := shard.All()
		rest = rest.Minus(&kept.Slots)
		for slot := range shard.Slot(shard.Slots) {
			if rest.Has(slot) {
				kept.Slots.Add(slot) // nobody told it
			}
		}
	},
}

// TestEverySettledPromiseCanFail breaks each of the promises in a run that kept them all.
func TestEverySettledPromiseCanFail(t *testing.T) {
	for _, promise := range settledPromises() {
		t.Run(promise.name, func(t *testing.T) {
			r := finished(t)
			if err := promise.check(r, nil); err != nil {
				t.Fatalf("it fails in a healthy run: %v", err)
			}
			plant := promiseBreaches[promise.name]
			if plant == nil {
				t.Fatal("it has no breach that shows that it can fail")
			}
			plant(t, r)
			if err := promise.check(r, nil); err == nil {
				t.Error("the breach goes unnoticed")
			} else {
				plainWords(t, err.Error())
			}
		})
	}
}

// TestEveryAnswerOfTheAuditCanFail gives wrong answers to the questions of the audit.
func TestEveryAnswerOfTheAuditCanFail(t *testing.T) {
	r := finished(t)
	find := func(op core.Op) int32 {
		for number := range r.plan {
			if r.isAudit(int32(number)) && r.plan[number].Op == op {
				return int32(number)
			}
		}
		t.Fatalf("the audit never asks for a %s", op)
		return 0
	}
	count := find(wire.OpKeyCount)
	tests := []struct {
		name     string
		number   int32
		right    core.Response
		wrong    core.Response
		expected string
	}{
		{"refusal", find(wire.OpGet), core.Response{Status: wire.StatusNotFound}, core.Response{Status: wire.StatusUnsatisfied},
			"audit.every_question_is_answered"},
		{"view", find(wire.OpView), core.Response{Status: wire.StatusAnswered, Members: r.names[:6]},
			core.Response{Status: wire.StatusAnswered, Members: r.names[:5]}, "audit.views_are_complete"},
		{"count", count, core.Response{Status: wire.StatusAnswered, Count: r.live[r.plan[count].Shard]},
			core.Response{Status: wire.StatusAnswered, Count: r.live[r.plan[count].Shard] + 1}, "audit.key_counts_are_right"},
	}
	for _, test := range tests {
		r.auditAnswered(test.number, &test.right)
		if r.failure != nil {
			t.Errorf("%s: the right answer fails: %s", test.name, r.failure.Headline())
		}
		r.failure = nil
		r.auditAnswered(test.number, &test.wrong)
		if r.failure == nil || r.failure.Name != test.expected || r.failure.Kind != KindPromise {
			t.Errorf("%s: the wrong answer gives %v, want %s", test.name, r.failure, test.expected)
		} else {
			plainWords(t, r.failure.Explanation)
		}
		r.failure = nil
	}
	r.auditExpired(count)
	if r.failure == nil {
		t.Error("silence goes unnoticed")
	} else {
		plainWords(t, r.failure.Explanation)
	}
	r.failure = nil
	r.clients[2].next--
	if f := r.conclude(nil); f == nil || f.Name != "audit.is_finished" {
		t.Errorf("an audit that is not finished gives %v", f)
	}
}

// TestAuditIsAsked makes sure that the questions really reach the nodes, with tokens.
func TestAuditIsAsked(t *testing.T) {
	r := finished(t)
	reads, tokens := 0, 0
	for number := r.audits; int(number) < len(r.plan); number++ {
		f := &r.fates[number]
		if f.ending != succeeded {
			t.Errorf("question %d ended as %d", number, f.ending)
		}
		if r.plan[number].Op == wire.OpGet {
			reads++
			if len(f.need.Vector) > 0 {
				tokens++
			}
		}
	}
	if want := r.scenario.Audits * r.scenario.Workload.Clients; reads != want || tokens < want*9/10 {
		t.Errorf("%d reads, %d of them with a token; want %d", reads, tokens, want)
	}
	if !r.settled || len(r.live) != r.scenario.Shards+1 || r.live[1]+r.live[2] == 0 {
		t.Errorf("settled %t, live keys by shard %v", r.settled, r.live)
	}
}
