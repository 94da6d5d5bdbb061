package httpnode

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/sequitur-kv/sequitur/core/wire"
)

const (
	peerPath       = "/sequitur/peer"
	fromHeader     = "Sequitur-Node" // address of the sending node, for logs only
	dialTimeout    = time.Second
	deliverTimeout = 3 * time.Second // for one body, its answer included
	reportInterval = time.Minute     // lost messages are logged at most this often for each peer
	maxPeers       = 1024            // addresses remembered; idle ones are forgotten above
)

// transport delivers messages to peers over persistent HTTP connections. Delivery is a try: what
// fails is lost, and the machine copes.
type transport struct {
	self   string
	client http.Client
	logger *slog.Logger
	ctx    context.Context // ends all deliveries
	cancel context.CancelFunc

	mu      sync.Mutex
	peers   map[string]*peer
	closed  bool
	closing chan struct{} // closed with closed
	senders sync.WaitGroup
}

func newTransport(self string, logger *slog.Logger) *transport {
	dialer := &net.Dialer{Timeout: dialTimeout}
	if ip, ok := loopback(self); ok {
		// Nodes on 127.x.y.z then see each other under the addresses that they go by.
		dialer.LocalAddr = &net.TCPAddr{IP: ip.AsSlice()}
	}
	t := &transport{self: self, logger: logger, peers: make(map[string]*peer), closing: make(chan struct{})}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.client.Transport = &http.Transport{
		Proxy:                 nil, // peers are neighbours; the proxy of the environment is for the outside
		DialContext:           dialer.DialContext,
		MaxIdleConnsPerHost:   1,
		IdleConnTimeout:       90 * time.Second,
		ResponseHeaderTimeout: deliverTimeout,
		DisableCompression:    true,
	}
	return t
}

// send queues a message; it never blocks on the network.
func (t *transport) send(to string, message *wire.Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.peers[to]
	if p == nil {
		if t.forgetIdle(); len(t.peers) >= maxPeers {
			return
		}
		p = &peer{address: to}
		t.peers[to] = p
	}
	if !t.closed && p.push(message) {
		t.senders.Go(func() { t.deliver(p) })
	}
}

// forgetIdle makes room when there are too many peers: addresses come from messages, too.
func (t *transport) forgetIdle() {
	if len(t.peers) < maxPeers {
		return
	}
	for address, p := range t.peers {
		if p.idle() {
			delete(t.peers, address)
		}
	}
}

// close delivers what is queued, for at most the given time, and frees everything.
func (t *transport) close(timeout time.Duration) {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	close(t.closing)
	give := time.AfterFunc(timeout, t.cancel)
	t.senders.Wait()
	give.Stop()
	t.cancel()
	t.client.CloseIdleConnections()
}

// deliver sends what is queued for a peer until nothing is.
func (t *transport) deliver(p *peer) {
	var batch []queued
	var body []byte
	pause := firstPause
	for {
		var ok bool
		if batch, ok = p.take(batch); !ok {
			return
		}
		for rest := batch; len(rest) > 0; {
			var n int
			body, n = t.encode(body[:0], rest)
			err := t.post(p, body)
			if err == nil {
				pause = firstPause
				rest = rest[n:]
				continue
			}
			// Whatever else was taken would arrive late; the machine sends again what still matters.
			p.lost(len(rest))
			t.logger.Debug("peer not reached", "peer", p.address, "error", err)
			t.wait(pause)
			pause = min(2*pause, maxPause)
			break
		}
		clear(batch)
		t.report(p)
	}
}

// encode makes one body of the first n messages.
func (t *transport) encode(body []byte, messages []queued) (_ []byte, n int) {
	for n < len(messages) && len(body) < batchBytes {
		var ok bool
		if body, ok = appendFrame(body, messages[n].message); !ok {
			t.logger.Error("a message is too large for the peer protocol", "bytes", messages[n].weight)
		}
		n++
	}
	return body, n
}

func (t *transport) post(p *peer, body []byte) error {
	ctx, cancel := context.WithTimeout(t.ctx, deliverTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.address+peerPath, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header[fromHeader] = []string{t.self}
	// Messages may be repeated: let net/http try again when an idle connection turns out closed.
	request.Header["Idempotency-Key"] = []string{}
	response, err := t.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNoContent {
		p.refusal = ""
		return nil
	}
	return t.refused(p, response)
}

// refused logs once what a peer says against this node.
func (t *transport) refused(p *peer, response *http.Response) error {
	var said struct {
		Error string `json:"error"`
	}
	text, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if json.Unmarshal(text, &said) != nil || said.Error == "" {
		said.Error = fmt.Sprintf("it answers with HTTP status %d, so it is no node of a store", response.StatusCode)
	}
	if response.StatusCode != http.StatusServiceUnavailable && said.Error != p.refusal {
		p.refusal = said.Error
		t.logger.Warn("a peer refuses the messages of this node", "peer", p.address, "reason", said.Error)
	}
	return fmt.Errorf("httpnode: peer %s: %s", p.address, said.Error)
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

// report logs losses, at most once in reportInterval.
func (t *transport) report(p *peer) {
	if now := time.Now(); now.Sub(p.reported) >= reportInterval {
		if n := p.takeDropped(); n > 0 {
			p.reported = now
			t.logger.Warn("messages to a peer were lost", "peer", p.address, "messages", n)
		}
	}
}
