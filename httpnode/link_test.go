package httpnode

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/core/wire"
)

// plenty is more time than anything takes that is to happen.
const plenty = 20 * time.Second

// testLink is a link to a server, which is closed with the test.
func testLink(t *testing.T, address string) *link {
	ctx, cancel := context.WithCancel(context.Background())
	var readers sync.WaitGroup
	l := newLink(ctx, new(net.Dialer), &readers, testAddress, address)
	t.Cleanup(func() {
		l.close()
		cancel()
		readers.Wait()
	})
	return l
}

// serving is a server of one handler for peers.
func serving(t *testing.T, handler http.HandlerFunc) (address string) {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func wantCounts(t *testing.T, l *link, arrived, lost shipment) {
	t.Helper()
	if a, b := l.count(); a != arrived || b != lost {
		t.Errorf("%+v arrived, %+v lost; want %+v, %+v", a, b, arrived, lost)
	}
}

// TestLinkStreams wants bodies to arrive before their request ends, and the next request to begin before the one before
// it is answered.
func TestLinkStreams(t *testing.T) {
	arrived, requests := make(chan string, 100), make(chan string, 100)
	answer := make(chan struct{})
	l := testLink(t, serving(t, func(w http.ResponseWriter, r *http.Request) {
		requests <- r.Header.Get(fromHeader)
		for buf := make([]byte, 100); ; {
			n, err := r.Body.Read(buf)
			if n > 0 {
				arrived <- string(buf[:n])
			}
			if err != nil {
				break
			}
		}
		<-answer
		w.WriteHeader(http.StatusNoContent)
	}))
	pass := func(body string) {
		t.Helper()
		if err := l.send([]byte(body), 2, plenty); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		l.begun = time.Now() // however slow the machine is
		pass(fmt.Sprintf("body %d", i))
		if got := <-arrived; got != fmt.Sprintf("body %d", i) {
			t.Errorf("got %q", got)
		}
	}
	if len(requests) != 1 || <-requests != testAddress {
		t.Errorf("%d more requests", len(requests))
	}
	wantCounts(t, l, shipment{}, shipment{})
	l.begun = l.begun.Add(-requestTime) // it has had its time
	pass("next")
	close(answer)
	if got := <-arrived; got != "next" || len(requests) != 1 {
		t.Errorf("%q in %d more requests", got, len(requests))
	}
	l.size = requestBytes
	pass("third")
	if err := l.finish(plenty); err != nil {
		t.Error(err)
	}
	wantCounts(t, l, shipment{10, 5}, shipment{})
	if len(requests) != 2 {
		t.Errorf("%d requests", len(requests))
	}
}

// TestLinkSilent has a peer that takes everything and answers nothing.
func TestLinkSilent(t *testing.T) {
	leave := make(chan struct{})
	l := testLink(t, serving(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // its end is no matter
		<-leave
	}))
	defer close(leave)
	const patience = 200 * time.Millisecond
	for range requestsOpen {
		if err := l.send([]byte("body"), 1, patience); err != nil {
			t.Fatal(err)
		}
		l.begun = l.begun.Add(-requestTime)
	}
	if err := l.send([]byte("body"), 1, patience); !errors.Is(err, errSilent) || l.conn != nil {
		t.Errorf("%v", err)
	}
	wantCounts(t, l, shipment{}, shipment{requestsOpen + 1, requestsOpen + 1})
	if err := l.send([]byte("body"), 1, patience); err != nil {
		t.Error(err)
	}
	if err := l.finish(patience); !errors.Is(err, errSilent) || l.conn != nil {
		t.Errorf("%v", err)
	}
	wantCounts(t, l, shipment{}, shipment{1, 1})
}

