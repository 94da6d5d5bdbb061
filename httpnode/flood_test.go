package httpnode

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sequitur-kv/sequitur/core"
)

// severable is a store whose nodes hear nothing of each other while it is cut.
type severable struct {
	nodes []*Node
	among []*Node // the cut is between these only; nil: all. Set before the first cut
	cut   atomic.Bool
}

// severs tells whether a message between nodes is lost while the store is cut.
func (s *severable) severs(from string, to *Node) bool {
	return s.among == nil || slices.Contains(s.among, to) &&
		slices.ContainsFunc(s.among, func(n *Node) bool { return n.Address() == from })
}

// severedBody breaks off while its way is cut.
type severedBody struct {
	io.ReadCloser
	cut func() bool
}

func (b severedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.cut() {
		panic(http.ErrAbortHandler)
	}
	return n, err
}

func newSeverable(t *testing.T, count int, machine core.Config) *severable {
	t.Helper()
	s := &severable{nodes: newStore(t, count, Config{Machine: machine})}
	for _, n := range s.nodes {
		whole := n.handler
		n.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == peerPath {
				from := r.Header.Get(fromHeader)
				r.Body = severedBody{r.Body, func() bool { return s.cut.Load() && s.severs(from, n) }}
			}
			whole.ServeHTTP(w, r)
		})
	}
	run(t, s.nodes...)
	return s
}

// flood is many clients that send requests to one node at a time, each as soon as the one before was
// answered.
type flood struct {
	t       *testing.T
	node    *Node
	limit   core.Config // of the node's machine
	client  http.Client
	giveUp  context.CancelFunc
	clients sync.WaitGroup

	mu      sync.Mutex
	answers map[string]int // by status and, if it is an error, body
	refused int            // answers that the node has too much waiting
}

// startFlood sends total requests over the given number of connections; request makes the i-th.
func startFlood(t *testing.T, node *Node, total, connections int, request func(i int) (method, key, body string)) *flood {
	ctx, giveUp := context.WithCancel(context.Background())
	f := &flood{t: t, node: node, limit: node.config.Machine, giveUp: giveUp, answers: map[string]int{}}
	f.client.Transport = &http.Transport{MaxIdleConnsPerHost: connections}
	var next atomic.Int64
	for range connections {
		f.clients.Go(func() {
			for i := next.Add(1) - 1; i < int64(total); i = next.Add(1) - 1 {
				method, key, body := request(int(i))
				f.send(ctx, method, key, body)
			}
		})
	}
	return f
}

// send sends one request. An error is an answer only to a client that has given up.
func (f *flood) send(ctx context.Context, method, key, body string) {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+f.node.Address()+keyPrefix+key, strings.NewReader(body))
	if err != nil {
		f.t.Error(err)
		return
	}
	w, err := f.client.Do(r)
	if err != nil {
		if ctx.Err() == nil {
			f.t.Error(err)
		}
		f.count("given up", false)
		return
	}
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	if err != nil {
		f.t.Error(err)
	}
	answer := fmt.Sprintf("%s %d", method, w.StatusCode)
	if w.StatusCode >= 500 {
		answer = fmt.Sprintf("%d %s %s", w.StatusCode, w.Header.Get("Retry-After"), text)
	}
	f.count(answer, answer == overloaded(method))
	f.checkBound()
}

// overloaded is the refusal that SPEC.md documents: status, Retry-After, body.
func overloaded(method string) string {
	return `503 1 {"error":"Too many requests wait for their dependencies; try again later","message":"Error in ` + method + `"}`
}

func (f *flood) count(answer string, refused bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[answer]++
	if refused {
		f.refused++
	}
}

// checkBound tells whether the requests that wait are few enough.
func (f *flood) checkBound() bool {
	s := f.node.engine.snapshot()
	if s.Waiting > f.limit.MaxWaiting || s.WaitingBytes > f.limit.MaxWaitingBytes {
		f.t.Errorf("%d requests wait with %d bytes, at most %d may with %d", s.Waiting, s.WaitingBytes, f.limit.MaxWaiting, f.limit.MaxWaitingBytes)
		return false
	}
	return true
}

// until polls for a condition; when it does not come, or too much waits, all clients give up.
func (f *flood) until(what string, condition func() bool) {
	f.t.Helper()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(20 * time.Second); !condition(); <-ticker.C {
		if late := time.Now().After(deadline); late || !f.checkBound() {
			f.end()
			f.t.Fatalf("the flood does not come to this: %s (too late: %v); %v", what, late, f.answers)
		}
	}
}

func (f *flood) untilRefused(count int) {
	f.t.Helper()
	f.until(fmt.Sprintf("%d requests refused", count), func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.refused >= count
	})
}

