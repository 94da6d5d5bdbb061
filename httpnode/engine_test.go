package httpnode

import (
	"context"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// sent collects what an engine sends.
type sent struct {
	mu     sync.Mutex
	epochs []uint64
}

func (s *sent) send(_ string, message *wire.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epochs = append(s.epochs, message.Epoch)
}

func (s *sent) all() []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.epochs)
}

// TestLateLog steps a machine whose outputs reveal more than the log has, and lets the log follow.
func TestLateLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var durable []core.Position // as the machine was told
		m := &fakeMachine{}
		m.onStep = func(input core.Input, out *core.Output) {
			durable = append(durable, input.Durable)
			if input.Kind != core.InputRequest {
				return
			}
			switch id := input.Request.ID; input.Request.Op {
			case wire.OpPut: // changes state; everything about it waits
				out.Position++
				out.Records = append(out.Records, core.Record{Key: []byte("k")})
				out.Replies = append(out.Replies, core.Response{ID: id, After: out.Position, Status: wire.StatusCreated, Token: []byte("new")})
				out.Sends = append(out.Sends, core.Send{To: "b:1", After: out.Position, Message: heartbeat(uint64(out.Position))},
					core.Send{To: "b:1", Message: heartbeat(100 + uint64(out.Position))})
			case wire.OpGet: // something that has long been durable
				out.Replies = append(out.Replies, core.Response{ID: id, Status: wire.StatusFound, Token: []byte("old")})
			}
		}
		log, network := new(lateLog), new(sent)
		logger := Config{}
		logger.setDefaults()
		e := newEngine(log, logger.Logger, network.send)
		e.start(m, 0)
		defer e.close()

		var mu sync.Mutex
		var order []string
		ask := func(op wire.Op) {
			c := e.ask(context.Background(), core.Request{Op: op})
			defer c.release()
			mu.Lock()
			defer mu.Unlock()
			order = append(order, c.response.Status.String()+" "+string(c.response.Token))
		}
		var clients sync.WaitGroup
		for range 3 {
			clients.Go(func() { ask(wire.OpPut) })
			synctest.Wait()
		}
		ask(wire.OpGet)
		if want := []string{"found old"}; !slices.Equal(order, want) {
			t.Errorf("before the sync: %q, want %q", order, want)
		}
		if want := []uint64{101, 102, 103}; !slices.Equal(network.all(), want) {
			t.Errorf("before the sync left %d, want %d", network.all(), want)
		}
		if log.appended != 3 || log.records != 3 {
			t.Errorf("log has %d records up to %d, want 3 up to 3", log.records, log.appended)
		}

		log.advanced(2, nil)
		synctest.Wait()
		if want := []string{"found old", "created new", "created new"}; !slices.Equal(order, want) {
			t.Errorf("after a sync up to 2: %q, want %q", order, want)
		}
		if want := []uint64{101, 102, 103, 1, 2}; !slices.Equal(network.all(), want) {
			t.Errorf("after a sync up to 2 left %d, want %d", network.all(), want)
		}
		if last := durable[len(durable)-1]; last != 2 {
			t.Errorf("the machine was woken with position %d, want 2", last)
		}

		log.advanced(3, nil)
		clients.Wait()
		if want := []uint64{101, 102, 103, 1, 2, 3}; !slices.Equal(network.all(), want) {
			t.Errorf("in the end left %d, want %d", network.all(), want)
		}
		if len(e.held.replies)+len(e.held.sends)+len(e.calls) != 0 {
			t.Errorf("left over: %+v, %d calls", e.held, len(e.calls))
		}
	})
}

// TestForget has a machine begin a new life: what it had on record is void.
func TestForget(t *testing.T) {
	m := &fakeMachine{onStep: func(input core.Input, out *core.Output) {
		out.Position++
		out.Records = []core.Record{{Key: []byte("k")}, {Key: []byte("l")}}
		if out.Forget = input.Kind == core.InputMessage; out.Forget {
			out.Records = out.Records[1:]
		}
	}}
	log := new(lateLog)
	n := fakeNode(t, m, Config{Log: log})
	n.engine.wake()
	if log.records != 4 {
		t.Errorf("%d records, want 4", log.records)
	}
	_ = n.engine.receive([]*wire.Message{heartbeat(1)})
	if log.records != 1 || log.appended != 3 {
		t.Errorf("%d records up to %d after a new life began, want 1 up to 3", log.records, log.appended)
	}
}

