package httpnode

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/store"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// piece is a batch of the writes after from up to to.
func piece(from, to uint64, size int) *wire.Message {
	b := &wire.Batch{Replica: 3, From: from, To: to}
	b.Slots.Add(7)
	for seq := from + 1; seq <= to; seq++ {
		dot := causal.Dot{Replica: 3, Seq: seq}
		b.Writes = append(b.Writes, store.Version{
			Key: fmt.Sprint("key", seq), Dot: dot, Context: causal.Pack(causal.Context{Clock: 1, Vector: causal.Vector{dot}}), Value: make([]byte, size),
		})
	}
	return &wire.Message{Cluster: 1, Epoch: 1, From: 1, To: 2, Body: b}
}

// TestJoin joins what begins with a piece of the writes 1 to 10 and goes on with one from 11 to 20, or something else.
func TestJoin(t *testing.T) {
	other := func(change func(m *wire.Message, b *wire.Batch)) *wire.Message {
		m := piece(10, 20, 1)
		change(m, m.Body.(*wire.Batch))
		return m
	}
	for _, test := range []struct {
		name string
		rest []*wire.Message
		want int // messages that are joined
	}{
		{"nothing", nil, 1},
		{"the next ones", []*wire.Message{piece(10, 20, 1), piece(20, 30, 1)}, 3},
		{"the next one, then a gap", []*wire.Message{piece(10, 20, 1), piece(21, 30, 1)}, 2},
		{"the same again", []*wire.Message{piece(0, 10, 1)}, 1},
		{"no batch", []*wire.Message{heartbeat(1), piece(10, 20, 1)}, 1},
		{"another cluster", []*wire.Message{other(func(m *wire.Message, _ *wire.Batch) { m.Cluster++ })}, 1},
		{"another epoch", []*wire.Message{other(func(m *wire.Message, _ *wire.Batch) { m.Epoch++ })}, 1},
		{"another sender", []*wire.Message{other(func(m *wire.Message, _ *wire.Batch) { m.From++ })}, 1},
		{"another target", []*wire.Message{other(func(m *wire.Message, _ *wire.Batch) { m.To++ })}, 1},
		{"another stream", []*wire.Message{other(func(_ *wire.Message, b *wire.Batch) { b.Replica++ })}, 1},
		{"other slots", []*wire.Message{other(func(_ *wire.Message, b *wire.Batch) { b.Slots = shard.Set{} })}, 1},
		{"up to the bound", []*wire.Message{piece(10, maxJoined, 1), piece(maxJoined, maxJoined+1, 1)}, 2},
		{"above the bound", []*wire.Message{piece(10, maxJoined+1, 1)}, 1},
		{"large ones", []*wire.Message{piece(10, 12, maxJoinedBytes/2)}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			messages := []queued{{piece(0, 10, 1), weight(piece(0, 10, 1))}}
			for _, m := range test.rest {
				messages = append(messages, queued{m, weight(m)})
			}
			var before, want []byte
			for _, q := range messages {
				before = wire.Append(before, q.message)
			}
			var j joiner
			got, n := j.join(messages)
			if n != test.want {
				t.Fatalf("joined %d, want %d", n, test.want)
			}
			last := messages[n-1].message.Body.(*wire.Batch)
			want = wire.Append(nil, piece(0, last.To, 1))
			if text := wire.Append(nil, got); !bytes.Equal(text, want) {
				t.Errorf("got  %+v\nwant %+v", got.Body, piece(0, last.To, 1).Body)
			}
			var after []byte
			for _, q := range messages {
				after = wire.Append(after, q.message)
			}
			if !bytes.Equal(before, after) {
				t.Error("the messages were changed: other peers get them too")
			}
		})
	}
}

// TestTransportJoins sends the same writes to two peers, something else among them.
func TestTransportJoins(t *testing.T) {
	const writes = 3 * maxJoined
	tr := newTransport("a:1", slog.New(slog.DiscardHandler))
	var peers []string
	var received [2][]*wire.Message
	for i := range received {
		n := fakeNode(t, &fakeMachine{onStep: func(input core.Input, _ *core.Output) {
			if input.Kind == core.InputMessage {
				received[i] = append(received[i], input.Message)
			}
		}}, Config{})
		server := httptest.NewServer(n.Handler())
		defer server.Close()
		peers = append(peers, server.Listener.Addr().String())
	}
	for seq := range uint64(writes) {
		m := piece(seq, seq+1, 1)
		for _, peer := range peers {
			tr.queue(peer, m)
			if seq == 9 {
				tr.queue(peer, heartbeat(9))
			}
		}
	}
	tr.flush()
	tr.senders.Wait()
	for _, f := range tr.figures() {
		if f.sent != writes+1 || f.bodies != 1 || f.dropped != 0 {
			t.Errorf("%d messages in %d bodies, %d dropped", f.sent, f.bodies, f.dropped)
		}
	}
	tr.close(time.Second)
	for i := range received {
		var counts []int
		var seq uint64
		for _, m := range received[i] {
			b, ok := m.Body.(*wire.Batch)
			if !ok {
				counts = append(counts, 0)
				continue
			}
			counts = append(counts, len(b.Writes))
			for _, v := range b.Writes {
				if seq++; v.Dot.Seq != seq {
					t.Fatalf("peer %d got write %v as number %d", i, v.Dot, seq)
				}
			}
		}
		if want := []int{10, 0, maxJoined, maxJoined, maxJoined - 10}; !slices.Equal(counts, want) {
			t.Errorf("peer %d got batches of %v writes, want %v", i, counts, want)
		}
	}
}
