//go:build linux

package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/internal/apitest"
)

// limits are smaller than those of a node that is told none.
var limits = apitest.Limits{KeyLength: 50, ValueSize: 10_000}

// TestStore takes six processes on 127.x.y.z through the API, and then through failures.
func TestStore(t *testing.T) {
	c := newCluster(t, 6, `SHARD_COUNT="2"`, "IN_MEMORY=true",
		fmt.Sprint("MAX_KEY_LENGTH=", limits.KeyLength), fmt.Sprint("MAX_VALUE_SIZE=", limits.ValueSize))
	for _, part := range []struct {
		name string
		test func(*testing.T, *cluster)
	}{
		{"api", testAPI}, {"bad input", testBadInput}, {"values", testValues}, {"key bytes", testKeyBytes}, {"tokens", testTokens},
		{"causal reads", testCausalReads}, {"sessions", testSessions}, {"key counts", testKeyCounts},
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
		switch c.ask(t, 0, "PUT", keysPath+key, `{"value":0}`).Members["shard-id"] {
		case "1":
			first = key
		case "2":
			second = key
		}
	}
	return first, second
}

// testAPI tells every story to every node, so that some keys are forwarded.
func testAPI(t *testing.T, c *cluster) {
	for i, url := range c.urls() {
		for _, s := range apitest.Everywhere() {
			t.Run(fmt.Sprintf("%s at node %d", s.Name, i+1), func(t *testing.T) {
				apitest.Play(t, c.client, []string{url}, apitest.Variables(c.addresses, i), s.Rows)
			})
		}
	}
}

// testBadInput sends everything to a node of either shard.
func testBadInput(t *testing.T, c *cluster) {
	urls := c.urls()
	for _, half := range [][]string{urls[:3], urls[3:]} {
		apitest.Play(t, c.client, half, nil, apitest.BadInput(limits))
	}
}

func testValues(t *testing.T, c *cluster) {
	apitest.Play(t, c.client, apitest.Pairs(c.urls()), nil, apitest.Values(limits))
}

func testKeyBytes(t *testing.T, c *cluster) {
	apitest.Play(t, c.client, apitest.Pairs(c.urls()), nil, apitest.KeyBytes(limits))
}

// testTokens wants the same bytes from every replica, and looks at the ways in which tokens come.
func testTokens(t *testing.T, c *cluster) {
	for _, via := range []int{0, 5} {
		path := fmt.Sprintf("%stoken-%d", keysPath, via)
		put := c.ask(t, via, "PUT", path, `{"value":1,"causal-metadata":null}`)
		for i := range c.addresses {
			c.until(t, 10*time.Second, i, path, func(r apitest.Answer) bool { return r.Status == 200 })
			for _, body := range []string{"", `{"causal-metadata":"` + put.Token() + `"}`, `{}`} {
				if got := c.ask(t, i, "GET", path, body); got.Token() != put.Token() {
					t.Errorf("GET %s at node %d: token %q, the PUT's is %q", body, i+1, got.Token(), put.Token())
				}
			}
		}
	}
	first, second := keysIn(t, c, "union-")
	a, b := c.ask(t, 1, "PUT", keysPath+first, `{"value":1}`), c.ask(t, 2, "PUT", keysPath+second, `{"value":2}`)
	one := c.ask(t, 3, "GET", keysPath+first, "", apitest.TokenHeader, a.Token()+", "+b.Token())
	two := c.ask(t, 4, "GET", keysPath+first, "", apitest.TokenHeader, b.Token(), apitest.TokenHeader, a.Token())
	if one.Status != 200 || one.Token() != two.Token() || one.Token() == a.Token() || one.Token() == b.Token() {
		t.Errorf("union: %v and %v", one, two)
	}
	if body := c.ask(t, 3, "GET", keysPath+first, `{"causal-metadata":""}`, apitest.TokenHeader, b.Token()); body.Token() == one.Token() {
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
		put := c.ask(t, round%6, "PUT", keysPath+key, fmt.Sprintf(`{"value":%d}`, round), apitest.TokenHeader, token)
		if put.Status != 200 {
			t.Fatalf("round %d: %v", round, put)
		}
		token = put.Token()
		for _, node := range []int{(round + 1) % 6, (round + 3) % 6, (round + 5) % 6} {
			if got := c.ask(t, node, "GET", keysPath+key, "", apitest.TokenHeader, token); got.Members["value"] != float64(round) {
				t.Fatalf("round %d at node %d: %v", round, node+1, got)
			}
			if got := c.ask(t, node, "GET", keysPath+other, "", apitest.TokenHeader, token); round > 0 && got.Members["value"] != float64(round-1) {
				t.Fatalf("round %d at node %d, the key before: %v", round, node+1, got)
			}
		}
	}
}

// testKeyCounts wants the same count of live keys from every node.
func testKeyCounts(t *testing.T, c *cluster) {
	var keys [3]int
	for i := range 50 {
		put := c.ask(t, i%6, "PUT", fmt.Sprintf("%scount-%d", keysPath, i), `{"value":1}`)
		keys[int(put.Members["shard-id"].(string)[0]-'0')]++
	}
	count := func(i, shard int) float64 {
		r := c.ask(t, i, "GET", fmt.Sprintf("%sshard-id-key-count/%d", shardsPath, shard), "")
		n, ok := r.Members["shard-id-key-count"].(float64)
		if r.Status != 200 || !ok || len(r.Members) != 2 || r.Members["message"] != "Key count of shard ID retrieved successfully" {
			t.Errorf("key count: %v", r)
		}
		return n
	}
	// All replicas, and nodes of the other shard, come to count the same, and what was put.
	for shard := 1; shard <= 2; shard++ {
		c.until(t, 10*time.Second, 0, fmt.Sprintf("%sshard-id-key-count/%d", shardsPath, shard), func(apitest.Answer) bool {
			first := count(0, shard)
			for i := range c.addresses {
				if count(i, shard) != first {
					return false
				}
			}
			return first >= float64(keys[shard])
		})
	}
}
