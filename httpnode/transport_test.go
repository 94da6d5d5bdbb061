package httpnode

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/store"
	"github.com/sequitur-kv/sequitur/core/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logLines is a logger whose text a test can read.
type logLines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logLines) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), part)
}

func (l *logLines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// epochsOf makes a machine that passes on the epochs of the messages it receives.
func epochsOf(received chan<- uint64) *fakeMachine {
	return &fakeMachine{onStep: func(input core.Input, _ *core.Output) {
		if input.Kind == core.InputMessage {
			received <- input.Message.Epoch
		}
	}}
}

func TestTransportDelivers(t *testing.T) {
	const messages = 10_000
	received := make(chan uint64, messages)
	n := fakeNode(t, epochsOf(received), Config{})
	var mu sync.Mutex
	remotes := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		remotes[r.RemoteAddr] = true
		mu.Unlock()
		n.Handler().ServeHTTP(w, r)
	}))
	defer server.Close()
	tr := newTransport("127.3.2.1:1", slog.New(slog.DiscardHandler))
	to := server.Listener.Addr().String()
	for i := range uint64(messages) {
		tr.send(to, heartbeat(i))
		if i%1000 == 0 { // the queue is bounded: let it run empty
			for last := uint64(0); last != i; {
				last = <-received
			}
		}
	}
	tr.close(10 * time.Second)
	close(received)
	want := uint64(messages - 999)
	for epoch := range received {
		if epoch != want {
			t.Fatalf("received %d, want %d", epoch, want)
		}
		want++
	}
	if want != messages {
		t.Errorf("received up to %d, want %d", want, messages)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(remotes) != 1 {
		t.Errorf("%d connections, want 1: %v", len(remotes), remotes)
	}
	for remote := range remotes {
		if host, _, err := net.SplitHostPort(remote); err != nil || host != "127.3.2.1" {
			t.Errorf("dialled from %s, want the node's own address", remote)
		}
	}
}

// TestTransportOtherVersion has a peer of another release on each side.
func TestTransportOtherVersion(t *testing.T) {
	lines := new(logLines)
	n := fakeNode(t, &fakeMachine{}, Config{Logger: lines.logger()})
	frame := []byte{0, 0, 0, 2, wire.Version + 1, 1}
	const want = `{"error":"The peer speaks version 2 of the peer protocol, this node version 1; run the same release everywhere","message":"Error in POST"}`
	for range 3 {
		wantJSON(t, do(n.Handler(), "POST", peerPath, string(frame), fromHeader, "b:1"), 400, want)
	}
	wantJSON(t, do(n.Handler(), "POST", peerPath, string(frame), fromHeader, "c:1"), 400, want)
	if got := lines.count("run the same release"); got != 2 {
		t.Errorf("logged %d times, want once for each peer: %s", got, lines.text.String())
	}

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		write(w, http.StatusBadRequest, []byte(want))
	}))
	defer server.Close()
	lines = new(logLines)
	tr := newTransport("a:1", lines.logger())
	for range 3 {
		tr.send(server.Listener.Addr().String(), heartbeat(1))
		tr.senders.Wait()
	}
	tr.close(time.Second)
	if got := lines.count("run the same release"); got != 1 {
		t.Errorf("the sender logged %d times, want once: %s", got, lines.text.String())
	}
	if got := lines.count("lost"); got != 0 {
		t.Errorf("losses logged %d times although nothing was ever delivered: %s", got, lines.text.String())
	}
}

// TestTransportLosses has a peer that is reached once, and then refuses everything.
func TestTransportLosses(t *testing.T) {
	var status atomic.Int64
	status.Store(http.StatusNoContent)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
	defer server.Close()
	lines := new(logLines)
	tr := newTransport("a:1", lines.logger())
	for range 4 {
		tr.send(server.Listener.Addr().String(), heartbeat(1))
		tr.senders.Wait()
		status.Store(http.StatusServiceUnavailable)
	}
	if got := tr.figures()[0]; got.sent != 1 || got.bodies != 1 || got.dropped != 3 {
		t.Errorf("figures %+v", got)
	}
	tr.close(time.Second)
	if got := lines.count("messages=1"); got != 1 {
		t.Errorf("losses logged %d times within a minute, want once: %s", got, lines.text.String())
	}
}

// TestTransportTogether wants what is queued before a flush in one body.
func TestTransportTogether(t *testing.T) {
	received := make(chan uint64, 10)
	n := fakeNode(t, epochsOf(received), Config{})
	server := httptest.NewServer(n.Handler())
	defer server.Close()
	tr := newTransport("a:1", slog.New(slog.DiscardHandler))
	for i := range uint64(10) {
		tr.queue(server.Listener.Addr().String(), heartbeat(i))
	}
	if tr.peers[server.Listener.Addr().String()].bodies != 0 {
		t.Error("delivered before the flush")
	}
	tr.flush()
	tr.senders.Wait()
	if got := tr.figures()[0]; got.sent != 10 || got.bodies != 1 {
		t.Errorf("%d messages in %d bodies, want 10 in 1", got.sent, got.bodies)
	}
	tr.close(time.Second)
}

