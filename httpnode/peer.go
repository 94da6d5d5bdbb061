package httpnode

import (
	"sync"
	"time"

	"github.com/sequitur-kv/sequitur/core/wire"
)

// Bounds of what waits for one peer.
const (
	maxQueued      = 4096
	maxQueuedBytes = 64 << 20
)

// How long a sender pauses after its first failure in a row, and at most.
const (
	firstPause = 50 * time.Millisecond
	maxPause   = time.Second
)

// peer is the way to one other node: a bounded queue, and a sender that exists while the queue is
// not empty. One body is under way at a time, so everything that queues meanwhile leaves together.
type peer struct {
	address string

	mu      sync.Mutex
	queue   []queued
	bytes   int // weight of the queue
	sending bool
	dropped uint64 // since the last report

	// Used by the sender only.
	refusal  string    // what the peer last said against this node
	reported time.Time // when losses were last logged
}

type queued struct {
	message *wire.Message
	weight  int
}

// push queues a message and drops the oldest ones that exceed the bounds: what the machine sent
// last is worth more than what it sent before, and it repairs every loss. start is true when a sender
// has to be started.
func (p *peer) push(message *wire.Message) (start bool) {
	q := queued{message, weight(message)}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, q)
	p.bytes += q.weight
	drop := 0
	for len(p.queue)-drop > 1 && (len(p.queue)-drop > maxQueued || p.bytes > maxQueuedBytes) {
		p.bytes -= p.queue[drop].weight
		drop++
	}
	if drop > 0 {
		p.dropped += uint64(drop)
		clear(p.queue[:drop])
		p.queue = p.queue[drop:]
	}
	start = !p.sending
	p.sending = true
	return start
}

// take moves everything queued into batch; ok is false when there is nothing, and then the sender
// has to end.
func (p *peer) take(batch []queued) (_ []queued, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		p.sending = false
		return batch, false
	}
	batch = append(batch[:0], p.queue...)
	clear(p.queue)
	p.queue = p.queue[:0]
	p.bytes = 0
	return batch, true
}

// lost counts messages that could not be delivered.
func (p *peer) lost(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropped += uint64(n)
}

// takeDropped returns how many messages were dropped since the last call.
func (p *peer) takeDropped() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.dropped
	p.dropped = 0
	return n
}

// idle tells whether nothing is queued or under way.
func (p *peer) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.sending
}
