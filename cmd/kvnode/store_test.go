//go:build linux

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestStore takes six processes on 127.x.y.z through the API, and then through failures.
func TestStore(t *testing.T) {
	c := newCluster(t, 6, `SHARD_COUNT="2"`, "MAX_KEY_LENGTH=50", "MAX_VALUE_SIZE=10000", "IN_MEMORY=true")
	for _, part := range []struct {
		name string
		test func(*testing.T, *cluster)
	}{
		{"keys", testKeys}, {"values", testValues}, {"key bytes", testKeyBytes}, {"tokens", testTokens},
		{"causal reads", testCausalReads}, {"sessions", testSessions}, {"view and shards", testViewAndShards}, {"bad input", testBadInput},
		{"administration", testAdministration}, {"peers", testPeerEndpoint},
		{"frozen node", testFrozenNode}, {"lost memory", testLostMemory}, {"all peers stopped", testPeersStopped},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.test(t, c) }) {
			return // what follows builds on it
		}
	}
}

// keysIn finds keys that live in each shard.
func keysIn(t *testing.T, c *cluster, prefix string) (first, second string) {
	t.Helper()
	for i := 0; first == "" || second == ""; i++ {
		key := fmt.Sprintf("%s%d", prefix, i)
		switch c.ask(t, 0, "PUT", keysPath+key, `{"value":0}`).members["shard-id"] {
		case "1":
			first = key
		case "2":
			second = key
		}
	}
	return first, second
}

// testKeys sends every row for keys to every node, so that some are forwarded.
func testKeys(t *testing.T, c *cluster) {
	for i := range c.addresses {
		path := fmt.Sprintf("%sbasic-%d", keysPath, i)
		const gone = `{"doesExist":false,"error":"Key does not exist","message":"Error in %s","causal-metadata":"*"}`
		c.want(t, i, "GET", path, "", 404, fmt.Sprintf(gone, "GET"))
		c.want(t, i, "DELETE", path, "", 404, fmt.Sprintf(gone, "DELETE"))
		put := c.want(t, i, "PUT", path, `{"value":"v1","causal-metadata":""}`, 201,
			`{"message":"Added successfully","causal-metadata":"*","shard-id":"*","replaced":false}`)
		shard := put.members["shard-id"].(string)
		put = c.want(t, i, "PUT", path, `{"value":"v2","causal-metadata":"`+put.token()+`"}`, 200,
			`{"message":"Updated successfully","causal-metadata":"*","shard-id":"`+shard+`","replaced":true}`)
		found := `{"message":"Retrieved successfully","causal-metadata":"` + put.token() + `","value":"v2","shard-id":"` + shard + `","doesExist":true}`
		c.want(t, i, "GET", path, `{"causal-metadata":"`+put.token()+`"}`, 200, found)
		c.want(t, i, "GET", path, "", 200, found, "X-Causal-Metadata", put.token())
		if head := c.ask(t, i, "HEAD", path, "", "X-Causal-Metadata", put.token()); head.status != 200 || head.text != "" || head.token() != put.token() {
			t.Errorf("HEAD: %v, token %q", head, head.token())
		}
		deleted := c.want(t, i, "DELETE", path, `{"causal-metadata":"`+put.token()+`"}`, 200,
			`{"message":"Deleted successfully","causal-metadata":"*","shard-id":"`+shard+`","doesExist":true}`)
		c.want(t, i, "GET", path, "", 404, fmt.Sprintf(gone, "GET"), "X-Causal-Metadata", deleted.token())
		again := c.want(t, i, "PUT", path, `{"value":"v3","causal-metadata":"`+deleted.token()+`"}`, 201,
			`{"message":"Added successfully","causal-metadata":"*","shard-id":"`+shard+`","replaced":false}`)
		c.want(t, i, "DELETE", path, "", 200,
			`{"message":"Deleted successfully","causal-metadata":"*","shard-id":"`+shard+`","doesExist":true}`, "X-Causal-Metadata", again.token())
	}
}

func testValues(t *testing.T, c *cluster) {
	deep := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	for i, value := range []string{
		`null`, `true`, `0`, `-0.10e+30`, `123456789012345678901234567890.10`, `""`, `"\u0000é😀\ud800"`, `[]`, `{}`, deep,
		`{"b":[1,{"c":null}],"a":"x"}`, `"` + strings.Repeat("a", 9998) + `"`,
	} {
		path := fmt.Sprintf("%svalue-%d", keysPath, i)
		put := c.ask(t, i%6, "PUT", path, `{"value":`+value+`}`)
		got := c.ask(t, (i+3)%6, "GET", path, "", "X-Causal-Metadata", put.token())
		if put.status != 201 || got.status != 200 || !strings.Contains(got.text, `"value":`+value+`,`) {
			t.Errorf("value %.100s: %.200v, then %.200v", value, put, got)
		}
	}
}