// TestLinkStale closes the connection under a link that rests: the next body arrives over a new one.
func TestLinkStale(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	defer server.Close()
	tr := newTransport("a:1", slog.New(slog.DiscardHandler))
	defer tr.close(time.Second)
	to := server.Listener.Addr().String()
	for range 2 {
		tr.send(to, heartbeat(1))
		tr.senders.Wait()
		server.CloseClientConnections()
		for p := tr.peers[to]; len(p.link.answers) == 0; { // the news of it is on its way
			time.Sleep(time.Millisecond)
		}
	}
	p := tr.peers[to]
	if got := p.figures(); got.sent != 2 || got.dropped != 0 {
		t.Errorf("%d delivered, %d lost; want 2, 0", got.sent, got.dropped)
	}
	p.closeIdle()
	if p.link.conn != nil {
		t.Error("a connection that rests too long stays open")
	}
}

// TestCloseDelivers closes a node while a message is under way and another waits for it.
func TestCloseDelivers(t *testing.T) {
	entered, leave := make(chan struct{}, 2), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body) // the first request ends when nothing more comes
		if entered <- struct{}{}; err != nil {
			t.Error(err)
		}
		<-leave
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	n, err := New(Config{Machine: core.Config{Address: testAddress}})
	if err != nil {
		t.Fatal(err)
	}
	n.transport.send(server.Listener.Addr().String(), heartbeat(1))
	<-entered
	n.transport.send(server.Listener.Addr().String(), heartbeat(2))
	closed := make(chan error, 1)
	go func() { closed <- n.Close() }()
	<-n.transport.closing
	close(leave)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	select {
	case <-entered:
	default:
		t.Error("what had been sent was not delivered")
	}
}

func TestTransportNoNode(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	lines := new(logLines)
	tr := newTransport("a:1", lines.logger())
	tr.send(server.Listener.Addr().String(), heartbeat(1))
	tr.senders.Wait()
	tr.close(time.Second)
	if lines.count("HTTP status 404") != 1 {
		t.Errorf("log: %s", lines.text.String())
	}
}

// TestTransportHanging sends to a peer that accepts and never answers.
func TestTransportHanging(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	tr := newTransport(testAddress, slog.New(slog.DiscardHandler))
	to := listener.Addr().String()
	begin := time.Now()
	for i := range uint64(4 * maxQueued) {
		tr.send(to, &wire.Message{Epoch: i, From: 1, To: 2, Body: &wire.Reply{Value: make([]byte, 1<<10)}})
	}
	if took := time.Since(begin); took > deliverTimeout {
		t.Errorf("sending blocked for %v", took)
	}
	p := tr.peers[to]
	p.mu.Lock()
	queued, dropped := len(p.queue), p.dropped
	newest := p.queue[queued-1].message.Epoch
	p.mu.Unlock()
	if queued > maxQueued || dropped < maxQueued || newest != 4*maxQueued-1 {
		t.Errorf("%d queued, %d dropped, newest %d", queued, dropped, newest)
	}
	begin = time.Now()
	tr.close(50 * time.Millisecond)
	if took := time.Since(begin); took > time.Second {
		t.Errorf("closing took %v", took)
	}
}

func TestPeerQueueBytes(t *testing.T) {
	p := &peer{}
	big := &wire.Message{From: 1, To: 2, Body: &wire.Batch{Writes: []store.Version{{Value: make([]byte, maxQueuedBytes/4)}}}}
	for i := range 10 {
		if call := p.push(big); call != (i == 0) || call && !p.start() {
			t.Errorf("push %d wants a sender: %v", i, call)
		}
	}
	if len(p.queue) != 3 || p.bytes > maxQueuedBytes || p.takeDropped() != 7 {
		t.Errorf("%d queued, %d bytes, dropped %d", len(p.queue), p.bytes, p.dropped)
	}
	huge := &wire.Message{From: 1, To: 2, Body: &wire.Forward{Value: make([]byte, 2*maxQueuedBytes)}}
	p.push(huge)
	if !p.take() || len(p.batch) != 1 || p.batch[0].message != huge {
		t.Error("a message above the bound is not kept alone")
	}
	if p.take() || !p.end() || !p.retire() || p.bytes != 0 {
		t.Error("an empty queue keeps its sender")
	}
}

