//go:build docker

package dockertest

import (
	"fmt"
	"strings"
	"testing"
)

// A row is a request and what must come back. In path, body, header and want
// {name} stands for a variable: {view}, {self}, {members1}… of the cluster, or
// what an earlier row of the story has saved.
type row struct {
	method, path, body string
	token              string // for the header X-Causal-Metadata, "" for none
	status             int
	want               string // see answer.check
	save               string // variable that gets the token of the answer
}

// A story is rows whose order matters.
type story struct {
	name string
	rows []row
}

const (
	gone    = `{"doesExist":false,"error":"Key does not exist","message":"Error in %s","causal-metadata":"%s"}`
	added   = `{"message":"Added successfully","causal-metadata":"*","shard-id":"*","replaced":false}`
	updated = `{"message":"Updated successfully","causal-metadata":"*","shard-id":"*","replaced":true}`
	deleted = `{"message":"Deleted successfully","causal-metadata":"*","shard-id":"*","doesExist":true}`
	found   = `{"message":"Retrieved successfully","causal-metadata":"%s","value":%s,"shard-id":"*","doesExist":true}`
	refused = `{"error":"%s","message":"Error in %s"}`
)

// everywhere are the stories that are told to every node; {node} is its number.
func everywhere() []story {
	const key = keysPath + "story-{node}"
	not := func(method, token string) string { return fmt.Sprintf(gone, method, token) }
	is := func(token, value string) string { return fmt.Sprintf(found, token, value) }
	noShard := fmt.Sprintf(refused, "Shard ID does not exist", "GET")
	return []story{
		{"a key's life", []row{
			{method: "GET", path: key, status: 404, want: not("GET", "")},
			{method: "DELETE", path: key, status: 404, want: not("DELETE", "")},
			{method: "PUT", path: key, body: `{"value":"v1","causal-metadata":""}`, status: 201, want: added, save: "a"},
			{method: "GET", path: key, body: `{"causal-metadata":"{a}"}`, status: 200, want: is("{a}", `"v1"`)},
			{method: "GET", path: key, token: "{a}", status: 200, want: is("{a}", `"v1"`)},
			{method: "HEAD", path: key, token: "{a}", status: 200},
			{method: "PUT", path: key, body: `{"value":{"v":[2]},"causal-metadata":"{a}"}`, status: 200, want: updated, save: "b"},
			{method: "GET", path: key, body: `{"causal-metadata":"{b}"}`, token: "nonsense", status: 200, want: is("{b}", `{"v":[2]}`)},
			{method: "GET", path: key, token: "{a}, {b}", status: 200, want: is("{b}", `{"v":[2]}`)},
			{method: "DELETE", path: key, body: `{"causal-metadata":"{b}"}`, status: 200, want: deleted, save: "c"},
			{method: "GET", path: key, token: "{c}", status: 404, want: not("GET", "{c}")},
			{method: "DELETE", path: key, token: "{c}", status: 404, want: not("DELETE", "{c}")},
			{method: "PUT", path: key, body: `{"value":null,"causal-metadata":"{c}","more":1}`, status: 201, want: added, save: "d"},
			{method: "GET", path: key, token: "{d}", status: 200, want: is("{d}", `null`)},
			{method: "PUT", path: key + "?w=1", body: `{"value":3}`, token: "{d}", status: 200, want: updated, save: "e"},
			{method: "DELETE", path: key + "?w=1", token: "{e}", status: 200, want: deleted},
			{method: "OPTIONS", path: "/healthz", status: 204},
		}},
		{"view and shards", []row{
			{method: "GET", path: "/healthz", status: 200, want: `{"message":"OK"}`},
			{method: "GET", path: viewPath, status: 200, want: `{"message":"View retrieved successfully","view":"{view}"}`},
			{method: "GET", path: shardsPath + "shard-ids", status: 200, want: `{"message":"Shard IDs retrieved successfully","shard-ids":["1","2"]}`},
			{method: "GET", path: shardsPath + "node-shard-id", status: 200, want: `{"message":"Shard ID of the node retrieved successfully","shard-id":"{shard}"}`},
			{method: "GET", path: shardsPath + "shard-id-members/1", status: 200, want: `{"message":"Members of shard ID retrieved successfully","shard-id-members":[{members1}]}`},
			{method: "GET", path: shardsPath + "shard-id-members/2", status: 200, want: `{"message":"Members of shard ID retrieved successfully","shard-id-members":[{members2}]}`},
			{method: "GET", path: shardsPath + "shard-id-members/3", status: 404, want: noShard},
			{method: "GET", path: shardsPath + "shard-id-members/one", status: 404, want: noShard},
			{method: "GET", path: shardsPath + "shard-id-members/", status: 404, want: noShard},
			{method: "GET", path: shardsPath + "shard-id-key-count/0", status: 404, want: noShard},
			{method: "GET", path: shardsPath + "shard-id-key-count/1/", status: 404, want: noShard},
			{method: "GET", path: shardsPath + "reshard", status: 200, want: `{"message":"*","phase":"idle","keys-moved":0,"keys-to-move":0}`},
		}},
		{"administration", administration()},
	}
}