func testKeyBytes(t *testing.T, c *cluster) {
	keys := []string{
		"a%2Fb", "/", "a//b", "..", "../..", "../key-value-store-view", "x/", ".", "%00", "%FF%FE", "%F0%9F%98%80", "a+b", "a%20b", "%25", "a%3Fb", "*key", ":key",
		strings.Repeat("k", 50),
	}
	for i, key := range keys {
		put := c.ask(t, i%6, "PUT", keysPath+key, fmt.Sprintf(`{"value":%d}`, i))
		if put.status != 201 {
			t.Errorf("PUT %s: %v", key, put)
		}
		got := c.ask(t, (i+1)%6, "GET", keysPath+key, "", "X-Causal-Metadata", put.token())
		if got.status != 200 || got.members["value"] != float64(i) {
			t.Errorf("GET %s: %v", key, got)
		}
	}
	put := c.ask(t, 0, "PUT", keysPath+"a/b", `{"value":"same"}`)
	if put.status != 200 {
		t.Errorf("a/b is not a%%2Fb: %v", put)
	}
}

// testTokens wants the same bytes from every replica, and looks at the ways in which tokens come.
func testTokens(t *testing.T, c *cluster) {
	for _, via := range []int{0, 5} {
		path := fmt.Sprintf("%stoken-%d", keysPath, via)
		put := c.ask(t, via, "PUT", path, `{"value":1,"causal-metadata":null}`)
		for i := range c.addresses {
			c.until(t, 10*time.Second, i, "GET", path, "", func(r result) bool { return r.status == 200 })
			for _, body := range []string{"", `{"causal-metadata":"` + put.token() + `"}`, `{}`} {
				if got := c.ask(t, i, "GET", path, body); got.token() != put.token() {
					t.Errorf("GET %s at node %d: token %q, the PUT's is %q", body, i+1, got.token(), put.token())
				}
			}
		}
	}
	first, second := keysIn(t, c, "union-")
	a, b := c.ask(t, 1, "PUT", keysPath+first, `{"value":1}`), c.ask(t, 2, "PUT", keysPath+second, `{"value":2}`)
	one := c.ask(t, 3, "GET", keysPath+first, "", "X-Causal-Metadata", a.token()+", "+b.token())
	two := c.ask(t, 4, "GET", keysPath+first, "", "X-Causal-Metadata", b.token(), "X-Causal-Metadata", a.token())
	if one.status != 200 || one.token() != two.token() || one.token() == a.token() || one.token() == b.token() {
		t.Errorf("union: %v and %v", one, two)
	}
	if body := c.ask(t, 3, "GET", keysPath+first, `{"causal-metadata":""}`, "X-Causal-Metadata", b.token()); body.token() == one.token() {
		t.Errorf("the header beats the body: %v", body)
	}
}

// testCausalReads hands a token from node to node, through keys of both shards.
func testCausalReads(t *testing.T, c *cluster) {
	first, second := keysIn(t, c, "chain-")
	token := ""
	for round := range 60 {
		key, other := first, second
		if round%2 == 1 {
			key, other = second, first
		}
		put := c.ask(t, round%6, "PUT", keysPath+key, fmt.Sprintf(`{"value":%d}`, round), "X-Causal-Metadata", token)
		if put.status != 200 {
			t.Fatalf("round %d: %v", round, put)
		}
		token = put.token()
		for _, node := range []int{(round + 1) % 6, (round + 3) % 6, (round + 5) % 6} {
			if got := c.ask(t, node, "GET", keysPath+key, "", "X-Causal-Metadata", token); got.members["value"] != float64(round) {
				t.Fatalf("round %d at node %d: %v", round, node+1, got)
			}
			if got := c.ask(t, node, "GET", keysPath+other, "", "X-Causal-Metadata", token); round > 0 && got.members["value"] != float64(round-1) {
				t.Fatalf("round %d at node %d, the key before: %v", round, node+1, got)
			}
		}
	}
}

