package httpnode

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/wire"
)

func TestKeyStatuses(t *testing.T) {
	token := []byte("VG9rZW4")
	tests := []struct {
		name, method string
		response     core.Response
		status       int
		body         string
		retry        bool
	}{
		{"found", "GET", core.Response{Status: wire.StatusFound, Value: []byte(`{"a":[1.0]}`), Token: token, Shard: 2}, 200,
			`{"message":"Retrieved successfully","doesExist":true,"value":{"a":[1.0]},"shard-id":"2","causal-metadata":"VG9rZW4"}`, false},
		{"get not found", "GET", core.Response{Status: wire.StatusNotFound, Token: token, Shard: 2}, 404,
			`{"error":"Key does not exist","message":"Error in GET","doesExist":false,"causal-metadata":"VG9rZW4"}`, false},
		{"not found, empty token", "GET", core.Response{Status: wire.StatusNotFound}, 404,
			`{"error":"Key does not exist","message":"Error in GET","doesExist":false,"causal-metadata":""}`, false},
		{"created", "PUT", core.Response{Status: wire.StatusCreated, Token: token, Shard: 1}, 201,
			`{"message":"Added successfully","replaced":false,"shard-id":"1","causal-metadata":"VG9rZW4"}`, false},
		{"replaced", "PUT", core.Response{Status: wire.StatusReplaced, Token: token, Shard: 1}, 200,
			`{"message":"Updated successfully","replaced":true,"shard-id":"1","causal-metadata":"VG9rZW4"}`, false},
		{"deleted", "DELETE", core.Response{Status: wire.StatusDeleted, Token: token, Shard: 1}, 200,
			`{"message":"Deleted successfully","doesExist":true,"shard-id":"1","causal-metadata":"VG9rZW4"}`, false},
		{"delete not found", "DELETE", core.Response{Status: wire.StatusNotFound, Token: token, Shard: 1}, 404,
			`{"error":"Key does not exist","message":"Error in DELETE","doesExist":false,"causal-metadata":"VG9rZW4"}`, false},
		{"bad token", "GET", core.Response{Status: wire.StatusBadToken, Reason: "causal-metadata is \"bad\""}, 400,
			`{"error":"causal-metadata is \"bad\"","message":"Error in GET"}`, false},
		{"unsatisfied", "PUT", core.Response{Status: wire.StatusUnsatisfied}, 503,
			`{"error":"Causal dependencies not satisfied; try again later","message":"Error in PUT"}`, true},
		{"shard down", "DELETE", core.Response{Status: wire.StatusShardDown}, 503,
			`{"error":"Shard is down","message":"Error in DELETE"}`, true},
		{"overloaded", "GET", core.Response{Status: wire.StatusOverloaded}, 503,
			`{"error":"Too many requests wait for their dependencies; try again later","message":"Error in GET"}`, true},
		{"forming", "GET", core.Response{Status: wire.StatusForming, Reason: "Cluster is forming: 1 of 2 nodes seen; missing b:1"}, 503,
			`{"error":"Cluster is forming: 1 of 2 nodes seen; missing b:1","message":"Error in GET"}`, true},
		{"refused", "PUT", core.Response{Status: wire.StatusRefused, Reason: "This node lost its memory"}, 503,
			`{"error":"This node lost its memory","message":"Error in PUT"}`, false},
		{"no answer", "GET", core.Response{Status: wire.StatusNoAnswer}, 503,
			`{"error":"Shard does not answer; try again later","message":"Error in GET"}`, true},
		{"unknown", "PUT", core.Response{Status: wire.StatusUnknown}, 503,
			`{"error":"Outcome unknown: the write may have taken effect","message":"Error in PUT"}`, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var asked []core.Request
			n := fakeNode(t, answering(test.response, &asked), Config{})
			body := ""
			if test.method == "PUT" {
				body = `{"value":1}`
			}
			w := do(n.Handler(), test.method, "/key-value-store/x", body)
			wantJSON(t, w, test.status, test.body)
			if got, want := w.Header().Get("X-Causal-Metadata"), string(test.response.Token); got != want {
				t.Errorf("X-Causal-Metadata is %q, want %q", got, want)
			}
			if got := w.Header().Get("Retry-After") != ""; got != test.retry {
				t.Errorf("Retry-After is %q", w.Header().Get("Retry-After"))
			}
		})
	}
}

