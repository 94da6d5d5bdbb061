package httpnode

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/sequitur-kv/sequitur/core/store"
	"github.com/sequitur-kv/sequitur/core/wire"
)

func batch(seq uint64, size int) *wire.Message {
	return &wire.Message{From: 1, To: 2, Body: &wire.Batch{Replica: 1, From: seq - 1, To: seq, Writes: []store.Version{{Value: make([]byte, size)}}}}
}

// busyPeer is a peer whose sender has just taken n messages.
func busyPeer(n uint64) *peer {
	p := newPeer("a:1", nil)
	p.takeBatches(n)
	return p
}

func (p *peer) takeBatches(n uint64) {
	for seq := range n {
		p.push(batch(seq+1, 10))
	}
	p.take()
	p.tidy()
}

// TestGather tells for how long a sender waits before its next body.
func TestGather(t *testing.T) {
	const early = time.Millisecond
	for _, test := range []struct {
		name string
		last uint64        // messages in the last body
		idle time.Duration // since then
		next *wire.Message
		late *wire.Message // comes when the sender waits already
		want time.Duration
	}{
		{"few writes", busyBatch - 1, 0, batch(100, 10), nil, 0},
		{"many writes", busyBatch, 0, batch(100, 10), nil, gatherTime},
		{"many writes, a while ago", busyBatch, gatherTime - early, batch(100, 10), nil, early},
		{"many writes, long ago", busyBatch, gatherTime, batch(100, 10), nil, 0},
		{"nothing is queued", busyBatch, 0, nil, nil, 0},
		{"somebody waits", busyBatch, 0, heartbeat(1), nil, 0},
		{"somebody begins to wait", busyBatch, 0, batch(100, 10), heartbeat(1), early},
		{"more writes", busyBatch, 0, batch(100, 10), batch(101, 10), gatherTime},
		{"a body is full", busyBatch, 0, batch(100, batchBytes), nil, 0},
		{"a body becomes full", busyBatch, 0, batch(100, 10), batch(101, batchBytes), early},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := busyPeer(test.last)
				time.Sleep(test.idle)
				if test.next != nil {
					p.push(test.next)
				}
				if test.late != nil {
					time.AfterFunc(early, func() { p.push(test.late) })
				}
				begin := time.Now()
				p.gather(nil)
				if took := time.Since(begin); took != test.want {
					t.Errorf("waited %v, want %v", took, test.want)
				}
			})
		})
	}
}

// TestGatherEnds ends one pause in two ways at once, which must not cut the next one short.
func TestGatherEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := busyPeer(busyBatch)
		closing := make(chan struct{})
		wantPause := func(want time.Duration) {
			t.Helper()
			p.push(batch(100, 10))
			begin := time.Now()
			if p.gather(closing); time.Since(begin) != want {
				t.Errorf("waited %v, want %v", time.Since(begin), want)
			}
			p.take()
			p.takeBatches(busyBatch)
		}
		p.push(batch(100, 10))
		if !p.startPause() {
			t.Fatal("no pause")
		}
		p.push(heartbeat(1))
		p.endPause() // its time is over just now
		p.take()
		p.takeBatches(busyBatch)
		wantPause(gatherTime)
		time.AfterFunc(time.Millisecond, func() { close(closing) })
		wantPause(time.Millisecond)
	})
}
