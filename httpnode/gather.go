package httpnode

import (
	"time"

	"github.com/sequitur-kv/sequitur/core/wire"
)

// A body costs both sides as much as many writes in it. So a sender that finds many lets more
// come before it sends the next one: replicas lag by up to gatherTime while a node is busy, and by
// nothing more than the network otherwise.
const (
	gatherTime = 3 * time.Millisecond // from one body to the next
	busyBatch  = 16                   // messages in a body from which on its sender is busy
)

// canWait tells whether nobody waits for the message: a write was answered before its siblings hear of it.
func canWait(message *wire.Message) bool {
	_, ok := message.Body.(*wire.Batch)
	return ok
}

// gather waits, if the last body was large, until another one is worth its cost, somebody waits for what is
// queued, or the transport ends.
func (p *peer) gather(closing <-chan struct{}) {
	pause := gatherTime - time.Since(p.taken)
	if len(p.batch) < busyBatch || pause <= 0 || !p.startPause() {
		return
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.hurry:
	case <-closing:
	}
	p.endPause()
}

// lingerTime is how long a request stays open for more.
const lingerTime = 100 * time.Millisecond

// linger waits until something is to be sent, or the other side says something, and tells whether that is so, or the time for
// it or the transport is over.
func (p *peer) linger(closing <-chan struct{}) (more bool) {
	if !p.startLinger() {
		return true
	}
	timer := time.NewTimer(lingerTime)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.hurry:
		more = true
	case answer := <-p.link.answers:
		p.link.hear(answer)
		more = true
	case <-closing:
	}
	p.endPause()
	return more
}

// startLinger tells whether nothing is queued.
func (p *peer) startLinger() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lingering = len(p.queue) == 0
	return p.lingering
}

// startPause tells whether everything that is queued can wait.
func (p *peer) startPause() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pausing = len(p.queue) > 0 && !p.pressing()
	return p.pausing
}

func (p *peer) endPause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pausing, p.lingering = false, false
	select {
	case <-p.hurry: // it came too late
	default:
	}
}

// pressing tells whether the queue must not wait. The caller holds the mutex.
func (p *peer) pressing() bool { return p.urgent > 0 || p.bytes > batchBytes }

// hasten ends the pause of the sender if the queue must not wait. The caller holds the mutex.
func (p *peer) hasten() {
	if p.pausing && p.pressing() {
		p.pausing = false
		p.hurry <- struct{}{}
	}
}
