package httpnode

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/julienschmidt/httprouter"
)

// BenchmarkServe compares GET and PUT on one node with the ceiling: a handler behind the same router
// and server that returns a constant of the same size. The metric "of-ceiling" is the share of its
// throughput that is reached. The two take turns, so that both see the same moods of the machine; the
// load generator shares the processors with them.
func BenchmarkServe(b *testing.B) {
	n := realNode(b, Config{})
	if w := do(n.Handler(), "PUT", "/key-value-store/key", `{"value":"0123456789"}`); w.Code != http.StatusCreated {
		b.Fatal(w.Body)
	}
	router := httprouter.New()
	body := do(n.Handler(), "GET", "/key-value-store/key", "").Body.Bytes()
	constant := func(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) {
		w.Header().Set("Content-Type", "application/json")
		if _, err := w.Write(body); err != nil {
			b.Error(err)
		}
	}
	router.GET(keyPrefix+"*key", constant)
	get := rawRequest("GET", "/key-value-store/key", "")
	put := rawRequest("PUT", "/key-value-store/key", `{"value":"0123456789","causal-metadata":""}`)
	b.Run("get", func(b *testing.B) { compare(b, n.Handler(), get, router, get) })
	b.Run("put", func(b *testing.B) { compare(b, n.Handler(), put, router, get) })
}

// compare sends b.N requests to handler and as many to ceiling, in turns.
func compare(b *testing.B, handler http.Handler, request []byte, ceiling http.Handler, constant []byte) {
	const turns = 20
	own, other := newLoad(b, handler, request), newLoad(b, ceiling, constant)
	each := b.N/turns + 1
	var took, ceilingTook time.Duration
	for range turns {
		ceilingTook += other.send(b, each)
		took += own.send(b, each)
	}
	b.ReportMetric(float64(took.Nanoseconds())/float64(turns*each), "ns/op")
	b.ReportMetric(float64(turns*each)/took.Seconds(), "req/s")
	b.ReportMetric(float64(ceilingTook)/float64(took), "of-ceiling")
}

// load is a server with connections that send it one request again and again.
type load struct {
	request     []byte
	connections []net.Conn
	readers     []*bufio.Reader
}

func newLoad(b *testing.B, handler http.Handler, request []byte) *load {
	const connections = 32
	server := httptest.NewServer(handler)
	b.Cleanup(server.Close)
	l := &load{request: request}
	for range connections {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { conn.Close() })
		l.connections, l.readers = append(l.connections, conn), append(l.readers, bufio.NewReader(conn))
	}
	return l
}

// send sends n requests, spread over the connections.
func (l *load) send(b *testing.B, n int) time.Duration {
	begin := time.Now()
	left := atomic.Int64{}
	left.Store(int64(n))
	var clients sync.WaitGroup
	for i := range l.connections {
		clients.Go(func() {
			for left.Add(-1) >= 0 {
				if _, err := l.connections[i].Write(l.request); err != nil {
					b.Error(err)
					return
				}
				if err := skipResponse(l.readers[i]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	clients.Wait()
	return time.Since(begin)
}

func rawRequest(method, path, body string) []byte {
	return fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: n\r\nContent-Length: %d\r\n\r\n%s", method, path, len(body), body)
}

// skipResponse reads just enough of a response to find its end, so that most of the time is the
// server's.
func skipResponse(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(string(line), "HTTP/1.1 20") {
		return fmt.Errorf("response %q", line)
	}
	length := 0
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return err
		}
		if len(line) <= 2 {
			_, err = r.Discard(length)
			return err
		}
		if text, ok := strings.CutPrefix(string(line), "Content-Length: "); ok {
			if length, err = strconv.Atoi(strings.TrimSpace(text)); err != nil {
				return err
			}
		}
	}
}

// BenchmarkHandler leaves the network out.
func BenchmarkHandler(b *testing.B) {
	n := realNode(b, Config{})
	h := n.Handler()
	for _, test := range []struct{ method, body string }{{"PUT", `{"value":"0123456789","causal-metadata":""}`}, {"GET", ""}} {
		b.Run(strings.ToLower(test.method), func(b *testing.B) {
			b.ReportAllocs()
			body := strings.NewReader(test.body)
			r := httptest.NewRequest(test.method, "/key-value-store/key", io.NopCloser(body))
			r.ContentLength = int64(len(test.body))
			w := &discardWriter{header: http.Header{}}
			for b.Loop() {
				body.Reset(test.body)
				clear(w.header)
				h.ServeHTTP(w, r)
			}
			if w.status >= 300 {
				b.Fatal(w.status)
			}
		})
	}
}

type discardWriter struct {
	header http.Header
	status int
}

func (w *discardWriter) Header() http.Header         { return w.header }
func (w *discardWriter) WriteHeader(status int)      { w.status = status }
func (w *discardWriter) Write(p []byte) (int, error) { return len(p), nil }

// BenchmarkReplicated puts at one node of a shard of three, in one process.
func BenchmarkReplicated(b *testing.B) {
	nodes := newStore(b, 3, Config{})
	run(b, nodes...)
	b.Run("put", func(b *testing.B) {
		l := newLoad(b, nodes[0].Handler(), rawRequest("PUT", "/key-value-store/key", `{"value":"0123456789","causal-metadata":""}`))
		b.ResetTimer()
		took := l.send(b, b.N)
		b.ReportMetric(float64(b.N)/took.Seconds(), "req/s")
	})
}
