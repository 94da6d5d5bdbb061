//go:build docker

package dockertest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/internal/apitest"
)

// TestStore starts six containers, takes them through the API and then
// through failures, each of which leaves the store as the next one expects it.
func TestStore(t *testing.T) {
	c := newCluster(t)
	for _, part := range []struct {
		name string
		test func(*testing.T, *cluster)
	}{
		{"forming", testForming}, {"api", testAPI}, {"bad input", testBadInput}, {"values", testValues}, {"key bytes", testKeyBytes},
		{"tokens", testTokens}, {"causality", testCausality}, {"key counts", testKeyCounts}, {"health", testHealth},
		{"disconnected node", testDisconnected}, {"two sides", testTwoSides}, {"paused node", testPaused},
		{"stopped node", testStopped}, {"killed node", testKilled}, {"alone", testAlone},
		{"seventh node", testSeventh}, {"reshard", testReshard}, {"deleted nodes", testDeleted}, {"end", testEnd},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, c) })
		if t.Failed() {
			return
		}
	}
}

// testForming starts the nodes, the last two after a look at the others.
func testForming(t *testing.T, c *cluster) {
	const first = 4
	for i := range first {
		c.start(t, i)
	}
	sentence := "Cluster is forming: 4 of 6 nodes seen; missing " + strings.Join(c.addresses[first:], ", ")
	for i := range first {
		c.Until(t, 20*time.Second, c.urls[i], apitest.ViewPath, func(a apitest.Answer) bool { return a.Members["error"] == sentence })
	}
	apitest.Play(t, c.Client, c.urls[:1], nil, apitest.Forming(sentence))
	begin := time.Now()
	for i := first; i < nodes; i++ {
		c.start(t, i)
	}
	for _, url := range c.urls {
		c.Until(t, 20*time.Second, url, apitest.ViewPath, func(a apitest.Answer) bool { return a.Members["view"] == c.view() })
	}
	t.Logf("formed %.1f s after the last nodes were started", time.Since(begin).Seconds())
}

func testAPI(t *testing.T, c *cluster) {
	for i, url := range c.urls {
		for _, s := range apitest.Everywhere() {
			t.Run(fmt.Sprintf("%s at node %d", s.Name, i+1), func(t *testing.T) {
				apitest.Play(t, c.Client, []string{url}, apitest.Variables(c.addresses, i), s.Rows)
			})
		}
	}
}

// limits are those of a node that was told none.
var limits = apitest.Limits{KeyLength: 1024, ValueSize: 1 << 20}

// testBadInput sends everything to a node of either shard: one of them
// forwards what concerns a key, if it is not refused before.
func testBadInput(t *testing.T, c *cluster) {
	for _, half := range [][]string{c.urls[:nodes/2], c.urls[nodes/2:]} {
		apitest.Play(t, c.Client, half, nil, apitest.BadInput(limits))
	}
}

func testValues(t *testing.T, c *cluster) {
	apitest.Play(t, c.Client, apitest.Pairs(c.urls), nil, apitest.Values(limits))
}

func testKeyBytes(t *testing.T, c *cluster) {
	apitest.Play(t, c.Client, apitest.Pairs(c.urls), nil, apitest.KeyBytes(limits))
}

// testTokens wants the very token of the PUT from every node.
func testTokens(t *testing.T, c *cluster) {
	for i, via := range c.urls {
		path := fmt.Sprintf("%stoken-%d", apitest.KeysPath, i)
		put := c.Ask(t, via, "PUT", path, `{"value":1,"causal-metadata":null}`)
		for _, url := range c.urls {
			c.Until(t, 10*time.Second, url, path, func(a apitest.Answer) bool { return a.Status == 200 && a.Token() == put.Token() })
			for _, body := range []string{`{}`, `{"causal-metadata":"` + put.Token() + `"}`} {
				if got := c.Ask(t, url, "GET", path, body); got.Token() != put.Token() {
					t.Errorf("GET %s at %s: token %q, the PUT's is %q", body, url, got.Token(), put.Token())
				}
			}
		}
	}
}

// testCausality hands one token from node to node, through keys of both shards.
func testCausality(t *testing.T, c *cluster) {
	first, second := c.keys(t, c.urls[0], "chain")
	token := ""
	for round := range 30 {
		key, before := first, second
		if round%2 == 1 {
			key, before = second, first
		}
		token = c.write(t, c.urls[round%nodes], key, fmt.Sprint(round), token)
		for _, i := range []int{(round + 1) % nodes, (round + 3) % nodes} {
			c.read(t, c.urls[i], key, fmt.Sprint(round), token)
			if round > 0 {
				c.read(t, c.urls[i], before, fmt.Sprint(round-1), token)
			}
		}
	}
}

// testKeyCounts writes keys whose number it knows. key0 … key599 must be
// spread within 25 % of even.
func testKeyCounts(t *testing.T, c *cluster) {
	const keys = 600
	count := func(shard int) (n float64) {
		a := c.Ask(t, c.urls[0], "GET", fmt.Sprintf("%sshard-id-key-count/%d", apitest.ShardsPath, shard), "")
		n, ok := a.Members["shard-id-key-count"].(float64)
		if a.Status != 200 || !ok || a.Members["message"] != "Key count of shard ID retrieved successfully" {
			t.Fatalf("key count of shard %d: %v", shard, a)
		}
		return n
	}
	before := [3]float64{1: count(1), 2: count(2)}
	written := [3]float64{}
	for i := range keys {
		a := c.Ask(t, c.urls[i%nodes], "PUT", fmt.Sprintf("%skey%d", apitest.KeysPath, i), `{"value":1}`)
		switch a.Members["shard-id"] {
		case "1":
			written[1]++
		case "2":
			written[2]++
		default:
			t.Fatalf("PUT key%d: %v", i, a)
		}
	}
	for shard := 1; shard <= 2; shard++ {
		if n := written[shard]; n < 0.75*keys/2 || n > 1.25*keys/2 {
			t.Errorf("%v of %d keys are in shard %d", n, keys, shard)
		}
		for _, url := range c.urls {
			c.Until(t, 10*time.Second, url, fmt.Sprintf("%sshard-id-key-count/%d", apitest.ShardsPath, shard),
				func(a apitest.Answer) bool { return a.Members["shard-id-key-count"] == before[shard]+written[shard] })
		}
	}
}