// administration is validated, and what this version cannot do is refused.
func administration() []row {
	const (
		self    = `{"socket-address":"{self}"}`
		other   = `{"socket-address":"{stranger}"}`
		unknown = "Socket address does not exist in the view"
	)
	no := func(sentence, method string) string { return fmt.Sprintf(refused, sentence, method) }
	return []row{
		{method: "PUT", path: viewPath, body: self, status: 404, want: no("Socket address already exists in the view", "PUT")},
		{method: "DELETE", path: viewPath, body: other, status: 404, want: no(unknown, "DELETE")},
		{method: "PUT", path: viewPath, body: other, status: 503, want: no("*", "PUT")},
		{method: "DELETE", path: viewPath, body: self, status: 503, want: no("*", "DELETE")},
		{method: "PUT", path: viewPath, body: `{}`, status: 400, want: no("*", "PUT")},
		{method: "PUT", path: viewPath, body: `{"socket-address":"no port"}`, status: 400, want: no("*", "PUT")},
		{method: "DELETE", path: viewPath, body: `{"socket-address":7}`, status: 400, want: no("*", "DELETE")},
		{method: "PUT", path: shardsPath + "add-member/{shard}", body: self, status: 200, want: `{"message":"Node added to shard successfully"}`},
		{method: "PUT", path: shardsPath + "add-member/{othershard}", body: self, status: 400, want: no("*", "PUT")},
		{method: "PUT", path: shardsPath + "add-member/3", body: self, status: 404, want: no("Shard ID does not exist", "PUT")},
		{method: "PUT", path: shardsPath + "add-member/1", body: other, status: 404, want: no(unknown, "PUT")},
		{method: "PUT", path: shardsPath + "add-member/1", body: `{"socket-address":null}`, status: 400, want: no("*", "PUT")},
		{method: "PUT", path: shardsPath + "reshard", body: `{"shard-count":4}`, status: 400, want: `{"message":"Not enough nodes to provide fault-tolerance with the given shard count!"}`},
		{method: "PUT", path: shardsPath + "reshard", body: `{"shard-count":3}`, status: 503, want: no("*", "PUT")},
		{method: "PUT", path: shardsPath + "reshard", body: `{"shard-count":0}`, status: 400, want: no("*", "PUT")},
		{method: "PUT", path: shardsPath + "reshard", body: `{"shard-count":"2"}`, status: 400, want: no("*", "PUT")},
		{method: "PUT", path: shardsPath + "reshard", body: ``, status: 400, want: no("*", "PUT")},
	}
}