// TestKeyRequests checks what reaches the machine.
func TestKeyRequests(t *testing.T) {
	tests := []struct {
		method, target, body string
		header               []string
		want                 core.Request
	}{
		{"GET", "/key-value-store/x", "", nil, core.Request{Op: wire.OpGet, Key: "x"}},
		{"HEAD", "/key-value-store/x", "", nil, core.Request{Op: wire.OpGet, Key: "x"}},
		{"GET", "/key-value-store/x", `{"causal-metadata":"A"}`, nil, core.Request{Op: wire.OpGet, Key: "x", Tokens: "A"}},
		{"GET", "/key-value-store/x", `{"causal-metadata":"A,\u0042"}`, nil, core.Request{Op: wire.OpGet, Key: "x", Tokens: "A,B"}},
		{"GET", "/key-value-store/x", `{"causal-metadata":null}`, nil, core.Request{Op: wire.OpGet, Key: "x"}},
		{"GET", "/key-value-store/x", `{"causal-metadata":""}`, nil, core.Request{Op: wire.OpGet, Key: "x"}},
		{"GET", "/key-value-store/x", ` `, nil, core.Request{Op: wire.OpGet, Key: "x"}},
		{"GET", "/key-value-store/x", `{"value":[],"more":{}}`, nil, core.Request{Op: wire.OpGet, Key: "x"}},
		{"GET", "/key-value-store/x?w=9", "", nil, core.Request{Op: wire.OpGet, Key: "x"}},
		{"GET", "/key-value-store/x", "", []string{"X-Causal-Metadata", "A"}, core.Request{Op: wire.OpGet, Key: "x", Tokens: "A"}},
		{"GET", "/key-value-store/x", "", []string{"x-causal-metadata", "A, B", "X-CAUSAL-METADATA", "C"}, core.Request{Op: wire.OpGet, Key: "x", Tokens: "A, B,C"}},
		{"GET", "/key-value-store/x", `{}`, []string{"X-Causal-Metadata", "A"}, core.Request{Op: wire.OpGet, Key: "x", Tokens: "A"}},
		{"GET", "/key-value-store/x", `{"causal-metadata":"B"}`, []string{"X-Causal-Metadata", "A"}, core.Request{Op: wire.OpGet, Key: "x", Tokens: "B"}},
		{"GET", "/key-value-store/x", `{"causal-metadata":""}`, []string{"X-Causal-Metadata", "A"}, core.Request{Op: wire.OpGet, Key: "x"}},
		{"PUT", "/key-value-store/x", `{"value": {"b" : [ 1.50, null ] } ,"causal-metadata":"A"}`, nil,
			core.Request{Op: wire.OpPut, Key: "x", Value: []byte(`{"b":[1.50,null]}`), Tokens: "A"}},
		{"PUT", "/key-value-store/x?w=1&v=3", `{"value":null}`, nil, core.Request{Op: wire.OpPut, Key: "x", Value: []byte(`null`)}},
		{"DELETE", "/key-value-store/x", ``, nil, core.Request{Op: wire.OpDelete, Key: "x"}},
		{"DELETE", "/key-value-store/x", `{"causal-metadata":"A"}`, nil, core.Request{Op: wire.OpDelete, Key: "x", Tokens: "A"}},

		{"GET", "/key-value-store/a%2Fb", "", nil, core.Request{Op: wire.OpGet, Key: "a/b"}},
		{"GET", "/key-value-store/a/b", "", nil, core.Request{Op: wire.OpGet, Key: "a/b"}},
		{"GET", "/key-value-store//", "", nil, core.Request{Op: wire.OpGet, Key: "/"}},
		{"GET", "/key-value-store//a//b/", "", nil, core.Request{Op: wire.OpGet, Key: "/a//b/"}},
		{"GET", "/key-value-store/..", "", nil, core.Request{Op: wire.OpGet, Key: ".."}},
		{"GET", "/key-value-store/../../healthz", "", nil, core.Request{Op: wire.OpGet, Key: "../../healthz"}},
		{"GET", "/key-value-store/%2e%2e%2f.", "", nil, core.Request{Op: wire.OpGet, Key: "../."}},
		{"GET", "/key-value-store/%00%ff%F0%9F%98%80+%2B%20%25%3F", "", nil, core.Request{Op: wire.OpGet, Key: "\x00\xff😀++ %?"}},
		{"GET", "/key-value-store/*key", "", nil, core.Request{Op: wire.OpGet, Key: "*key"}},
	}
	for _, test := range tests {
		t.Run(test.method+" "+test.target+" "+test.body, func(t *testing.T) {
			var asked []core.Request
			n := fakeNode(t, answering(core.Response{Status: wire.StatusNotFound}, &asked), Config{})
			w := do(n.Handler(), test.method, test.target, test.body, test.header...)
			if w.Code != http.StatusNotFound || len(asked) != 1 {
				t.Fatalf("status %d, %d requests: %s", w.Code, len(asked), w.Body)
			}
			got := asked[0]
			if string(got.Value) != string(test.want.Value) || got.Op != test.want.Op || got.Key != test.want.Key || got.Tokens != test.want.Tokens {
				t.Errorf("machine was asked %+v, want %+v", got, test.want)
			}
		})
	}
}