// end has the clients that still wait give up, and returns when all are gone.
func (f *flood) end() {
	f.giveUp()
	f.clients.Wait()
	f.client.CloseIdleConnections()
}

// wantAll wants each request answered: so many refused, and the rest as other says.
func (f *flood) wantAll(total, refused int, other func(answer string) bool) {
	f.t.Helper()
	rest, unexpected := 0, 0
	for answer, count := range f.answers {
		if other(answer) {
			rest += count
		} else {
			unexpected += count
		}
	}
	if f.refused != refused || unexpected != refused || rest != total-refused {
		f.t.Errorf("%d requests refused, want %d of %d; %v", f.refused, refused, total, f.answers)
	}
}

// wantNothingLeft waits until nothing of the flood is left in the node.
func (f *flood) wantNothingLeft() {
	f.t.Helper()
	e := f.node.engine
	f.until("nothing waits", func() bool {
		s := e.snapshot()
		e.mu.Lock()
		defer e.mu.Unlock()
		return s.Waiting+s.WaitingBytes+s.Parked+s.Outstanding+len(e.calls) == 0
	})
}

// wantNoLeak has the end of a test compare the goroutines with those there are now.
func wantNoLeak(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// TestFloodOfUncovered asks a node for writes that it has not got, while its sibling, which has them, cannot
// be reached. In the end it can.
func TestFloodOfUncovered(t *testing.T) {
	const total, valueSize = 800, 16 << 10
	tests := []struct {
		name       string
		machine    core.Config
		writesOnly bool // all of one size
		holds      int  // requests
	}{
		{"count", core.Config{MaxWaiting: 60, MaxWaitingBytes: 1 << 20}, false, 60},
		{"bytes", core.Config{MaxWaiting: 1000, MaxWaitingBytes: 512 << 10}, true, 31},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantNoLeak(t)
			test.machine.DependencyWait, test.machine.RetryInterval = time.Minute, 50*time.Millisecond
			s := newSeverable(t, 2, test.machine)
			s.cut.Store(true)
			token := tokenOf(t, do(s.nodes[0].Handler(), "PUT", keyPrefix+"known", `{"value":1}`))
			value := strings.Repeat("v", valueSize)
			f := startFlood(t, s.nodes[1], total, test.holds+20, func(i int) (method, key, body string) {
				switch i % 3 * truth(!test.writesOnly) {
				case 1:
					return "GET", "known", `{"causal-metadata":"` + token + `"}`
				case 2:
					return "DELETE", "unknown", `{"causal-metadata":"` + token + `"}`
				default:
					return "PUT", fmt.Sprint("written-", i), `{"value":"` + value + `","causal-metadata":"` + token + `"}`
				}
			})
			f.untilRefused(total / 4)
			early := inUse()
			f.untilRefused(total - test.holds)
			if grown := inUse() - early; grown > 4<<20 {
				t.Errorf("the node grew by %d bytes while it refused requests with %d", grown, total*valueSize)
			}
			if got := s.nodes[1].engine.snapshot(); got.Waiting != test.holds || got.Parked != test.holds {
				t.Errorf("%d requests wait, %d of them for dependencies; want %d", got.Waiting, got.Parked, test.holds)
			}
			wantMetrics(t, s.nodes[1], fmt.Sprintf("waiting_requests %d", test.holds),
				fmt.Sprintf(`situations_total{name="%s"} %d`, core.ProbeOverloaded, total-test.holds))
			s.cut.Store(false)
			f.clients.Wait()
			f.wantAll(total, total-test.holds, func(answer string) bool {
				return answer == "GET 200" || answer == "PUT 201" || answer == "DELETE 404"
			})
			f.wantNothingLeft()
			f.end()
		})
	}
}

// TestFloodOfUnsatisfied is the same, but the wait ends before the sibling comes back.
func TestFloodOfUnsatisfied(t *testing.T) {
	wantNoLeak(t)
	const total = 1000
	s := newSeverable(t, 2, core.Config{MaxWaiting: 50, MaxWaitingBytes: 1 << 20, DependencyWait: 200 * time.Millisecond})
	s.cut.Store(true)
	token := tokenOf(t, do(s.nodes[0].Handler(), "PUT", keyPrefix+"known", `{"value":1}`))
	f := startFlood(t, s.nodes[1], total, 80, func(i int) (method, key, body string) {
		if i%2 == 0 {
			return "GET", "known", `{"causal-metadata":"` + token + `"}`
		}
		return "PUT", fmt.Sprint("written-", i), `{"value":1,"causal-metadata":"` + token + `"}`
	})
	f.untilRefused(1)
	f.clients.Wait()
	if f.refused > total-50 {
		t.Errorf("%d requests refused: fewer than 50 waited", f.refused)
	}
	f.wantAll(total, f.refused, func(answer string) bool {
		return strings.HasPrefix(answer, `503 1 {"error":"Causal dependencies not satisfied; try again later",`)
	})
	f.wantNothingLeft()
	f.end()
}