// TestFollow wants to hear of every configuration once, before what its step sends.
func TestFollow(t *testing.T) {
	var order []string
	m := &fakeMachine{}
	m.onStep = func(_ core.Input, out *core.Output) {
		out.Sends = append(out.Sends, core.Send{To: "b:1", Message: heartbeat(1)})
	}
	logger := Config{}
	logger.setDefaults()
	e := newEngine(memoryLog{}, logger.Logger, func(string, *wire.Message) { order = append(order, "send") })
	e.follow = func(members []string) { order = append(order, strings.Join(members, ",")) }
	e.start(m, 0)
	defer e.close()
	m.configuration = founded(1, "a:1", "b:1")
	e.wake()
	e.wake()
	next, _ := m.configuration.Apply(2, view.Request{By: 1, Number: 1, Operation: view.Remove{Address: "b:1", Down: []view.LifeID{m.configuration.Members[1].Life}}})
	m.configuration = next
	e.wake()
	m.configuration = nil // deleted from the view
	e.wake()
	if want := []string{"send", "a:1,b:1", "send", "send", "a:1", "send", "send"}; !slices.Equal(order, want) {
		t.Errorf("%q, want %q", order, want)
	}
}

// TestLateReplyOfCancelled loses the client of a write before the log has it.
func TestLateReplyOfCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var kinds []core.InputKind
		m := &fakeMachine{}
		m.onStep = func(input core.Input, out *core.Output) {
			kinds = append(kinds, input.Kind)
			if input.Kind == core.InputRequest {
				out.Position++
				out.Replies = append(out.Replies, core.Response{ID: input.Request.ID, After: out.Position, Status: wire.StatusCreated})
			}
		}
		log := new(lateLog)
		n := fakeNode(t, m, Config{Log: log})
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			synctest.Wait()
			cancel()
		}()
		c := n.engine.ask(ctx, core.Request{Op: wire.OpPut})
		if c.response.Status != 0 || !c.accepted {
			t.Errorf("a cancelled call has status %v, accepted %v", c.response.Status, c.accepted)
		}
		c.release()
		log.advanced(1, nil)
		if want := []core.InputKind{core.InputWake, core.InputRequest, core.InputCancel, core.InputWake}; !slices.Equal(kinds, want) {
			t.Errorf("inputs %v, want %v", kinds, want)
		}
		if len(n.engine.calls) != 0 || len(n.engine.held.replies) != 0 {
			t.Error("the call is still known")
		}
	})
}

func TestAnswerOnCancel(t *testing.T) {
	m := &fakeMachine{}
	m.onStep = func(input core.Input, out *core.Output) {
		if input.Kind == core.InputCancel {
			out.Replies = append(out.Replies, core.Response{ID: input.Request.ID, Status: wire.StatusUnsatisfied})
		}
	}
	n := fakeNode(t, m, Config{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for range 100 { // calls are reused: a left-over signal would show
		c := n.engine.ask(ctx, core.Request{Op: wire.OpPut})
		if c.response.Status != wire.StatusUnsatisfied {
			t.Fatalf("status %v", c.response.Status)
		}
		c.release()
	}
}

// TestTokenIsCopied has a machine that reuses the memory of tokens, as the real one does.
func TestTokenIsCopied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		token := []byte("first")
		var ids []core.RequestID
		m := &fakeMachine{onStep: func(input core.Input, out *core.Output) {
			copy(token, "ruins")
			switch input.Kind {
			case core.InputRequest:
				ids = append(ids, input.Request.ID)
			case core.InputMessage:
				copy(token, "right")
				out.Replies = append(out.Replies, core.Response{ID: ids[0], Status: wire.StatusFound, Token: token},
					core.Response{ID: ids[1], After: 1, Status: wire.StatusFound, Token: token})
				out.Position = 1
			}
		}}
		log := new(lateLog)
		n := fakeNode(t, m, Config{Log: log})
		ruined := make(chan struct{})
		var clients sync.WaitGroup
		for range 2 {
			clients.Go(func() {
				c := n.engine.ask(context.Background(), core.Request{Op: wire.OpGet})
				defer c.release()
				<-ruined
				if got := string(c.response.Token); got != "right" {
					t.Errorf("token %q", got)
				}
			})
			synctest.Wait()
		}
		_ = n.engine.receive([]*wire.Message{heartbeat(1)})
		n.engine.wake()
		log.advanced(1, nil)
		close(ruined)
		clients.Wait()
	})
}

// TestTimer wants a step at each WakeAt, also when it moves forward or back.
func TestTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wakes []time.Duration
		next := 10 * time.Second
		m := &fakeMachine{}
		m.onStep = func(input core.Input, out *core.Output) {
			if input.Kind == core.InputWake {
				wakes = append(wakes, input.Mono.Round(time.Millisecond))
				if input.Mono >= next {
					next += 10 * time.Second
				}
			} else {
				next = input.Mono + time.Second // sooner than what is armed
			}
			out.WakeAt = next
		}
		n := fakeNode(t, m, Config{})
		<-time.After(12 * time.Second)
		_ = n.engine.receive([]*wire.Message{heartbeat(1)})
		<-time.After(2 * time.Second)
		synctest.Wait()
		want := []time.Duration{0, 10 * time.Second, 13 * time.Second}
		if !slices.Equal(wakes, want) {
			t.Errorf("woken at %v, want %v", wakes, want)
		}
	})
}

func TestLogFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &fakeMachine{onStep: func(input core.Input, out *core.Output) {
			if input.Kind == core.InputRequest {
				out.Position++
				out.Replies = append(out.Replies, core.Response{ID: input.Request.ID, After: out.Position, Status: wire.StatusCreated})
			}
		}}
		log := new(lateLog)
		n := fakeNode(t, m, Config{Log: log})
		go func() {
			synctest.Wait()
			log.advanced(0, errors.New("no space left"))
		}()
		wantJSON(t, do(n.Handler(), "PUT", "/key-value-store/x", `{"value":1}`), 503,
			`{"error":"Outcome unknown: the write may have taken effect","message":"Error in PUT"}`)
		wantJSON(t, do(n.Handler(), "PUT", "/key-value-store/x", `{"value":1}`), 503,
			`{"error":"The log cannot be written, so nothing more is accepted: no space left","message":"Error in PUT"}`)
		if err := n.engine.err(); err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("engine error %v", err)
		}
	})
}

func TestMachinePanics(t *testing.T) {
	lines := new(logLines)
	n := fakeNode(t, &fakeMachine{onStep: func(input core.Input, _ *core.Output) {
		if input.Kind == core.InputRequest {
			panic("planted")
		}
	}}, Config{Logger: lines.logger()})
	w := do(n.Handler(), "GET", "/key-value-store/x", "")
	wantJSON(t, w, 503, `{"error":"This node has failed and serves nothing more; its log says why; use another node","message":"Error in GET"}`)
	if w.Header().Get("Retry-After") != "" || n.Obstacle() != panicked {
		t.Errorf("Retry-After %q, obstacle %q", w.Header().Get("Retry-After"), n.Obstacle())
	}
	if lines.count("panic=planted") != 1 || lines.count("engine_test.go") == 0 {
		t.Errorf("the log tells no stack: %s", lines.text.String())
	}
	<-n.engine.halted
}

func TestBeforeStart(t *testing.T) {
	n, err := New(Config{Machine: core.Config{Address: testAddress}})
	if err != nil {
		t.Fatal(err)
	}
	wantJSON(t, do(n.Handler(), "PUT", "/key-value-store/x", `{"value":1}`), 503, `{"error":"The node is starting","message":"Error in PUT"}`)
	wantJSON(t, do(n.Handler(), "GET", "/key-value-store-view", ""), 503, `{"error":"The node is starting","message":"Error in GET"}`)
	wantJSON(t, do(n.Handler(), "POST", peerPath, ""), 503, `{"error":"The node is starting","message":"Error in POST"}`)
	wantJSON(t, do(n.Handler(), "GET", "/healthz", ""), 200, `{"message":"OK"}`)
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	wantJSON(t, do(n.Handler(), "GET", "/key-value-store/x", ""), 503, `{"error":"The node is shutting down","message":"Error in GET"}`)
}

// TestHandlersConcurrently is for the race detector.
func TestHandlersConcurrently(t *testing.T) {
	var waiting []core.RequestID
	m := &fakeMachine{}
	m.onStep = func(input core.Input, out *core.Output) {
		out.WakeAt = input.Mono + time.Millisecond
		out.Position++
		if input.Kind == core.InputRequest {
			waiting = append(waiting, input.Request.ID)
		}
		if input.Kind == core.InputRequest && len(waiting) < 4 {
			return
		}
		for _, id := range waiting { // the fourth, or the timer, answers all
			out.Replies = append(out.Replies, core.Response{ID: id, After: out.Position, Status: wire.StatusCreated, Token: []byte("T"), Shard: 1})
		}
		waiting = waiting[:0]
	}
	n := fakeNode(t, m, Config{})
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for range 200 {
				w := do(n.Handler(), "PUT", "/key-value-store/x", `{"value":1}`)
				wantJSON(t, w, 201, `{"message":"Added successfully","replaced":false,"shard-id":"1","causal-metadata":"T"}`)
			}
		})
	}
	clients.Wait()
}

// TestDroppedWriteDidNotRun gives up a write that waits for what it depends on: it has run nowhere, and nobody is
// told that its outcome is unknown.
func TestDroppedWriteDidNotRun(t *testing.T) {
	s := newSeverable(t, 3, core.Config{ShardCount: 1})
	s.cut.Store(true)
	token := tokenOf(t, do(s.nodes[1].Handler(), "PUT", "/key-value-store/x", `{"value":1}`))
	ctx, cancel := context.WithCancel(context.Background())
	n := s.nodes[0]
	answer := make(chan *httptest.ResponseRecorder)
	go func() {
		body := strings.NewReader(`{"value":2,"causal-metadata":"` + token + `"}`)
		w := httptest.NewRecorder()
		n.Handler().ServeHTTP(w, httptest.NewRequestWithContext(ctx, "PUT", "/key-value-store/x", body))
		answer <- w
	}()
	for n.Status().Parked == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	wantJSON(t, <-answer, 503, `{"error":"Causal dependencies not satisfied; try again later","message":"Error in PUT"}`)
	wantMetrics(t, n, "indeterminate_total 0", `requests_total{operation="put",outcome="unsatisfied"} 1`)
}