// TestBadInput lists what is refused before the machine is asked.
func TestBadInput(t *testing.T) {
	const key = "/key-value-store/x"
	syntax := func(method, what string) string {
		return `{"error":"Body is not a valid JSON object: ` + what + `","message":"Error in ` + method + `"}`
	}
	const wrongToken = `causal-metadata has the wrong type; send the string that a response gave, or null, or nothing`
	tests := []struct {
		name, method, target, body string
		status                     int
		want                       string
	}{
		{"value missing", "PUT", key, `{"causal-metadata":""}`, 400, `{"error":"Value is missing","message":"Error in PUT"}`},
		{"no body", "PUT", key, ``, 400, `{"error":"Value is missing","message":"Error in PUT"}`},
		{"key too long", "PUT", "/key-value-store/" + strings.Repeat("%61", 51), `{"value":1}`, 400, `{"error":"Key is too long","message":"Error in PUT"}`},
		{"not JSON", "PUT", key, `value=1`, 400, syntax("PUT", "unexpected character at byte 0")},
		{"cut off", "PUT", key, `{"value":`, 400, syntax("PUT", "it ends too early")},
		{"array", "PUT", key, `[1]`, 400, syntax("PUT", "an object is expected")},
		{"null", "PUT", key, `null`, 400, syntax("PUT", "an object is expected")},
		{"duplicate", "PUT", key, `{"value":1,"value":2}`, 400, syntax("PUT", "duplicate member at byte 11")},
		{"trailing", "PUT", key, `{"value":1}x`, 400, syntax("PUT", "data after the object, at byte 11")},
		{"not UTF-8", "PUT", key, "{\"value\":\"\xff\"}", 400, syntax("PUT", "invalid UTF-8 at byte 10")},
		{"too deep", "PUT", key, `{"value":` + strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001) + `}`, 400, syntax("PUT", "nested deeper than 10000 levels")},
		{"token number", "PUT", key, `{"value":1,"causal-metadata":1}`, 400, `{"error":"` + wrongToken + `","message":"Error in PUT"}`},
		{"token object", "GET", key, `{"causal-metadata":{}}`, 400, `{"error":"` + wrongToken + `","message":"Error in GET"}`},
		{"token array", "DELETE", key, `{"causal-metadata":[]}`, 400, `{"error":"` + wrongToken + `","message":"Error in DELETE"}`},
		{"token bool", "DELETE", key, `{"causal-metadata":false}`, 400, `{"error":"` + wrongToken + `","message":"Error in DELETE"}`},
		{"get not JSON", "GET", key, `x`, 400, syntax("GET", "unexpected character at byte 0")},
		{"delete not JSON", "DELETE", key, `{`, 400, syntax("DELETE", "it ends too early")},
		{"value too large", "PUT", key, `{"value":"` + strings.Repeat("a", 99) + `"}`, 413, `{"error":"Value is too large","message":"Error in PUT"}`},
		{"body too large", "PUT", key, `{"value":1,"x":"` + strings.Repeat("a", bodySlack+200) + `"}`, 413, `{"error":"Body is too large","message":"Error in PUT"}`},
		{"w majority", "PUT", key + "?w=majority", `{"value":1}`, 400, `{"error":"Write concern is not available in this version: leave w out or send w=1","message":"Error in PUT"}`},
		{"w empty", "DELETE", key + "?w=", ``, 400, `{"error":"Write concern is not available in this version: leave w out or send w=1","message":"Error in DELETE"}`},
		{"w in a malformed query", "PUT", key + "?w=all;", `{"value":1}`, 400, `{"error":"Write concern is not available in this version: leave w out or send w=1","message":"Error in PUT"}`},
		{"w twice", "DELETE", key + "?w=1&w=2", ``, 400, `{"error":"Write concern is not available in this version: leave w out or send w=1","message":"Error in DELETE"}`},
		{"empty key", "GET", "/key-value-store/", ``, 404, `{"error":"Key is missing: name one after /key-value-store/","message":"Error in GET"}`},
		{"empty key, put", "PUT", "/key-value-store/", `{"value":1}`, 404, `{"error":"Key is missing: name one after /key-value-store/","message":"Error in PUT"}`},
		{"no key", "DELETE", "/key-value-store", ``, 404, `{"error":"Key is missing: name one after /key-value-store/","message":"Error in DELETE"}`},
		{"unknown path", "GET", "/x\"", ``, 404, `{"error":"Path does not exist: keys are under /key-value-store/<key>","message":"Error in GET"}`},
		{"case matters", "GET", "/KEY-VALUE-STORE/x", ``, 404, `{"error":"Path does not exist: keys are under /key-value-store/<key>","message":"Error in GET"}`},
		{"root", "GET", "/", ``, 404, `{"error":"Path does not exist: keys are under /key-value-store/<key>","message":"Error in GET"}`},
		{"trailing slash elsewhere", "GET", "/key-value-store-view/", ``, 404, `{"error":"Path does not exist: keys are under /key-value-store/<key>","message":"Error in GET"}`},
		{"wrong method", "POST", key, `{"value":1}`, 405, `{"error":"Method not allowed: this path understands DELETE, GET, HEAD, OPTIONS, PUT","message":"Error in POST"}`},
		{"unknown method", "BREW", "/key-value-store-shard/shard-ids", ``, 405, `{"error":"Method not allowed: this path understands GET, HEAD, OPTIONS","message":"Error in BREW"}`},
		{"health is read only", "PUT", "/healthz", ``, 405, `{"error":"Method not allowed: this path understands GET, HEAD, OPTIONS","message":"Error in PUT"}`},
		{"address missing", "PUT", "/key-value-store-view", `{}`, 400, `{"error":"Socket address is missing","message":"Error in PUT"}`},
		{"address missing, delete", "DELETE", "/key-value-store-view", ``, 400, `{"error":"Socket address is missing","message":"Error in DELETE"}`},
		{"address type", "PUT", "/key-value-store-view", `{"socket-address":8085}`, 400, `{"error":"Socket address has the wrong type: a string host:port is expected","message":"Error in PUT"}`},
		{"address form", "PUT", "/key-value-store-view", `{"socket-address":"host"}`, 400, `{"error":"Socket address is not valid: host:port with a port from 1 to 65535 is expected","message":"Error in PUT"}`},
		{"view not JSON", "DELETE", "/key-value-store-view", `{"socket-address":"a:1"`, 400, syntax("DELETE", "it ends too early")},
		{"add-member missing", "PUT", "/key-value-store-shard/add-member/1", `{}`, 400, `{"error":"Socket address is missing","message":"Error in PUT"}`},
		{"add-member duplicate", "PUT", "/key-value-store-shard/add-member/9", `{"socket-address":"a:1","socket-address":"a:1"}`, 400, syntax("PUT", "duplicate member at byte 24")},
		{"count missing", "PUT", "/key-value-store-shard/reshard", `{"count":1}`, 400, `{"error":"Shard count is missing","message":"Error in PUT"}`},
		{"count string", "PUT", "/key-value-store-shard/reshard", `{"shard-count":"2"}`, 400, `{"error":"Shard count is not valid: a whole number from 1 is expected","message":"Error in PUT"}`},
		{"count zero", "PUT", "/key-value-store-shard/reshard", `{"shard-count":0}`, 400, `{"error":"Shard count is not valid: a whole number from 1 is expected","message":"Error in PUT"}`},
		{"count negative", "PUT", "/key-value-store-shard/reshard", `{"shard-count":-1}`, 400, `{"error":"Shard count is not valid: a whole number from 1 is expected","message":"Error in PUT"}`},
		{"count fraction", "PUT", "/key-value-store-shard/reshard", `{"shard-count":1.5}`, 400, `{"error":"Shard count is not valid: a whole number from 1 is expected","message":"Error in PUT"}`},
		{"count null", "PUT", "/key-value-store-shard/reshard", `{"shard-count":null}`, 400, `{"error":"Shard count is not valid: a whole number from 1 is expected","message":"Error in PUT"}`},
		{"reshard too large", "PUT", "/key-value-store-shard/reshard", strings.Repeat(" ", maxAdminBody+1), 413, `{"error":"Body is too large","message":"Error in PUT"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var asked []core.Request
			n := fakeNode(t, answering(core.Response{Status: wire.StatusNotFound}, &asked), Config{MaxKeyLength: 50, MaxValueSize: 100})
			w := do(n.Handler(), test.method, strings.ReplaceAll(test.target, `"`, "%22"), test.body)
			wantJSON(t, w, test.status, test.want)
			if len(asked) != 0 {
				t.Errorf("the machine was asked %+v", asked)
			}
			if allow := w.Header().Get("Allow"); (test.status == 405) != (allow != "") {
				t.Errorf("Allow is %q", allow)
			}
		})
	}
}

