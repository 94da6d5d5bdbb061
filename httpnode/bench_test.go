package httpnode

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/julienschmidt/httprouter"

	"github.com/sequitur-kv/sequitur/core"
)

// BenchmarkServe compares GET and PUT on one node with the ceiling: a handler behind the same router
// and server that returns a constant of the same size. The metric "of-ceiling" is the share of its
// throughput that is reached; the load generator shares the processors with the server.
func BenchmarkServe(b *testing.B) {
	const connections = 16 // for each processor
	n := realNode(b, Config{})
	put := rawRequest("PUT", "/key-value-store/key", `{"value":"0123456789","causal-metadata":""}`)
	get := rawRequest("GET", "/key-value-store/key", "")
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

	var ceiling float64 // nanoseconds per request
	for _, test := range []struct {
		name    string
		handler http.Handler
		request []byte
	}{{"constant", router, get}, {"get", n.Handler(), get}, {"put", n.Handler(), put}} {
		b.Run(test.name, func(b *testing.B) {
			server := httptest.NewServer(test.handler)
			defer server.Close()
			address := server.Listener.Addr().String()
			b.SetParallelism(connections)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) { repeat(b, pb, address, test.request) })
			each := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
			b.ReportMetric(1e9/each, "req/s")
			if test.name == "constant" {
				ceiling = each
			} else if ceiling > 0 {
				b.ReportMetric(ceiling/each, "of-ceiling")
			}
		})
	}
}

func rawRequest(method, path, body string) []byte {
	return fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: n\r\nContent-Length: %d\r\n\r\n%s", method, path, len(body), body)
}

// repeat sends a request over one connection again and again. It reads just enough of a response to
// find its end, so that most of the time is the server's.
func repeat(b *testing.B, pb *testing.PB, address string, request []byte) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Error(err)
		return
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	for pb.Next() {
		if _, err := conn.Write(request); err != nil {
			b.Error(err)
			return
		}
		if err := skipResponse(r); err != nil {
			b.Error(err)
			return
		}
	}
}

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
	var listeners []net.Listener
	var view []string
	for range 3 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		listeners, view = append(listeners, listener), append(view, listener.Addr().String())
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	defer func() {
		stop()
		running.Wait()
	}()
	nodes := make([]*Node, len(view))
	for i := range view {
		n, err := New(Config{Machine: core.Config{Address: view[i], View: view, ShardCount: 1}, Listener: listeners[i]})
		if err != nil {
			b.Fatal(err)
		}
		nodes[i] = n
		running.Go(func() {
			if err := n.Run(ctx); err != nil {
				b.Error(err)
			}
		})
	}
	for _, n := range nodes {
		<-n.Ready()
	}
	b.Run("put", func(b *testing.B) {
		b.SetParallelism(16)
		request := rawRequest("PUT", "/key-value-store/key", `{"value":"0123456789","causal-metadata":""}`)
		b.RunParallel(func(pb *testing.PB) { repeat(b, pb, view[0], request) })
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
	})
}
