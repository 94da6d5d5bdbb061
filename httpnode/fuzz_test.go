package httpnode

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/store"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// wantDecent fails for what no client may ever get: a 500, or a body that is not JSON.
func wantDecent(t *testing.T, r *http.Request, w *httptest.ResponseRecorder) {
	t.Helper()
	if w.Code == http.StatusNoContent {
		if w.Body.Len() > 0 {
			t.Errorf("204 with a body: %s", w.Body)
		}
		return
	}
	if w.Code >= 500 && w.Code != 503 || w.Code < 200 || w.Code >= 300 && w.Code < 400 {
		t.Errorf("%s %q: %d %s", r.Method, r.URL, w.Code, w.Body)
	}
	if r.URL.Path == metricsPath && w.Code == http.StatusOK {
		return
	}
	if !json.Valid(w.Body.Bytes()) || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%s %q: not JSON: %q", r.Method, r.URL, w.Body)
	}
}

// FuzzHandler sends anything to a store of one node: never a 500, never a body that is not JSON.
func FuzzHandler(f *testing.F) {
	f.Add("PUT", "/key-value-store/x", `{"value":{"a":[1,"\u00e9"]},"causal-metadata":""}`, "")
	f.Add("GET", "/key-value-store/x%2F..//", `{"causal-metadata":"AAAA"}`, "AAAA,BBBB")
	f.Add("DELETE", "/key-value-store/x?w=1", ``, `,`)
	f.Add("PUT", "/key-value-store-view", `{"socket-address":"a:1"}`, "")
	f.Add("DELETE", "/key-value-store-view", `{"socket-address":"127.0.0.1:8081"}`, "")
	f.Add("GET", "/key-value-store-shard/shard-id-members/1", ``, "")
	f.Add("PUT", "/key-value-store-shard/add-member/1", `{"socket-address":"127.0.0.1:8081"}`, "")
	f.Add("PUT", "/key-value-store-shard/reshard", `{"shard-count":2}`, "")
	f.Add("POST", "/sequitur/peer", "\x00\x00\x00\x02\x01\x01", "")
	f.Add("HEAD", "/healthz", ``, "")
	f.Add("OPTIONS", "*", ``, "")
	n := realNode(f, Config{MaxValueSize: 1 << 12})
	n.transport.cancel() // whoever is added to the view is not looked for
	f.Fuzz(func(t *testing.T, method, target, body, token string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || method == "" {
			return // net/http would not let it through
		}
		r := httptest.NewRequest("GET", "/", strings.NewReader(body))
		r.Method, r.URL, r.RequestURI = method, u, target
		r.Header.Set("X-Causal-Metadata", token)
		w := httptest.NewRecorder()
		n.Handler().ServeHTTP(w, r)
		wantDecent(t, r, w)
	})
}

// FuzzAdmin sends any body to the resources that administrators use.
func FuzzAdmin(f *testing.F) {
	f.Add(uint8(0), "", `{"socket-address":"a:1"}`)
	f.Add(uint8(1), "", `{"socket-address":"127.0.0.1:8081"}`)
	f.Add(uint8(2), "1", `{"socket-address":"[::1]:1","x":[{}]}`)
	f.Add(uint8(3), "", `{"shard-count":1e9}`)
	f.Add(uint8(3), "", `{"shard-count":99999999999999999999}`)
	f.Add(uint8(4), "%00", ``)
	f.Add(uint8(5), "1/../2", `null`)
	n := realNode(f, Config{})
	n.transport.cancel()
	const shards = "/key-value-store-shard/"
	targets := []struct{ method, path string }{
		{"PUT", "/key-value-store-view"}, {"DELETE", "/key-value-store-view"}, {"PUT", shards + "add-member/"},
		{"PUT", shards + "reshard"}, {"GET", shards + "shard-id-members/"}, {"GET", shards + "shard-id-key-count/"},
	}
	f.Fuzz(func(t *testing.T, which uint8, id, body string) {
		target := targets[int(which)%len(targets)]
		r := httptest.NewRequest(target.method, "/", strings.NewReader(body))
		r.URL = &url.URL{Path: target.path}
		if strings.HasSuffix(target.path, "/") {
			r.URL.Path += id
		}
		w := httptest.NewRecorder()
		n.Handler().ServeHTTP(w, r)
		wantDecent(t, r, w)
		if w := do(n.Handler(), "PUT", "/key-value-store/x", `{"value":1}`); w.Code >= 300 {
			t.Errorf("after %s %s %q: %d %s", r.Method, r.URL, body, w.Code, w.Body)
		}
	})
}

// FuzzHeaders sends any headers; those of the answer must be fit for a client and for a log.
func FuzzHeaders(f *testing.F) {
	f.Add("abc", "", "", "application/json", "w=1")
	f.Add("a b", "AAAA", "AAAA,BBBB", "", "w=majority")
	f.Add(strings.Repeat("x", 129), ",", " , ", "text/plain", "%zz")
	f.Add("\"\\", "\x00", "é", "multipart/form-data", ";w=2&w=1")
	n := realNode(f, Config{})
	f.Fuzz(func(t *testing.T, id, token, another, contentType, query string) {
		for _, method := range []string{"PUT", "GET", "DELETE"} {
			r := httptest.NewRequest(method, "/key-value-store/x", strings.NewReader(`{"value":1}`))
			r.URL.RawQuery = query
			r.Header[idHeader] = []string{id}
			r.Header[tokenHeader] = []string{token, another}
			r.Header["Content-Type"] = []string{contentType}
			w := httptest.NewRecorder()
			n.Handler().ServeHTTP(w, r)
			wantDecent(t, r, w)
			if got := w.Header().Get(idHeader); isRequestID(id) && got != id || !isRequestID(id) && got != "" {
				t.Errorf("request id %q is answered with %q", id, got)
			}
		}
	})
}

// FuzzPeer posts anything to the resource of peers, then wants the node to serve a client.
func FuzzPeer(f *testing.F) {
	for _, body := range []wire.Body{
		new(wire.Heartbeat), &wire.Hello{}, &wire.Pull{Slots: shard.Initial(1).SlotsOf(1)},
		&wire.Batch{Replica: 1, To: 1, Writes: []store.Version{{Key: "x", Value: []byte("1"), Dot: causal.Dot{Replica: 1, Seq: 1}}}},
		&wire.Forward{Counter: 1, Op: wire.OpPut, Key: "x", Value: []byte("1")}, &wire.Reply{Counter: 1, Status: wire.StatusFound},
	} {
		frame, _ := appendFrame(nil, &wire.Message{Epoch: 1, From: 1, To: 2, Body: body})
		f.Add(frame)
		f.Add(append(frame, frame[:len(frame)-1]...))
	}
	f.Add([]byte("\x7f\xff\xff\xff"))
	n := realNode(f, Config{})
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest("POST", peerPath, bytes.NewReader(body))
		w := httptest.NewRecorder()
		n.Handler().ServeHTTP(w, r)
		wantDecent(t, r, w)
		if w := do(n.Handler(), "PUT", "/key-value-store/x", `{"value":1}`); w.Code >= 300 {
			t.Errorf("after %q: %d %s", body, w.Code, w.Body)
		}
		if used := n.receiver.frames.used.Load(); used != 0 {
			t.Errorf("%d bytes of frames are not given back", used)
		}
	})
}
