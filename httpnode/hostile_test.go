package httpnode

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// client is a connection on which a test writes what it likes.
type client struct {
	net.Conn
	reader *bufio.Reader
}

func connect(t testing.TB, address string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &client{conn, bufio.NewReader(conn)}
}

// say writes text; an error means that the node has answered and closed already.
func (c *client) say(text string) { _, _ = io.WriteString(c, text) }

// wantAnswer reads one response, which must be JSON with this status.
func (c *client) wantAnswer(t testing.TB, status int, part string) {
	t.Helper()
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		t.Errorf("no answer: %v", err)
		return
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != status || !strings.Contains(string(text), part) {
		t.Errorf("%d %s %v, want %d with %q", response.StatusCode, text, err, status, part)
	}
	if !json.Valid(text) || response.Header.Get("Content-Type") != "application/json" {
		t.Errorf("not JSON: %q", text)
	}
}

// TestRefusedByServer sends what net/http refuses before a handler sees it.
func TestRefusedByServer(t *testing.T) {
	_, address := served(t, nil, Config{})
	tests := []struct {
		name, request string
		status        int
		part          string
	}{
		{"no HTTP", "GARBAGE\r\n\r\n", 400, "not valid HTTP"},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "not valid HTTP"},
		{"escape", "GET /key-value-store/%zz HTTP/1.1\r\nHost: n\r\n\r\n", 400, "not valid HTTP"},
		{"no host", "GET / HTTP/1.1\r\n\r\n", 400, "missing required Host header"},
		{"header name", "GET / HTTP/1.1\r\nHost: n\r\na b: c\r\n\r\n", 400, "not valid HTTP"},
		{"version", "GET / HTTP/7.0\r\nHost: n\r\n\r\n", 505, "not valid HTTP"},
		{"huge header", "GET / HTTP/1.1\r\nHost: n\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", 431, "Header Fields Too Large"},
		{"many headers", "GET / HTTP/1.1\r\nHost: n\r\n" + strings.Repeat("X: x\r\n", 20_000) + "\r\n", 431, "Header Fields Too Large"},
		{"long line", "GET /" + strings.Repeat("x", 64<<10) + " HTTP/1.1\r\nHost: n\r\n\r\n", 431, "Header Fields Too Large"},
		{"two lengths", "PUT /key-value-store/x HTTP/1.1\r\nHost: n\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "not valid HTTP"},
		{"encoding", "PUT /key-value-store/x HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "transfer encoding"},
		{"expectation", "GET /key-value-store/x HTTP/1.1\r\nHost: n\r\nExpect: wonders\r\n\r\n", 417, "Expect"},
		{"chunk", "PUT /key-value-store/x HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "Body ended"},
		{"body cut off", "PUT /key-value-store/x HTTP/1.1\r\nHost: n\r\nContent-Length: 9\r\n\r\n{}", 400, "Body ended"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := connect(t, address)
			c.say(test.request)
			if test.name == "body cut off" {
				if err := closeWrite(c.Conn); err != nil {
					t.Error(err)
				}
			}
			c.wantAnswer(t, test.status, test.part)
		})
	}
	c := connect(t, address)
	c.say("OPTIONS * HTTP/1.1\r\nHost: n\r\n\r\n")
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil || response.StatusCode >= 300 {
		t.Fatal(response, err)
	}
	defer response.Body.Close()
}

// TestEndlessBody sends chunks until the node has had enough.
func TestEndlessBody(t *testing.T) {
	_, address := served(t, nil, Config{MaxValueSize: 1 << 10})
	c := connect(t, address)
	c.say("PUT /key-value-store/x HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: chunked\r\n\r\n")
	chunk := fmt.Appendf(nil, "%x\r\n%s\r\n", 1<<20, bytes.Repeat([]byte(" "), 1<<20))
	go func() {
		for range 2 * maxDiscarded >> 20 {
			if _, err := c.Write(chunk); err != nil {
				return // the node has answered and closed
			}
		}
	}()
	c.wantAnswer(t, http.StatusRequestEntityTooLarge, "Body is too large")
}

// TestConnectionLimit opens one connection more than is allowed.
func TestConnectionLimit(t *testing.T) {
	n, address := served(t, nil, Config{MaxConnections: 3})
	var open []*client
	for range 3 {
		c := connect(t, address)
		c.say("GET /healthz HTTP/1.1\r\nHost: n\r\n\r\n")
		c.wantAnswer(t, 200, "OK")
		open = append(open, c)
	}
	connect(t, address).wantAnswer(t, 503, "Too many connections")
	open[0].Close()
	for n.guard.Load().open.Load() == 3 {
		runtime.Gosched()
	}
	c := connect(t, address)
	c.say("GET /healthz HTTP/1.1\r\nHost: n\r\n\r\n")
	c.wantAnswer(t, 200, "OK")
	if got := n.guard.Load().refused.Load(); got != 1 {
		t.Errorf("%d connections refused, want 1", got)
	}
}

// inUse is the memory that Go's heap and stacks hold.
func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// TestFloodOfWaiting has many writes wait that came with much white space: they must not hold
// the memory of their bodies.
func TestFloodOfWaiting(t *testing.T) {
	const count = 100
	var waiting sync.WaitGroup
	waiting.Add(count)
	m := &fakeMachine{onStep: func(input core.Input, _ *core.Output) {
		if input.Kind == core.InputRequest {
			waiting.Done()
		}
	}}
	n := fakeNode(t, m, Config{})
	body := `{"value":1` + strings.Repeat(" ", 256<<10) + `}`
	ctx, giveUp := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	slots := make(chan struct{}, 16) // requests that are being read at a time
	before := inUse()
	for range count {
		clients.Go(func() {
			slots <- struct{}{}
			r, err := http.NewRequestWithContext(ctx, "PUT", "/key-value-store/x", &notify{Reader: strings.NewReader(body), done: func() { <-slots }})
			if err != nil {
				t.Error(err)
				return
			}
			r.ContentLength = int64(len(body))
			w := &discardWriter{header: http.Header{}}
			n.Handler().ServeHTTP(w, r)
			if w.status != http.StatusServiceUnavailable {
				t.Errorf("status %d", w.status)
			}
		})
	}
	waiting.Wait()
	if each := (inUse() - before) / count; each > 64<<10 {
		t.Errorf("a request that waits holds %d bytes, its body was %d", each, len(body))
	}
	giveUp()
	clients.Wait()
}

// notify calls done when everything was read.
type notify struct {
	io.Reader
	done func()
	once sync.Once
}

func (n *notify) Read(p []byte) (int, error) {
	count, err := n.Reader.Read(p)
	if err != nil {
		n.once.Do(n.done)
	}
	return count, err
}

func (n *notify) Close() error { return nil }

// TestBodyBudget has more large bodies under way than the node has memory for.
func TestBodyBudget(t *testing.T) {
	var asked []core.Request
	n := fakeNode(t, answering(core.Response{Status: wire.StatusCreated, Shard: 1}, &asked), Config{})
	n.clients.bodies.limit = 1 << 20
	reading := make(chan struct{})
	half, rest := io.Pipe()
	var status atomic.Int64
	var first sync.WaitGroup
	first.Go(func() {
		w := &discardWriter{header: http.Header{}}
		start := &notify{Reader: strings.NewReader(`{"value":"` + strings.Repeat("a", 300<<10)), done: func() { close(reading) }}
		r, err := http.NewRequestWithContext(context.Background(), "PUT", "/key-value-store/x", io.MultiReader(start, half))
		if err != nil {
			t.Error(err)
			return
		}
		r.ContentLength = -1
		n.Handler().ServeHTTP(w, r)
		status.Store(int64(w.status))
	})
	<-reading
	large := `{"value":"` + strings.Repeat("b", 600<<10) + `"}`
	w := do(n.Handler(), "PUT", "/key-value-store/x", large)
	wantJSON(t, w, 503, `{"error":"Too many large requests are under way; try again later","message":"Error in PUT"}`)
	if w := do(n.Handler(), "PUT", "/key-value-store/x", `{"value":1}`); w.Code != 201 {
		t.Errorf("a small request: %d %s", w.Code, w.Body)
	}
	if _, err := io.WriteString(rest, `"}`); err != nil {
		t.Error(err)
	}
	if err := rest.Close(); err != nil {
		t.Error(err)
	}
	first.Wait()
	if status.Load() != 201 {
		t.Errorf("the first large request: %d", status.Load())
	}
	if used := n.clients.bodies.used.Load(); used != 0 {
		t.Errorf("%d bytes are not given back", used)
	}
	if w := do(n.Handler(), "PUT", "/key-value-store/x", large); w.Code != 201 {
		t.Errorf("a large request afterwards: %d %s", w.Code, w.Body)
	}
}

// TestSlowHeader has a client that never ends its header, behind a server with less patience.
func TestSlowHeader(t *testing.T) {
	n := realNode(t, Config{})
	server := n.newServer()
	for name, limit := range map[string]time.Duration{
		"header": server.ReadHeaderTimeout, "request": server.ReadTimeout, "answer": server.WriteTimeout, "rest": server.IdleTimeout,
	} {
		if limit < time.Second || limit > 3*time.Minute {
			t.Errorf("%s may take %v", name, limit)
		}
	}
	server.ReadHeaderTimeout = 50 * time.Millisecond
	listener := listen(t)
	guarded := &guard{Listener: listener, limit: 10}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(guarded) }()
	c := connect(t, listener.Addr().String())
	c.say("GET / HTTP/1.1\r\nHost: n\r\nX: ")
	if text, err := io.ReadAll(c.reader); err != nil || len(text) > 0 {
		t.Errorf("%q, %v; want a closed connection", text, err)
	}
	server.giveUp()
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
	if got := guarded.open.Load(); got != 0 {
		t.Errorf("%d connections are counted as open", got)
	}
}

// TestFrameBudget has no memory left for a large frame; a small one still arrives.
func TestFrameBudget(t *testing.T) {
	received := make(chan uint64, 3)
	n := fakeNode(t, epochsOf(received), Config{})
	n.receiver.frames.limit = 64 << 10
	large, _ := appendFrame(nil, &wire.Message{Epoch: 1, From: 1, To: 2, Body: &wire.Reply{Counter: 1, Status: wire.StatusFound, Value: make([]byte, 100<<10)}})
	small, _ := appendFrame(nil, heartbeat(2))
	w := do(n.Handler(), "POST", peerPath, string(small)+string(large))
	wantJSON(t, w, 503, `{"error":"Too many large frames are under way; try again later","message":"Error in POST"}`)
	if got := <-received; got != 2 {
		t.Errorf("received %d", got)
	}
	for range 2 { // what the first one took is free again
		n.receiver.frames.limit = int64(len(large))
		if w := do(n.Handler(), "POST", peerPath, string(large)); w.Code != http.StatusNoContent || <-received != 1 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
}
