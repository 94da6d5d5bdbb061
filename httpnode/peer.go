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

// peer is the way to one other node: a bounded queue, and a sender that exists while there is something to send, or
// was a moment ago.
type peer struct {
	address string

	rested func(*peer) // called when a stranger has rested; nil: nothing more happens

	mu        sync.Mutex
	queue     []queued
	bytes     int // weight of the queue
	urgent    int // messages queued that somebody waits for
	sending   bool
	called    bool   // its sender is about to be started or woken up
	pausing   bool   // the sender gathers
	lingering bool   // the sender waits for whatever comes
	stranger  bool   // no member: it rests for a short time only
	dropped   uint64 // ever
	told      uint64 // of these, what was logged
	sent      uint64 // messages delivered
	bodies    uint64 // in so many bodies
	rest      *time.Timer

	hurry chan struct{} // ends the pause of the sender; capacity 1

	// Used by the sender only, and while there is none under the mutex.
	link     *link
	refusal  string    // what the peer last said against this node
	reported time.Time // when losses were last logged
	taken    time.Time // when the queue was last taken
	batch    []queued  // what was taken
	joiner   joiner
	body     []byte
}

type queued struct {
	message *wire.Message
	weight  int
}

func newPeer(address string, link *link) *peer {
	return &peer{address: address, link: link, hurry: make(chan struct{}, 1)}
}

// push queues a message and drops the oldest ones that exceed the bounds: what the machine sent
// last is worth more than what it sent before, and it repairs every loss. call is true when start has to be called.
func (p *peer) push(message *wire.Message) (call bool) {
	q := queued{message, weight(message)}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, q)
	p.bytes += q.weight
	if !canWait(message) {
		p.urgent++
	}
	p.hasten()
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
	call = !p.called && (!p.sending || p.lingering)
	p.called = p.called || call
	return call
}

// start wakes the sender up if it lingers; it tells whether there is none, and it has to be started.
func (p *peer) start() (none bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	none = !p.sending
	p.called, p.sending = false, true
	if p.lingering {
		p.lingering = false
		p.hurry <- struct{}{}
	}
	return none
}

// end tells whether nothing is queued, and then the sender has to end.
func (p *peer) end() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) > 0 {
		return false
	}
	p.sending = false
	p.relax()
	return true
}

// take moves everything queued into p.batch; ok is false when there is nothing.
func (p *peer) take() (ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		return false
	}
	p.taken = time.Now()
	p.batch, p.queue = p.queue, p.batch[:0]
	p.bytes, p.urgent = 0, 0
	return true
}

// tidy lets go of what was taken.
func (p *peer) tidy() {
	clear(p.batch) // its length tells how busy the sender is
	p.joiner.tidy()
	if cap(p.body) > maxPooled {
		p.body = nil
	}
}

// relax has the connection closed if nobody uses it for long. The caller holds the mutex.
func (p *peer) relax() {
	timeout := restTimeout
	if p.stranger {
		timeout = forgetTimeout
	}
	if p.rest == nil {
		p.rest = time.AfterFunc(timeout, p.restOver)
	} else {
		p.rest.Reset(timeout)
	}
}

func (p *peer) restOver() {
	if p.closeIdle() && p.rested != nil {
		p.rested(p)
	}
}

// setStranger says whether the peer is no member.
func (p *peer) setStranger(stranger bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stranger != stranger {
		p.stranger = stranger
		if !p.sending && p.rest != nil {
			p.relax()
		}
	}
}

// closeIdle closes the connection unless something is under way.
func (p *peer) closeIdle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sending || p.called {
		return false
	}
	if p.link != nil {
		p.link.close()
	}
	return true
}

// retire frees a peer that is idle; it tells whether it was.
func (p *peer) retire() bool {
	if !p.closeIdle() {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rest != nil {
		p.rest.Stop()
	}
	return true
}

// count counts what the link knows of by now, and messages that it did not even get. It tells whether anything has arrived.
func (p *peer) count(unsent int) (arrives bool) {
	arrived, lost := p.link.count()
	if arrived == (shipment{}) && lost.messages+unsent == 0 { // mostly: answers come once in a while
		return false
	}
	if arrives = arrived.bodies > 0; arrives {
		p.refusal = ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent += uint64(arrived.messages)
	p.bodies += uint64(arrived.bodies)
	p.dropped += uint64(lost.messages + unsent)
	return arrives
}

// reached tells whether anything was ever delivered; what was lost before does not count then.
func (p *peer) reached() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bodies == 0 {
		p.told = p.dropped
	}
	return p.bodies > 0
}

// takeDropped returns how many messages were dropped since the last call.
func (p *peer) takeDropped() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.dropped - p.told
	p.told = p.dropped
	return n
}

// peerFigures are counts of one peer's transport.
type peerFigures struct {
	address             string
	queued, queuedBytes int
	sent, bodies        uint64
	dropped             uint64
}

func (p *peer) figures() peerFigures {
	p.mu.Lock()
	defer p.mu.Unlock()
	return peerFigures{address: p.address, queued: len(p.queue), queuedBytes: p.bytes, sent: p.sent, bodies: p.bodies, dropped: p.dropped}
}
