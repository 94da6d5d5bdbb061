package core_test

import (
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// warm is a node of a formed store that holds the key x, and what a Step needs to be measured.
type warm struct {
	machine *core.Machine
	input   core.Input
	output  core.Output
}

// newWarm gives the first node of a store with one shard; prepare adapts the request that is measured.
func newWarm(t testing.TB, volatile bool) (w *warm, token string) {
	c := newCluster(t, 3, 1, func(config *core.Config) { config.Volatile = volatile })
	c.advance(time.Second)
	if c.tokens[c.put("n2", "x", `"value"`, "")] == "" {
		t.Fatal("the key is not written")
	}
	c.settle()
	id := c.put("n1", "y", "1", "")
	c.settle()
	n := c.nodes["n1"]
	w = &warm{machine: n.machine, input: core.Input{
		Kind: core.InputRequest, Mono: c.now, Wall: epochMillis + c.now.Milliseconds(), Durable: n.durable,
	}}
	return w, c.tokens[id]
}

func (w *warm) step(t testing.TB, r core.Request, want core.Status) {
	w.input.Request = r
	w.machine.Step(w.input, &w.output)
	if len(w.output.Replies) != 1 || w.output.Replies[0].Status != want {
		t.Fatalf("answered %v, want %v", w.output.Replies, want)
	}
}

// A Step that serves a read of the node's own shard allocates nothing; a write, no more than it keeps.
func TestAllocations(t *testing.T) {
	w, token := newWarm(t, true)
	for _, test := range []struct {
		name    string
		request core.Request
		status  core.Status
		most    float64
	}{
		{"GET", core.Request{Op: wire.OpGet, Key: "x"}, wire.StatusFound, 0},
		{"GET with a token", core.Request{Op: wire.OpGet, Key: "x", Tokens: token}, wire.StatusFound, 0},
		{"GET with two tokens", core.Request{Op: wire.OpGet, Key: "x", Tokens: token + ", " + token}, wire.StatusFound, 0},
		{"GET of nothing", core.Request{Op: wire.OpGet, Key: "z", Tokens: token}, wire.StatusNotFound, 0},
		{"GET with a bad token", core.Request{Op: wire.OpGet, Key: "x", Tokens: token[1:]}, wire.StatusBadToken, 0},
		{"DELETE of nothing", core.Request{Op: wire.OpDelete, Key: "z", Tokens: token}, wire.StatusNotFound, 0},
		{"key count", core.Request{Op: wire.OpKeyCount, Shard: 1}, wire.StatusAnswered, 0},
		{"node shard", core.Request{Op: wire.OpNodeShard}, wire.StatusAnswered, 0},
		{"PUT", core.Request{Op: wire.OpPut, Key: "y", Value: []byte("2"), Tokens: token}, wire.StatusReplaced, 8},
	} {
		test.request.ID = 1
		run := func() { w.step(t, test.request, test.status) }
		run()
		if n := testing.AllocsPerRun(200, run); n > test.most {
			t.Errorf("%s: %v allocations, at most %v expected", test.name, n, test.most)
		} else {
			t.Logf("%s: %v allocations", test.name, n)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	w, token := newWarm(b, true)
	for name, tokens := range map[string]string{"without token": "", "with token": token} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w.step(b, core.Request{ID: 1, Op: wire.OpGet, Key: "x", Tokens: tokens}, wire.StatusFound)
			}
		})
	}
}

func BenchmarkPut(b *testing.B) {
	for name, volatile := range map[string]bool{"volatile": true, "durable": false} {
		b.Run(name, func(b *testing.B) {
			w, token := newWarm(b, volatile)
			value := []byte(`"value"`)
			b.ReportAllocs()
			for b.Loop() {
				w.input.Durable = w.output.Position
				w.step(b, core.Request{ID: 1, Op: wire.OpPut, Key: "y", Value: value, Tokens: token}, wire.StatusReplaced)
			}
		})
	}
}