// TestLimits stands exactly on the limits.
func TestLimits(t *testing.T) {
	var asked []core.Request
	n := fakeNode(t, answering(core.Response{Status: wire.StatusCreated, Shard: 1}, &asked), Config{MaxKeyLength: 50, MaxValueSize: 100})
	accepted := []struct{ target, body string }{
		{"/key-value-store/" + strings.Repeat("%C3%A9", 25), `{"value":1}`},
		{"/key-value-store/x", `{"value":"` + strings.Repeat("a", 98) + `"}`},
		{"/key-value-store/x", `{"value":["` + strings.Repeat("a", 96) + `"  ]}`},
		{"/key-value-store/x", `{"value":` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + `}`},
	}
	for _, test := range accepted {
		if w := do(n.Handler(), "PUT", test.target, test.body); w.Code != http.StatusCreated {
			t.Errorf("PUT %s %s: %d %s", test.target, test.body, w.Code, w.Body)
		}
	}
	if len(asked) != len(accepted) {
		t.Errorf("%d requests reached the machine, want %d", len(asked), len(accepted))
	}
	long := "/key-value-store/" + strings.Repeat("a", 51)
	for _, method := range []string{"GET", "DELETE"} { // such a key cannot exist, which is no error of the client
		if w := do(n.Handler(), method, long, ""); w.Code == http.StatusBadRequest {
			t.Errorf("%s of a long key: %d %s", method, w.Code, w.Body)
		}
	}
}

func TestOptions(t *testing.T) {
	n := fakeNode(t, &fakeMachine{}, Config{})
	w := do(n.Handler(), "OPTIONS", "/key-value-store/x", "")
	if got := w.Header().Get("Allow"); w.Code != http.StatusNoContent || got != "DELETE, GET, HEAD, OPTIONS, PUT" {
		t.Errorf("%d, Allow %q", w.Code, got)
	}
}
