package httpnode

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// realNode is a store of one node with the real machine.
func realNode(t testing.TB, config Config) *Node {
	t.Helper()
	config.Machine.Address = testAddress
	n, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	<-n.Ready()
	return n
}

// tokenOf is the causal-metadata of a response.
func tokenOf(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var body struct {
		Token string `json:"causal-metadata"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	if got := w.Header().Get("X-Causal-Metadata"); got != body.Token {
		t.Errorf("header has the token %q, body %q", got, body.Token)
	}
	return body.Token
}

func TestOneNode(t *testing.T) {
	n := realNode(t, Config{})
	h := n.Handler()
	const key = "/key-value-store/a%2F..%2Fb/"
	put := do(h, "PUT", key, `{"value": {"n": 1.0, "b":[true,null]} }`)
	first := tokenOf(t, put)
	wantJSON(t, put, 201, `{"message":"Added successfully","replaced":false,"shard-id":"1","causal-metadata":"`+first+`"}`)
	found := `{"message":"Retrieved successfully","doesExist":true,"value":{"n":1.0,"b":[true,null]},"shard-id":"1","causal-metadata":"` + first + `"}`
	wantJSON(t, do(h, "GET", key, ""), 200, found)
	wantJSON(t, do(h, "GET", key, "", "X-Causal-Metadata", first+", ,"+first), 200, found)
	wantJSON(t, do(h, "GET", "/key-value-store/a/../b/", `{"causal-metadata":"`+first+`"}`), 200, found)
	put = do(h, "PUT", key, `{"value":"x","causal-metadata":"`+first+`"}`)
	second := tokenOf(t, put)
	wantJSON(t, put, 200, `{"message":"Updated successfully","replaced":true,"shard-id":"1","causal-metadata":"`+second+`"}`)
	wantJSON(t, do(h, "GET", "/key-value-store-shard/shard-id-key-count/1", ""), 200,
		`{"message":"Key count of shard ID retrieved successfully","shard-id-key-count":1}`)
	deleted := do(h, "DELETE", key, "")
	third := tokenOf(t, deleted)
	wantJSON(t, deleted, 200, `{"message":"Deleted successfully","doesExist":true,"shard-id":"1","causal-metadata":"`+third+`"}`)
	gone := `{"error":"Key does not exist","message":"Error in GET","doesExist":false,"causal-metadata":"` + third + `"}`
	wantJSON(t, do(h, "GET", key, `{"causal-metadata":"`+third+`"}`), 404, gone)
	wantJSON(t, do(h, "DELETE", key, ""), 404, strings.Replace(gone, "GET", "DELETE", 1))
	wantJSON(t, do(h, "GET", "/key-value-store/other", ""), 404, `{"error":"Key does not exist","message":"Error in GET","doesExist":false,"causal-metadata":""}`)
	changed := first[:len(first)-1] + "A"
	if w := do(h, "GET", key, `{"causal-metadata":"`+changed+`"}`); changed != first && w.Code != 400 {
		t.Errorf("a changed token: %d %s", w.Code, w.Body)
	}
	if got := n.Obstacle(); got != "" {
		t.Errorf("obstacle %q", got)
	}
	if shards := n.Shards(); len(shards) != 1 || shards[0].ID != "1" || shards[0].Members[0] != testAddress {
		t.Errorf("shards %v", shards)
	}
	if err := n.Start(); err == nil {
		t.Error("a second start is accepted")
	}
}

// TestForming has a node whose peers do not answer.
func TestForming(t *testing.T) {
	n, err := New(Config{Machine: core.Config{Address: testAddress, View: []string{testAddress, "127.0.0.1:1", "127.0.0.1:2"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	const sentence = "Cluster is forming: 1 of 3 nodes seen; missing 127.0.0.1:1, 127.0.0.1:2"
	for _, path := range []string{"/key-value-store/x", "/key-value-store-view", "/key-value-store-shard/shard-ids", "/key-value-store-shard/shard-id-members/9"} {
		wantJSON(t, do(n.Handler(), "GET", path, ""), 503, `{"error":"`+sentence+`","message":"Error in GET"}`)
	}
	if n.Obstacle() != sentence || n.Shards() != nil {
		t.Errorf("obstacle %q, shards %v", n.Obstacle(), n.Shards())
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

func TestConfigCheck(t *testing.T) {
	tests := []struct {
		address, view string
		shards        int
		want          string // "" for none
	}{
		{"a:1", "", 0, ""},
		{"a:1", "", 1, ""},
		{"a:1", "b:1", 1, ""},
		{"a:1", "a:1,b:1,c:1,d:1", 2, ""},
		{"a:1", "b:1,c:1,d:1", 2, ""},
		{"a", "", 0, `httpnode: an address is host:port with a port from 1 to 65535; got "a"`},
		{"a:1", "a:1,b", 0, `httpnode: an address is host:port with a port from 1 to 65535; got "b"`},
		{"a:1", "", -1, "httpnode: the number of shards is -1; give 1 or more"},
		{"a:1", "a:1,b:1,b:1,c:1", 2, "httpnode: 2 shards need at least 4 nodes, two for each shard; the view (a:1, b:1, c:1) has 3; start fewer shards or more nodes"},
	}
	for _, test := range tests {
		config := Config{Machine: core.Config{Address: test.address, ShardCount: test.shards}}
		if test.view != "" {
			config.Machine.View = strings.Split(test.view, ",")
		}
		_, err := New(config)
		if got := errorText(err); got != test.want {
			t.Errorf("%+v: %q", test, got)
		}
	}
}

// TestRun runs two nodes over HTTP and stops one in the middle of a request.
func TestRun(t *testing.T) {
	nodes := newStore(t, 2, Config{})
	stop := run(t, nodes...)
	client := http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	ask := func(node int, method, path, body string) (int, string) {
		r, err := http.NewRequestWithContext(context.Background(), method, "http://"+nodes[node].Address()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		w, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Body.Close()
		text, err := io.ReadAll(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		return w.StatusCode, string(text)
	}
	_, text := ask(0, "PUT", "/key-value-store/x", `{"value":1}`)
	var put struct {
		Token string `json:"causal-metadata"`
	}
	if err := json.Unmarshal([]byte(text), &put); err != nil {
		t.Fatal(err)
	}
	if status, text := ask(1, "GET", "/key-value-store/x", `{"causal-metadata":"`+put.Token+`"}`); status != 200 {
		t.Errorf("GET at the other node: %d %s", status, text)
	}
	begin := time.Now()
	stop()
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("stopping took %v", took)
	}
}

// TestStopWithRequestWaiting stops a node while a request can get no answer.
func TestStopWithRequestWaiting(t *testing.T) {
	waiting := make(chan struct{})
	m := &fakeMachine{onStep: func(input core.Input, _ *core.Output) {
		if input.Kind == core.InputRequest {
			close(waiting)
		}
	}}
	n := listening(t, listen(t), m, Config{})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	<-n.Ready()
	go func() {
		<-waiting
		stop()
	}()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	begin := time.Now()
	w, err := client.Get("http://" + n.Address() + "/key-value-store/x")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	if want := `{"error":"Node gave up the request; try again later","message":"Error in GET"}`; w.StatusCode != 503 || string(text) != want || err != nil {
		t.Errorf("%d %s %v", w.StatusCode, text, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("stopping took %v", took)
	}
}

// TestStopFinishesRequests stops a node while a request waits for a peer, which answers then, over a new
// connection.
func TestStopFinishesRequests(t *testing.T) {
	waiting := make(chan core.RequestID, 1)
	var id core.RequestID
	m := &fakeMachine{onStep: func(input core.Input, out *core.Output) {
		switch input.Kind {
		case core.InputRequest:
			id = input.Request.ID
			waiting <- id
		case core.InputMessage:
			out.Replies = append(out.Replies, core.Response{ID: id, Status: wire.StatusNotFound, Token: []byte("T")})
		}
	}}
	n := listening(t, listen(t), m, Config{})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	<-n.Ready()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var text []byte
	var request sync.WaitGroup
	request.Go(func() {
		w, err := client.Get("http://" + n.Address() + "/key-value-store/x")
		if err != nil {
			t.Error(err)
			return
		}
		defer w.Body.Close()
		if text, err = io.ReadAll(w.Body); err != nil {
			t.Error(err)
		}
	})
	<-waiting
	stop()
	for !n.draining.Load() {
		runtime.Gosched()
	}
	body, _ := appendFrame(nil, heartbeat(1))
	w, err := client.Post("http://"+n.Address()+peerPath, "", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	w.Body.Close()
	request.Wait()
	if want := `{"error":"Key does not exist","message":"Error in GET","doesExist":false,"causal-metadata":"T"}`; string(text) != want {
		t.Errorf("the request in flight got %s", text)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestRunCannotListen(t *testing.T) {
	listener := listen(t)
	defer listener.Close()
	n, err := New(Config{Machine: core.Config{Address: listener.Addr().String()}})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "cannot listen on "+listener.Addr().String()) {
		t.Errorf("Run: %v", err)
	}
}

// TestRunHalts wants Run to end by itself when the machine panics.
func TestRunHalts(t *testing.T) {
	n := listening(t, listen(t), &fakeMachine{onStep: func(core.Input, *core.Output) { panic("planted") }}, Config{})
	if err := n.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "planted") {
		t.Errorf("Run: %v", err)
	}
}