// TestFloodOfForwarded asks a node for a key of another shard, which cannot be reached, until the clients
// go away.
func TestFloodOfForwarded(t *testing.T) {
	wantNoLeak(t)
	const total, holds = 1000, 40
	s := newSeverable(t, 4, core.Config{
		ShardCount: 2, MaxWaiting: holds, MaxWaitingBytes: 1 << 20, ForwardTimeout: time.Minute, SuspectAfter: time.Minute,
	})
	node := s.nodes[0]
	foreign, _ := foreignKey(t, node)
	s.cut.Store(true)
	f := startFlood(t, node, total, holds+20, func(i int) (method, key, body string) {
		if i%2 == 0 {
			return "GET", foreign, ""
		}
		return "PUT", foreign, `{"value":"` + strings.Repeat("v", 4<<10) + `"}`
	})
	f.untilRefused(total - holds)
	if got := node.engine.snapshot(); got.Waiting != holds || got.Outstanding < holds || got.Parked != 0 {
		t.Errorf("%+v; want %d requests to wait for another shard", got.Figures, holds)
	}
	f.end()
	f.wantAll(total, total-holds, func(answer string) bool { return answer == "given up" })
	f.wantNothingLeft()
	s.cut.Store(false)
	if w := do(node.Handler(), "GET", keyPrefix+foreign, ""); w.Code != 200 {
		t.Errorf("GET afterwards: %d %s", w.Code, w.Body)
	}
}

// foreignKey writes a key that lives in another shard than a node, and names the shard.
func foreignKey(t *testing.T, n *Node) (key, shard string) {
	t.Helper()
	for i := range 100 {
		key = fmt.Sprint("key-", i)
		w := do(n.Handler(), "PUT", keyPrefix+key, `{"value":1}`)
		var answer struct {
			Shard string `json:"shard-id"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code >= 300 {
			t.Fatal(w.Code, w.Body, err)
		}
		if answer.Shard != n.Status().Shard {
			return key, answer.Shard
		}
	}
	t.Fatal("all keys live in one shard")
	return "", ""
}

// TestFloodAtOwner has two nodes forward writes that none of the owners can run yet: each owner lacks a
// write of the other one. The owner has less room than the two nodes together.
func TestFloodAtOwner(t *testing.T) {
	wantNoLeak(t)
	const total, holds = 400, 30
	s := newSeverable(t, 4, core.Config{
		ShardCount: 2, MaxWaiting: holds, MaxWaitingBytes: 1 << 20, ForwardTimeout: time.Minute, SuspectAfter: time.Minute,
		DependencyWait: time.Minute, RetryInterval: 50 * time.Millisecond,
	})
	key, shard := foreignKey(t, s.nodes[0])
	var senders []*Node
	for _, n := range s.nodes {
		if n.Status().Shard == shard {
			s.among = append(s.among, n)
		} else {
			senders = append(senders, n)
		}
	}
	s.cut.Store(true)
	var tokens []string
	for i, owner := range s.among {
		tokens = append(tokens, tokenOf(t, do(owner.Handler(), "PUT", keyPrefix+key, fmt.Sprintf(`{"value":%d}`, i))))
	}
	body := `{"value":"` + strings.Repeat("v", 4<<10) + `","causal-metadata":"` + strings.Join(tokens, ",") + `"}`
	var floods []*flood
	for _, n := range senders {
		floods = append(floods, startFlood(t, n, total, holds+20, func(int) (method, _, _ string) { return "PUT", key, body }))
	}
	refused := func() (count int) {
		for _, f := range floods {
			f.mu.Lock()
			count += f.refused
			f.mu.Unlock()
		}
		return count
	}
	fits := func(n *Node) bool { return n.engine.snapshot().Parked <= holds }
	floods[0].until("all refused that do not fit", func() bool {
		return refused() == 2*total-holds || !fits(s.among[0]) || !fits(s.among[1])
	})
	for _, owner := range s.among {
		if !fits(owner) {
			t.Errorf("%d requests wait at an owner, at most %d may", owner.engine.snapshot().Parked, holds)
		}
	}
	s.cut.Store(false)
	answers := 0
	for _, f := range floods {
		f.clients.Wait()
		answers += f.answers["PUT 200"]
		f.wantAll(total, f.refused, func(answer string) bool { return answer == "PUT 200" })
		f.wantNothingLeft()
		f.end()
	}
	if answers != holds {
		t.Errorf("%d writes succeeded, want %d", answers, holds)
	}
}