// badInput is what a client may get wrong. The order does not matter.
func badInput() []row {
	const key, limit = keysPath + "bad", 1 << 20 // bytes of a value
	var rows []row
	add := func(method, path, body string, status int, sentence string) {
		rows = append(rows, row{method: method, path: path, body: body, status: status, want: fmt.Sprintf(refused, sentence, method)})
	}
	for _, body := range []string{``, `{}`, `{"causal-metadata":""}`, `{"Value":1}`} {
		add("PUT", key, body, 400, "Value is missing")
	}
	for _, body := range []string{
		`{"value":1`, `value=1`, `[1]`, `"x"`, `null`, `{"value":1}{}`, `{"value":1} x`, `{"value":1,"value":1}`, `{"value":{"a":1,"a":2}}`,
		`{"value":01}`, `{"value":'x'}`, `{"value":NaN}`, "{\"value\":\"\xff\"}", `{"value":"\x"}`, `{value:1}`,
		`{"value":` + strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001) + `}`,
		`{"value":1,"causal-metadata":5}`, `{"value":1,"causal-metadata":{}}`, `{"value":1,"causal-metadata":"nonsense"}`,
	} {
		add("PUT", key, body, 400, "*")
	}
	for _, method := range []string{"GET", "DELETE"} {
		for _, body := range []string{`nonsense`, `[]`, `{"causal-metadata":["x"]}`, `{"causal-metadata":"AAAA"}`, `{"causal-metadata":"","causal-metadata":""}`} {
			add(method, key, body, 400, "*")
		}
		add(method, keysPath, ``, 404, "*")
	}
	add("PUT", keysPath+strings.Repeat("k", 1025), `{"value":1}`, 400, "Key is too long")
	add("PUT", key, `{"value":"`+strings.Repeat("a", limit-1)+`"}`, 413, "Value is too large")
	add("PUT", key, `{"value":"`+strings.Repeat("a", 3*limit)+`"}`, 413, "*")
	for _, w := range []string{"0", "2", "all", "majority", "x", ""} {
		add("PUT", key+"?w="+w, `{"value":1}`, 400, "*")
		add("DELETE", key+"?w="+w, ``, 400, "*")
	}
	for _, path := range []string{"/", "/x", "/key-value-store", viewPath + "/", shardsPath, shardsPath + "x"} {
		add("GET", path, ``, 404, "*")
	}
	for _, pair := range [][2]string{
		{"POST", key}, {"PATCH", key}, {"POST", viewPath}, {"PUT", shardsPath + "shard-ids"}, {"DELETE", shardsPath + "node-shard-id"},
		{"PUT", shardsPath + "shard-id-members/1"}, {"POST", shardsPath + "shard-id-key-count/1"}, {"GET", shardsPath + "add-member/1"},
		{"DELETE", shardsPath + "reshard"}, {"PUT", "/healthz"}, {"GET", "/sequitur/peer"},
	} {
		add(pair[0], pair[1], ``, 405, "*")
	}
	return append(rows, row{method: "GET", path: key, token: "nonsense", status: 400, want: fmt.Sprintf(refused, "*", "GET")})
}

// play sends rows to a node and checks the answers.
func play(t *testing.T, c client, url string, variables map[string]string, rows []row) {
	t.Helper()
	for _, r := range rows {
		fill := func(text string) string {
			for name, value := range variables {
				text = strings.ReplaceAll(text, "{"+name+"}", value)
			}
			return text
		}
		var header []string
		if r.token != "" {
			header = []string{tokenHeader, fill(r.token)}
		}
		a := c.ask(t, url, r.method, fill(r.path), fill(r.body), header...)
		if err := a.check(r.status, fill(r.want)); err != nil {
			t.Errorf("%s %.100s %.100s\ngot  %v\n%v", r.method, fill(r.path), fill(r.body), a, err)
		}
		if r.save != "" {
			variables[r.save] = a.token()
		}
	}
}