// TestLinkRefused has a peer that refuses a request before it has ended.
func TestLinkRefused(t *testing.T) {
	refusing := make(chan string, 10)
	l := testLink(t, serving(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadFull(r.Body, make([]byte, 4)); err != nil {
			t.Error(err)
		}
		w.Header().Set("Connection", "close")
		fail(w, r, http.StatusBadRequest, <-refusing)
	}))
	refused := new(refusal)
	refusing <- "it is wrong"
	err := l.send([]byte("body"), 1, plenty)
	for deadline := time.Now().Add(5 * time.Second); err == nil && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		err = l.send(make([]byte, 64<<10), 1, plenty)
	}
	if !errors.As(err, &refused) || refused.reason != "it is wrong" || refused.temporary {
		t.Errorf("%v", err)
	}
	if arrived, lost := l.count(); arrived.bodies != 0 || lost.bodies == 0 || lost.bodies != lost.messages {
		t.Errorf("%+v arrived, %+v lost", arrived, lost)
	}
	refusing <- "it is wrong again"
	if err := l.send([]byte("body"), 1, plenty); err != nil {
		t.Fatal(err)
	}
	if err := l.finish(plenty); !errors.As(err, &refused) || refused.reason != "it is wrong again" {
		t.Errorf("%v", err)
	}
}

// TestLinkUnasked has a peer that says more than it was asked.
func TestLinkUnasked(t *testing.T) {
	for answers := 1; answers < 6; answers++ {
		l := testLink(t, rawServer(t, func(conn net.Conn, requests *bufio.Reader) {
			if _, err := requests.ReadString('\n'); err != nil {
				t.Error(err)
			}
			_, _ = io.WriteString(conn, strings.Repeat("HTTP/1.1 204 No Content\r\n\r\n", answers)) // the other side may have heard enough
			_, _ = io.Copy(io.Discard, conn)
		}))
		if err := l.send([]byte("body"), 1, plenty); err != nil {
			t.Fatal(err)
		}
		if err := l.await(0, plenty); err == nil || errors.Is(err, errSilent) {
			t.Errorf("%d answers to a request that has no end: %v", answers, err)
		}
		l.close()
		wantCounts(t, l, shipment{}, shipment{1, 1})
	}
}

// rawServer is a server of one connection.
func rawServer(t *testing.T, serve func(conn net.Conn, requests *bufio.Reader)) (address string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var server sync.WaitGroup
	server.Go(func() {
		conn, err := listener.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		serve(conn, bufio.NewReader(conn))
	})
	t.Cleanup(func() {
		server.Wait()
		listener.Close()
	})
	return listener.Addr().String()
}

// TestLinkTalkative has a peer that answers a request, and goes on talking while the link rests: not for long.
func TestLinkTalkative(t *testing.T) {
	const answer = "HTTP/1.1 204 No Content\r\n"
	for _, more := range []string{
		strings.Repeat(answer+"\r\n", 2*requestsOpen) + answer + "Connection: close\r\n\r\n",
		strings.Repeat(answer+"\r\n", requestsOpen) + answer + "Connection: close\r\n\r\n",
		answer + "X-Header: " + strings.Repeat("x", 64<<20),
		"HTTP/1.1 400 Bad Request\r\n\r\n" + strings.Repeat("x", 64<<20),
	} {
		ended := make(chan struct{})
		l := testLink(t, rawServer(t, func(conn net.Conn, requests *bufio.Reader) {
			defer close(ended)
			r, err := http.ReadRequest(requests)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				t.Error(err)
			}
			if _, err := io.WriteString(conn, answer+"\r\n"+more); err == nil && len(more) > 32<<20 {
				t.Error("all of it is read")
			}
		}))
		if err := l.send([]byte("body"), 1, plenty); err != nil {
			t.Fatal(err)
		}
		if err := l.finish(plenty); err != nil {
			t.Error(err)
		}
		<-ended
		l.readers.Wait() // who waits for the end of the transport waits for this
		wantCounts(t, l, shipment{1, 1}, shipment{})
	}
}

// TestLinkLastWords wants what the peer has said before a write fails.
func TestLinkLastWords(t *testing.T) {
	l := testLink(t, "127.0.0.1:1")
	conn, other := net.Pipe()
	other.Close()
	answers := make(chan error, requestsOpen+1)
	l.conn, l.answers, l.release = conn, answers, func() bool { return true }
	l.sent, l.open, l.begun = []shipment{{3, 1}, {4, 2}}, true, time.Now()
	answers <- nil
	answers <- &refusal{reason: "it is wrong"}
	if refused := (*refusal)(nil); !errors.As(l.write(time.Second, []byte("body")), &refused) || refused.reason != "it is wrong" {
		t.Errorf("%v", refused)
	}
	l.close()
	wantCounts(t, l, shipment{3, 1}, shipment{4, 2})
}