// countingServer is a node that passes on the epochs it receives, and counts its connections.
func countingServer(t *testing.T, received chan<- uint64, open *atomic.Int64) (address string) {
	n := fakeNode(t, epochsOf(received), Config{})
	server := httptest.NewUnstartedServer(n.Handler())
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		default:
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// TestTransportFollows changes who is a member: the connection to one who is none any more is closed soon, after the
// last message to it was delivered; that to a member stays.
func TestTransportFollows(t *testing.T) {
	var open atomic.Int64
	received := make(chan uint64, 10)
	stays, goes := countingServer(t, received, &open), countingServer(t, received, &open)
	tr := newTransport("a:1", slog.New(slog.DiscardHandler))
	defer tr.close(time.Second)
	both := func() {
		tr.send(stays, heartbeat(1))
		tr.send(goes, heartbeat(2))
		tr.senders.Wait()
	}
	peer := func(address string) *peer {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		return tr.peers[address]
	}
	rest := func() { // as if the time to rest were over
		for _, address := range []string{stays, goes} {
			if p := peer(address); p != nil {
				p.restOver()
			}
		}
	}
	both() // nobody knows who is a member: the store has not formed
	first := peer(goes)
	rest()
	if len(received) != 2 || peer(goes) != first {
		t.Fatalf("%d received, the peer is %v", len(received), peer(goes))
	}
	tr.follow([]string{stays, goes})
	both()
	tr.follow([]string{stays})
	tr.send(goes, heartbeat(3))
	tr.senders.Wait()
	rest()
	if len(received) != 5 || peer(goes) != nil || peer(stays) == nil || len(tr.figures()) != 1 {
		t.Errorf("%d received; peers %v", len(received), tr.figures())
	}
	for deadline := time.Now().Add(5 * time.Second); open.Load() > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if open.Load() != 0 { // restOver closes idle connections of members, too
		t.Errorf("%d connections are open", open.Load())
	}
	tr.send(goes, heartbeat(4)) // an answer to a stranger
	tr.senders.Wait()
	if p := peer(goes); p == nil || !p.stranger {
		t.Errorf("the peer is %+v", p)
	}
	tr.follow([]string{stays, goes})
	rest()
	if p := peer(goes); p == nil || p.stranger {
		t.Errorf("a member is forgotten: %+v", p)
	}
}

func TestTransportPeersBounded(t *testing.T) {
	tr := newTransport(testAddress, slog.New(slog.DiscardHandler))
	tr.cancel() // every delivery fails at once
	for i := range 3 * maxPeers {
		tr.send(fmt.Sprintf("127.0.0.1:%d", i+1), heartbeat(1))
	}
	if len(tr.peers) > maxPeers {
		t.Errorf("%d peers are remembered", len(tr.peers))
	}
	tr.close(0)
	tr.send("127.0.0.1:1", heartbeat(1)) // after close: nothing
}

func TestFrames(t *testing.T) {
	var body []byte
	for i := range uint64(3) {
		body, _ = appendFrame(body, heartbeat(i))
	}
	all := func(int64) bool { return true }
	in := &frames{reader: bufio.NewReader(bytes.NewReader(body))}
	for i := range uint64(3) {
		frame, err := in.next(all)
		if err != nil {
			t.Fatal(err)
		}
		if message, err := wire.Decode(frame); err != nil || message.Epoch != i {
			t.Errorf("frame %d: %+v, %v", i, message, err)
		}
	}
	if _, err := in.next(all); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
	for _, bad := range []string{"\x00", "\x00\x00\x00\x01", "\x04\x00\x00\x01", "\xff\xff\xff\xff", "\x00\x00\x00\x02a"} {
		in := &frames{reader: bufio.NewReader(strings.NewReader(bad)), large: new(bytes.Buffer)}
		if _, err := in.next(all); !errors.Is(err, errFrame) {
			t.Errorf("%q: %v", bad, err)
		}
		if in.large.Cap() > 1<<10 {
			t.Errorf("%q made the reader allocate %d bytes", bad, in.large.Cap())
		}
	}
}

func TestPeerGarbage(t *testing.T) {
	n := fakeNode(t, &fakeMachine{}, Config{})
	for _, body := range []string{"x", "\x00\x00\x00\x02\x01\xff", "\x00\x00\x00\x00"} {
		w := do(n.Handler(), "POST", peerPath, body)
		if w.Code != http.StatusBadRequest || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%q: %d %s", body, w.Code, w.Body)
		}
	}
}

// TestRefusedWhileDraining checks what a stopping node still does.
func TestRefusedWhileDraining(t *testing.T) {
	received := make(chan uint64, 1)
	n := fakeNode(t, epochsOf(received), Config{})
	n.draining.Store(true)
	w := do(n.Handler(), "GET", "/key-value-store/x", "")
	wantJSON(t, w, 503, `{"error":"The node is shutting down","message":"Error in GET"}`)
	if w.Header().Get("Connection") != "close" {
		t.Error("the connection is kept")
	}
	body, _ := appendFrame(nil, heartbeat(7))
	if w := do(n.Handler(), "POST", peerPath, string(body)); w.Code != http.StatusNoContent || <-received != 7 {
		t.Errorf("peers are refused: %d %s", w.Code, w.Body)
	}
}