func testViewAndShards(t *testing.T, c *cluster) {
	var keys [3]int
	for i := range 50 {
		put := c.ask(t, i%6, "PUT", fmt.Sprintf("%scount-%d", keysPath, i), `{"value":1}`)
		keys[int(put.members["shard-id"].(string)[0]-'0')]++
	}
	members := [3]string{1: `"` + strings.Join(c.addresses[:3], `","`) + `"`, 2: `"` + strings.Join(c.addresses[3:], `","`) + `"`}
	count := func(i, shard int) float64 {
		r := c.ask(t, i, "GET", fmt.Sprintf("%sshard-id-key-count/%d", shardsPath, shard), "")
		n, ok := r.members["shard-id-key-count"].(float64)
		if r.status != 200 || !ok || len(r.members) != 2 || r.members["message"] != "Key count of shard ID retrieved successfully" {
			t.Errorf("key count: %v", r)
		}
		return n
	}
	for i := range c.addresses {
		c.want(t, i, "GET", viewPath, "", 200, `{"message":"View retrieved successfully","view":"`+strings.Join(c.addresses, ",")+`"}`)
		c.want(t, i, "GET", shardsPath+"shard-ids", "", 200, `{"message":"Shard IDs retrieved successfully","shard-ids":["1","2"]}`)
		c.want(t, i, "GET", shardsPath+"node-shard-id", "", 200,
			fmt.Sprintf(`{"message":"Shard ID of the node retrieved successfully","shard-id":"%d"}`, 1+i/3))
		for shard := 1; shard <= 2; shard++ {
			c.want(t, i, "GET", fmt.Sprintf("%sshard-id-members/%d", shardsPath, shard), "", 200,
				`{"message":"Members of shard ID retrieved successfully","shard-id-members":[`+members[shard]+`]}`)
		}
		for _, id := range []string{"0", "3", "x", "01", "1/", ""} {
			for _, question := range []string{"shard-id-members/", "shard-id-key-count/"} {
				c.want(t, i, "GET", shardsPath+question+id, "", 404, `{"error":"Shard ID does not exist","message":"Error in GET"}`)
			}
		}
		c.want(t, i, "GET", "/healthz", "", 200, `{"message":"OK"}`)
	}
	// All replicas, and nodes of the other shard, come to count the same.
	for shard := 1; shard <= 2; shard++ {
		before := count(0, shard)
		if before < float64(keys[shard]) {
			t.Errorf("shard %d counts %v keys, at least %d are there", shard, before, keys[shard])
		}
		for i := range c.addresses {
			c.until(t, 10*time.Second, i, "GET", fmt.Sprintf("%sshard-id-key-count/%d", shardsPath, shard), "",
				func(r result) bool { return r.members["shard-id-key-count"] == before })
		}
	}
}

func testBadInput(t *testing.T, c *cluster) {
	const key = keysPath + "bad"
	const missing = `{"error":"Value is missing","message":"Error in PUT"}`
	tests := []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"PUT", key, `{}`, 400, missing},
		{"PUT", key, ``, 400, missing},
		{"PUT", key, `{"causal-metadata":""}`, 400, missing},
		{"PUT", keysPath + strings.Repeat("k", 51), `{"value":1}`, 400, `{"error":"Key is too long","message":"Error in PUT"}`},
		{"PUT", key, `{"value":"` + strings.Repeat("a", 9999) + `"}`, 413, `{"error":"Value is too large","message":"Error in PUT"}`},
		{"PUT", key, `{"value":"` + strings.Repeat("a", 20<<20) + `"}`, 413, `{"error":"Body is too large","message":"Error in PUT"}`},
		{"PUT", key, `{"value":1`, 400, `{"error":"*","message":"Error in PUT"}`},
		{"PUT", key, `value=1`, 400, `{"error":"*","message":"Error in PUT"}`},
		{"PUT", key, `[1]`, 400, `{"error":"*","message":"Error in PUT"}`},
		{"PUT", key, `{"value":1,"value":1}`, 400, `{"error":"*","message":"Error in PUT"}`},
		{"PUT", key, `{"value":{"a":1,"a":1}}`, 400, `{"error":"*","message":"Error in PUT"}`},
		{"PUT", key, `{"value":1}{}`, 400, `{"error":"*","message":"Error in PUT"}`},
		{"PUT", key, "{\"value\":\"\xff\"}", 400, `{"error":"*","message":"Error in PUT"}`},
		{"PUT", key, `{"value":` + strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001) + `}`, 400, `{"error":"*","message":"Error in PUT"}`},
		{"PUT", key, `{"value":1,"causal-metadata":5}`, 400, `{"error":"*","message":"Error in PUT"}`},
		{"PUT", key, `{"value":1,"causal-metadata":"nonsense"}`, 400, `{"error":"*","message":"Error in PUT"}`},
		{"PUT", key + "?w=all", `{"value":1}`, 400, `{"error":"*","message":"Error in PUT"}`},
		{"GET", key, `{"causal-metadata":["x"]}`, 400, `{"error":"*","message":"Error in GET"}`},
		{"GET", key, `{"causal-metadata":"AAAA"}`, 400, `{"error":"*","message":"Error in GET"}`},
		{"GET", key, `nonsense`, 400, `{"error":"*","message":"Error in GET"}`},
		{"DELETE", key, `{"causal-metadata":{}}`, 400, `{"error":"*","message":"Error in DELETE"}`},
		{"DELETE", key, `"x"`, 400, `{"error":"*","message":"Error in DELETE"}`},
		{"DELETE", key + "?w=2", ``, 400, `{"error":"*","message":"Error in DELETE"}`},
		{"GET", keysPath, ``, 404, `{"error":"*","message":"Error in GET"}`},
		{"PUT", strings.TrimSuffix(keysPath, "/"), `{"value":1}`, 404, `{"error":"*","message":"Error in PUT"}`},
		{"GET", "/", ``, 404, `{"error":"*","message":"Error in GET"}`},
		{"GET", shardsPath, ``, 404, `{"error":"*","message":"Error in GET"}`},
		{"POST", key, `{"value":1}`, 405, `{"error":"*","message":"Error in POST"}`},
		{"PATCH", viewPath, ``, 405, `{"error":"*","message":"Error in PATCH"}`},
		{"PUT", shardsPath + "shard-ids", ``, 405, `{"error":"*","message":"Error in PUT"}`},
		{"GET", shardsPath + "add-member/1", ``, 405, `{"error":"*","message":"Error in GET"}`},
		{"DELETE", shardsPath + "reshard", ``, 405, `{"error":"*","message":"Error in DELETE"}`},
	}
	for i, test := range tests {
		for _, node := range []int{i % 3, 3 + i%3} { // of both shards
			r := c.want(t, node, test.method, test.path, test.body, test.status, test.want)
			if allow := r.header.Get("Allow"); (r.status == 405) != strings.Contains(allow, "OPTIONS") {
				t.Errorf("%s %s: Allow is %q", test.method, test.path, allow)
			}
		}
	}
	c.want(t, 0, "GET", key, "", 400, `{"error":"*","message":"Error in GET"}`, "X-Causal-Metadata", "nonsense")
	c.want(t, 0, "GET", key, "", 404, `{"doesExist":false,"error":"Key does not exist","message":"Error in GET","causal-metadata":""}`)
}