// TestTransportPauses has a peer that closes every connection, without a word or with a refusal: it is not dialled again
// and again for each message.
func TestTransportPauses(t *testing.T) {
	const dials = 4
	for _, words := range []string{"", "hello\r\n", "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n"} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		dialled := make(chan struct{}, 1000)
		var server sync.WaitGroup
		server.Go(func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				dialled <- struct{}{}
				_, _ = io.WriteString(conn, words) // whether it is read or not
				conn.Close()
			}
		})
		tr := newTransport(testAddress, slog.New(slog.DiscardHandler))
		messages, begin := uint64(0), time.Now()
		more := time.NewTicker(time.Millisecond)
		for n := 0; n < dials; {
			select {
			case <-dialled:
				n++
			case <-more.C:
				tr.send(listener.Addr().String(), heartbeat(1))
				messages++
			}
		}
		more.Stop()
		took := time.Since(begin)
		tr.close(time.Second)
		listener.Close()
		server.Wait()
		if got := tr.figures()[0]; took < (dials-1)*firstPause || got.sent != 0 || got.dropped != messages {
			t.Errorf("%q: dialled %d times in %v, %d messages, figures %+v", words, dials, took, messages, got)
		}
	}
}

// TestTransportKeepsUntried has a peer that refuses the first request: what is queued by then goes over the next
// connection.
func TestTransportKeepsUntried(t *testing.T) {
	received, refuse := make(chan uint64, 10), make(chan struct{})
	n := fakeNode(t, epochsOf(received), Config{})
	var requests atomic.Int64
	to := serving(t, func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 1 {
			<-refuse
			w.Header().Set("Connection", "close")
			unavailable(w, r, "it starts")
			return
		}
		n.Handler().ServeHTTP(w, r)
	})
	tr := newTransport(testAddress, slog.New(slog.DiscardHandler))
	tr.send(to, heartbeat(1))
	p := tr.peers[to]
	lingers := func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.lingering
	}
	for !lingers() {
		runtime.Gosched()
	}
	tr.queue(to, heartbeat(2)) // the sender is not told of it, but of the refusal
	close(refuse)
	if got := <-received; got != 2 {
		t.Errorf("received %d", got)
	}
	tr.close(plenty)
	if got := tr.figures()[0]; got.sent != 1 || got.dropped != 1 {
		t.Errorf("figures %+v", got)
	}
}

// TestPeerStops ends the contexts of all requests, as a node does that stops: a request without an end does not hold it up.
func TestPeerStops(t *testing.T) {
	received := make(chan uint64, 1)
	n := fakeNode(t, epochsOf(received), Config{})
	ctx, cancel := context.WithCancel(context.Background())
	server := httptest.NewUnstartedServer(n.Handler())
	server.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	server.Start()
	defer server.Close()
	l := testLink(t, server.Listener.Addr().String())
	frame, _ := appendFrame(nil, heartbeat(1))
	if err := l.send(frame, 1, plenty); err != nil {
		t.Fatal(err)
	}
	<-received
	cancel()
	if err := l.await(0, plenty); err == nil || errors.Is(err, errSilent) {
		t.Errorf("%v", err)
	}
}

// TestLinkLastAnswer has a peer that closes the connection with its answer: the next body goes over a new one.
func TestLinkLastAnswer(t *testing.T) {
	l := testLink(t, serving(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusNoContent)
	}))
	for range 3 {
		if err := l.send([]byte("body"), 1, plenty); err != nil {
			t.Fatal(err)
		}
		if err := l.finish(plenty); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(5 * time.Second); len(l.answers) == 0 && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
	}
	wantCounts(t, l, shipment{3, 3}, shipment{})
}

// TestTransportLingers wants messages in one request as long as they keep coming, each at once, and an end of it soon
// after the last one.
func TestTransportLingers(t *testing.T) {
	received, ended := make(chan uint64, 10), make(chan struct{}, 10)
	n := fakeNode(t, epochsOf(received), Config{})
	to := serving(t, func(w http.ResponseWriter, r *http.Request) {
		n.Handler().ServeHTTP(w, r)
		ended <- struct{}{}
	})
	tr := newTransport(testAddress, slog.New(slog.DiscardHandler))
	defer tr.close(time.Second)
	last, late := time.Now(), 0
	for i := range uint64(5) {
		tr.send(to, heartbeat(i))
		if got := <-received; got != i {
			t.Errorf("received %d, want %d", got, i)
		}
		if time.Since(last) > lingerTime/2 { // a slow machine
			late++
		}
		last = time.Now()
	}
	tr.senders.Wait()
	if got := tr.figures()[0]; got.sent != 5 || got.bodies != 5 || got.dropped != 0 || len(ended) == 0 || len(ended) > 1+late {
		t.Errorf("figures %+v, %d requests, %d of them because messages came late", got, len(ended), late)
	}
}

