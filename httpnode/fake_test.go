package httpnode

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// fakeMachine does what a test says.
type fakeMachine struct {
	onStep        func(input core.Input, out *core.Output)
	configuration *view.Configuration
	obstacle      string
	position      core.Position
	have          causal.Coverage
	figures       core.Figures
	down          int // member that is down; 0: the first one
}

func (m *fakeMachine) Step(input core.Input, out *core.Output) {
	*out = core.Output{Position: m.position, WakeAt: input.Mono + time.Hour}
	if m.onStep != nil {
		m.onStep(input, out)
	}
	m.position = out.Position
}

func (m *fakeMachine) Configuration() *view.Configuration { return m.configuration }

func (m *fakeMachine) Obstacle() string { return m.obstacle }

func (m *fakeMachine) Life() view.LifeID { return 0xABC }

func (m *fakeMachine) Replica() causal.ReplicaID { return 2 }

func (m *fakeMachine) Shard() shard.ID { return 1 }

func (m *fakeMachine) Have() causal.Coverage { return m.have }

func (m *fakeMachine) Figures() core.Figures { return m.figures }

func (m *fakeMachine) Up(member int) bool { return member != m.down }

func (m *fakeMachine) Silent(member int) time.Duration { return time.Duration(member) * time.Second }

func (m *fakeMachine) Full(member int) bool { return member == 1 }

func (m *fakeMachine) Unconfirmed(member int) uint64 { return uint64(10 * member) }

// answering makes a machine that gives every request this response, and notes what it was asked.
func answering(response core.Response, asked *[]core.Request) *fakeMachine {
	return &fakeMachine{onStep: func(input core.Input, out *core.Output) {
		if input.Kind == core.InputRequest {
			request := input.Request
			response.ID, request.ID = request.ID, 0
			*asked = append(*asked, request)
			out.Replies = append(out.Replies, response)
		}
	}}
}

const testAddress = "127.0.0.1:8081"

// fakeNode is a node around a fake machine.
func fakeNode(t testing.TB, m machine, config Config) *Node {
	t.Helper()
	config.Machine.Address = testAddress
	n, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	n.engine.start(m, 0)
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// do serves one request; header is a list of names and values.
func do(h http.Handler, method, target, body string, header ...string) *httptest.ResponseRecorder {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(context.Background(), method, target, reader)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// wantJSON checks a response; want is "STATUS BODY".
func wantJSON(t *testing.T, w *httptest.ResponseRecorder, status int, body string) {
	t.Helper()
	if w.Code != status || w.Body.String() != body {
		t.Errorf("got  %d %s\nwant %d %s", w.Code, w.Body, status, body)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type is %q", got)
	}
}

// lateLog is a log that becomes durable when the test says so.
type lateLog struct {
	mu       sync.Mutex
	appended core.Position
	records  int
	advanced func(core.Position, error)
	closed   bool
}

func (*lateLog) Restore() ([]core.Record, core.Position, error) { return nil, 0, nil }

func (l *lateLog) Start(advanced func(core.Position, error)) { l.advanced = advanced }

func (l *lateLog) Append(forget bool, records []core.Record, position core.Position) core.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	if forget {
		l.records = 0
	}
	l.appended, l.records = position, l.records+len(records)
	return 0
}

func (l *lateLog) Close() error {
	l.closed = true
	return nil
}

// founded is a configuration of nodes a:1, b:1, … in the given number of shards.
func founded(shards int, addresses ...string) *view.Configuration {
	f := view.Founding{ShardCount: shards}
	for i, address := range addresses {
		f.Founders = append(f.Founders, view.Founder{Address: address, Life: view.LifeID(i + 1)})
	}
	return view.Found(f)
}

// heartbeat is a message that says nothing.
func heartbeat(n uint64) *wire.Message {
	return &wire.Message{Epoch: n, From: 1, To: 2, Body: new(wire.Heartbeat)}
}