// testAdministration validates, and refuses what comes later.
func testAdministration(t *testing.T, c *cluster) {
	self := `{"socket-address":"` + c.addresses[0] + `"}`
	const other = `{"socket-address":"10.9.9.9:8085"}`
	const later = `{"error":"*","message":"Error in PUT"}`
	tests := []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"PUT", viewPath, self, 404, `{"error":"Socket address already exists in the view","message":"Error in PUT"}`},
		{"DELETE", viewPath, other, 404, `{"error":"Socket address does not exist in the view","message":"Error in DELETE"}`},
		{"PUT", viewPath, other, 503, later},
		{"DELETE", viewPath, self, 503, `{"error":"*","message":"Error in DELETE"}`},
		{"PUT", viewPath, `{"socket-address":"x"}`, 400, later},
		{"PUT", viewPath, `{}`, 400, later},
		{"DELETE", viewPath, `{"socket-address":null}`, 400, `{"error":"*","message":"Error in DELETE"}`},
		{"PUT", shardsPath + "add-member/1", self, 200, `{"message":"Node added to shard successfully"}`},
		{"PUT", shardsPath + "add-member/2", self, 400, later},
		{"PUT", shardsPath + "add-member/3", self, 404, `{"error":"Shard ID does not exist","message":"Error in PUT"}`},
		{"PUT", shardsPath + "add-member/1", other, 404, `{"error":"Socket address does not exist in the view","message":"Error in PUT"}`},
		{"PUT", shardsPath + "reshard", `{"shard-count":4}`, 400, `{"message":"Not enough nodes to provide fault-tolerance with the given shard count!"}`},
		{"PUT", shardsPath + "reshard", `{"shard-count":3}`, 503, later},
		{"PUT", shardsPath + "reshard", `{"shard-count":"3"}`, 400, later},
		{"PUT", shardsPath + "reshard", `{}`, 400, later},
		{"GET", shardsPath + "reshard", ``, 200, `{"message":"*","phase":"idle","keys-moved":0,"keys-to-move":0}`},
	}
	for i, test := range tests {
		c.want(t, i%6, test.method, test.path, test.body, test.status, test.want)
	}
}

// testPeerEndpoint sends what no peer would.
func testPeerEndpoint(t *testing.T, c *cluster) {
	c.want(t, 0, "POST", "/sequitur/peer", "nonsense", 400, `{"error":"*","message":"Error in POST"}`)
	c.want(t, 0, "POST", "/sequitur/peer", "\x00\x00\x00\x02\x63\x01", 400,
		`{"error":"The peer speaks version 99 of the peer protocol, this node version 1; run the same release everywhere","message":"Error in POST"}`)
	c.want(t, 0, "GET", "/sequitur/peer", "", 405, `{"error":"*","message":"Error in GET"}`)
}