// TestTransportTooLarge has a message that no frame holds among others.
func TestTransportTooLarge(t *testing.T) {
	received := make(chan uint64, 10)
	n := fakeNode(t, epochsOf(received), Config{})
	to := serving(t, n.Handler().ServeHTTP)
	tr := newTransport(testAddress, slog.New(slog.DiscardHandler))
	large := &wire.Message{From: 1, To: 2, Body: &wire.Reply{Value: make([]byte, maxFrame)}}
	for i := range uint64(3) {
		for tr.send(to, large); tr.figures()[0].queued > 0; { // until its sender has taken it alone
			time.Sleep(time.Millisecond)
		}
		for epoch := range uint64(2) {
			tr.send(to, heartbeat(2*i+epoch))
			if got := <-received; got != 2*i+epoch {
				t.Errorf("received %d, want %d", got, 2*i+epoch)
			}
		}
	}
	tr.close(plenty)
	if got := tr.figures()[0]; got.sent != 6 || got.dropped != 3 {
		t.Errorf("figures %+v", got)
	}
}

// TestPeerStream feeds a node messages of a request without an end, until the node stops.
func TestPeerStream(t *testing.T) {
	received := make(chan uint64, 10)
	n := fakeNode(t, epochsOf(received), Config{})
	to := serving(t, n.Handler().ServeHTTP)
	body, more := io.Pipe()
	said := make(chan *http.Response, 1)
	var client sync.WaitGroup
	client.Go(func() {
		w, err := http.Post("http://"+to+peerPath, "", body)
		if err != nil {
			t.Error(err)
		}
		said <- w
	})
	write := func(text []byte) {
		if _, err := more.Write(text); err != nil {
			t.Error(err)
		}
	}
	for i := range uint64(3) {
		frame, _ := appendFrame(nil, heartbeat(i))
		write(frame[:7])
		write(frame[7:])
		if got := <-received; got != i {
			t.Errorf("received %d, want %d", got, i)
		}
	}
	large, _ := appendFrame(nil, &wire.Message{Epoch: 3, From: 1, To: 2, Body: &wire.Reply{Counter: 1, Status: wire.StatusFound, Value: make([]byte, 10*frameBuffer)}})
	small, _ := appendFrame(nil, heartbeat(4))
	write(append(large, small...))
	if first, second := <-received, <-received; first != 3 || second != 4 {
		t.Errorf("received %d and %d", first, second)
	}
	n.engine.close()
	write(small)
	w := <-said
	if err := more.Close(); err != nil {
		t.Error(err)
	}
	client.Wait()
	if w == nil {
		return
	}
	defer w.Body.Close()
	if text, err := io.ReadAll(w.Body); w.StatusCode != http.StatusServiceUnavailable || !w.Close || err != nil {
		t.Errorf("%s %s, %v", w.Status, text, err)
	}
	if len(received) > 0 {
		t.Error("a node that has stopped takes messages")
	}
}

// TestPeerPaused has a sender that falls asleep in the middle of a request, and of a message: when it wakes up it is told
// nothing that would count against its messages.
func TestPeerPaused(t *testing.T) {
	n := fakeNode(t, &fakeMachine{}, Config{})
	n.receiver.timeout = 20 * time.Millisecond
	frame, _ := appendFrame(nil, heartbeat(1))
	for _, part := range [][]byte{frame, frame[:7]} {
		l := testLink(t, serving(t, n.Handler().ServeHTTP))
		if err := l.send(part, 1, plenty); err != nil {
			t.Fatal(err)
		}
		if err := l.await(0, plenty); err == nil || errors.Is(err, errSilent) || errors.As(err, new(*refusal)) {
			t.Errorf("%d of %d bytes: %v", len(part), len(frame), err)
		}
	}
}
