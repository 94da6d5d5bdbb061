package httpnode

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/sequitur-kv/sequitur/core/wire"
)

const (
	peerPath       = "/sequitur/peer"
	fromHeader     = "Sequitur-Node" // address of the sending node, for logs only
	dialTimeout    = time.Second
	deliverTimeout = 3 * time.Second  // for a body to be written, and for an answer
	reportInterval = time.Minute      // lost messages are logged at most this often for each peer
	restTimeout    = 90 * time.Second // after which an idle connection is closed
	forgetTimeout  = 5 * time.Second  // the same for an address that is no member, which is forgotten then
	maxPeers       = 1024             // addresses remembered; idle ones are forgotten above
)

// transport delivers messages to peers over one persistent HTTP connection each. Delivery is a try:
// what fails is lost, and the machine copes.
type transport struct {
	self   string
	dialer net.Dialer
	logger *slog.Logger
	ctx    context.Context // ends all deliveries
	cancel context.CancelFunc

	mu      sync.Mutex
	peers   map[string]*peer
	members map[string]struct{} // of the configuration; nil until there is one: then nobody is a stranger
	waiting []*peer             // have messages, and no sender yet or one that lingers
	closed  bool
	closing chan struct{} // closed with closed
	senders sync.WaitGroup
	readers sync.WaitGroup // of answers
}

func newTransport(self string, logger *slog.Logger) *transport {
	t := &transport{self: self, logger: logger, peers: make(map[string]*peer), closing: make(chan struct{})}
	t.dialer.Timeout = dialTimeout
	if ip, ok := loopback(self); ok {
		// Nodes on 127.x.y.z then see each other under the addresses that they go by.
		t.dialer.LocalAddr = &net.TCPAddr{IP: ip.AsSlice()}
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

// send queues a message; it never blocks on the network.
func (t *transport) send(to string, message *wire.Message) {
	t.queue(to, message)
	t.flush()
}

// queue is send, but the message may rest until the next flush: so what is sent together travels
// together.
func (t *transport) queue(to string, message *wire.Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.peers[to]
	if p == nil {
		if t.forgetIdle(); len(t.peers) >= maxPeers {
			return
		}
		p = newPeer(to, newLink(t.ctx, &t.dialer, &t.readers, t.self, to))
		p.rested = t.forget
		p.setStranger(t.isStranger(to))
		t.peers[to] = p
	}
	if !t.closed && p.push(message) {
		t.waiting = append(t.waiting, p)
	}
}

// follow names the members from now on. The connections to all others are closed soon: not at once,
// because the last message to one of them tells it that it is no member any more.
func (t *transport) follow(members []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.members = make(map[string]struct{}, len(members))
	for _, address := range members {
		t.members[address] = struct{}{}
	}
	for address, p := range t.peers {
		p.setStranger(t.isStranger(address))
	}
}

func (t *transport) isStranger(address string) bool {
	_, member := t.members[address]
	return t.members != nil && !member
}

// forget frees a stranger that has rested.
func (t *transport) forget(p *peer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.peers[p.address] == p && t.isStranger(p.address) && p.retire() {
		delete(t.peers, p.address)
	}
}

// flush starts, or wakes up, the senders of what was queued.
func (t *transport) flush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, p := range t.waiting {
		if p.start() {
			t.senders.Go(func() { t.deliver(p) })
		}
		t.waiting[i] = nil
	}
	t.waiting = t.waiting[:0]
}

// forgetIdle makes room when there are too many peers: addresses come from messages, too.
func (t *transport) forgetIdle() {
	if len(t.peers) < maxPeers {
		return
	}
	for address, p := range t.peers {
		if p.retire() {
			delete(t.peers, address)
		}
	}
}

// close delivers what is queued, for at most the given time, and frees everything.
func (t *transport) close(timeout time.Duration) {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.flush()
	close(t.closing)
	give := time.AfterFunc(timeout, t.cancel)
	t.senders.Wait()
	give.Stop()
	t.cancel()
	t.readers.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.peers {
		p.retire()
	}
}

// deliver sends what is queued for a peer until nothing has been for a while.
func (t *transport) deliver(p *peer) {
	for pause := firstPause; ; {
		// Whoever is about to send something does it first, if anybody is: bodies grow with the load.
		runtime.Gosched()
		p.gather(t.closing)
		unsent := 0
		err := p.link.ready(deliverTimeout) // else what is queued stays so
		switch {
		case err != nil:
		case p.take():
			unsent, err = t.pass(p)
			p.tidy()
		case p.link.open && p.linger(t.closing):
			continue
		case len(p.link.sent) > 0:
			err = p.link.finish(deliverTimeout)
		case p.end():
			return
		}
		if p.count(unsent) {
			pause = firstPause
		}
		t.report(p)
		if err != nil {
			t.note(p, err)
			t.wait(pause)
			pause = min(2*pause, maxPause)
		}
	}
}

// pass sends what was taken. So many messages are not sent: after an error the rest would arrive late, and the machine
// sends again what still matters.
func (t *transport) pass(p *peer) (unsent int, err error) {
	rest := p.batch
	for len(rest) > 0 && err == nil {
		n := t.encode(p, rest)
		if len(p.body) > 0 {
			err = p.link.send(p.body, n, deliverTimeout)
		} else { // it would end the request
			unsent += n
		}
		rest = rest[n:]
	}
	return unsent + len(rest), err
}

// encode makes one body of the first n messages.
func (t *transport) encode(p *peer, messages []queued) (n int) {
	p.body = p.body[:0]
	for n < len(messages) && len(p.body) < batchBytes {
		message, joined := p.joiner.join(messages[n:])
		var ok bool
		if p.body, ok = appendFrame(p.body, message); !ok {
			t.logger.Error("a message is too large for the peer protocol", "bytes", weight(message))
		}
		n += joined
	}
	return n
}

// note logs what went wrong, and once what the peer says against this node.
func (t *transport) note(p *peer, err error) {
	if refused := (*refusal)(nil); errors.As(err, &refused) && !refused.temporary && refused.reason != p.refusal {
		p.refusal = refused.reason
		t.logger.Warn("a peer refuses the messages of this node", "peer", p.address, "reason", refused.reason)
	}
	t.logger.Debug("peer not reached", "peer", p.address, "error", err)
}

// wait pauses, but not when the transport ends: what is queued then gets one try.
func (t *transport) wait(pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.closing:
	}
}

// report logs losses, at most once in reportInterval. Those of a peer that was never reached are none: it
// has not started yet, which the machine says better.
func (t *transport) report(p *peer) {
	if !p.reached() {
		return
	}
	if now := time.Now(); now.Sub(p.reported) >= reportInterval {
		if n := p.takeDropped(); n > 0 {
			p.reported = now
			t.logger.Warn("messages to a peer were lost", "peer", p.address, "messages", n)
		}
	}
}

// figures are those of all peers.
func (t *transport) figures() []peerFigures {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]peerFigures, 0, len(t.peers))
	for _, p := range t.peers {
		all = append(all, p.figures())
	}
	return all
}
