//go:build docker

package dockertest

import (
	"fmt"
	"strings"
	"testing"
	"time"
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
	} {
		// The containers must outlive the part that starts them.
		if part.name == "forming" {
			part.test(t, c)
		} else {
			t.Run(part.name, func(t *testing.T) { part.test(t, c) })
		}
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
		c.until(t, 20*time.Second, c.urls[i], viewPath, func(a answer) bool { return a.members["error"] == sentence })
	}
	play(t, c.client, c.urls[0], c.variables(0), []row{
		{method: "GET", path: keysPath + "x", status: 503, want: fmt.Sprintf(refused, sentence, "GET")},
		{method: "PUT", path: keysPath + "x", body: `{"value":1}`, status: 503, want: fmt.Sprintf(refused, sentence, "PUT")},
		{method: "PUT", path: keysPath + "x", body: `{}`, status: 400, want: fmt.Sprintf(refused, "Value is missing", "PUT")},
		{method: "GET", path: "/healthz", status: 200, want: `{"message":"OK"}`},
	})
	begin := time.Now()
	for i := first; i < nodes; i++ {
		c.start(t, i)
	}
	for _, url := range c.urls {
		c.until(t, 20*time.Second, url, viewPath, func(a answer) bool { return a.members["view"] == c.view() })
	}
	t.Logf("formed %.1f s after the last nodes were started", time.Since(begin).Seconds())
}

func testAPI(t *testing.T, c *cluster) {
	for i, url := range c.urls {
		for _, s := range everywhere() {
			t.Run(fmt.Sprintf("%s at node %d", s.name, i+1), func(t *testing.T) { play(t, c.client, url, c.variables(i), s.rows) })
		}
	}
}

// testBadInput sends everything to a node of either shard: one of them
// forwards what concerns a key, if it is not refused before.
func testBadInput(t *testing.T, c *cluster) {
	rows := badInput()
	for _, i := range []int{1, 4} {
		play(t, c.client, c.urls[i], c.variables(i), rows)
	}
	a := c.ask(t, c.urls[0], "GET", keysPath+"bad", "")
	if a.status != 404 || a.token() != "" {
		t.Errorf("a refused request left something: %v", a)
	}
}

func testValues(t *testing.T, c *cluster) {
	for i, value := range []string{
		`null`, `true`, `false`, `0`, `-0.10e+30`, `123456789012345678901234567890.10`, `""`, `"\u0000é😀\ud800\/"`, `[]`, `{}`,
		strings.Repeat("[", 9000) + strings.Repeat("]", 9000), `{"b":[1,{"c":null}],"a":"x"}`, `"` + strings.Repeat("a", 1<<20-2) + `"`,
	} {
		path := fmt.Sprintf("%svalue-%d", keysPath, i)
		put := c.ask(t, c.urls[i%nodes], "PUT", path, `{"value": `+value+` }`)
		got := c.ask(t, c.urls[(i+3)%nodes], "GET", path, "", tokenHeader, put.token())
		if put.status != 201 || got.status != 200 || !strings.Contains(got.text, `"value":`+value+`,`) {
			t.Errorf("value %.100s: %v, then %v", value, put, got)
		}
	}
}

func testKeyBytes(t *testing.T, c *cluster) {
	for i, key := range []string{
		"a%2Fb", "/", "a//b", "..", "../..", "../key-value-store-view", "x/", ".", "%00", "%FF%FE", "%F0%9F%98%80", "a+b", "a%20b", "%25", "a%3Fb",
		"*key", ":key", strings.Repeat("k", 1024), strings.Repeat("%C3%A9", 512),
	} {
		put := c.ask(t, c.urls[i%nodes], "PUT", keysPath+key, fmt.Sprintf(`{"value":%d}`, i))
		got := c.ask(t, c.urls[(i+1)%nodes], "GET", keysPath+key, "", tokenHeader, put.token())
		if put.status != 201 || got.status != 200 || got.members["value"] != float64(i) {
			t.Errorf("key %.100s: %v, then %v", key, put, got)
		}
	}
	if put := c.ask(t, c.urls[0], "PUT", keysPath+"a/b", `{"value":"same"}`); put.status != 200 {
		t.Errorf("a/b is not a%%2Fb: %v", put)
	}
}

// testTokens wants the very token of the PUT from every node.
func testTokens(t *testing.T, c *cluster) {
	for i, via := range c.urls {
		path := fmt.Sprintf("%stoken-%d", keysPath, i)
		put := c.ask(t, via, "PUT", path, `{"value":1,"causal-metadata":null}`)
		for _, url := range c.urls {
			c.until(t, 10*time.Second, url, path, func(a answer) bool { return a.status == 200 && a.token() == put.token() })
			for _, body := range []string{`{}`, `{"causal-metadata":"` + put.token() + `"}`} {
				if got := c.ask(t, url, "GET", path, body); got.token() != put.token() {
					t.Errorf("GET %s at %s: token %q, the PUT's is %q", body, url, got.token(), put.token())
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
		a := c.ask(t, c.urls[0], "GET", fmt.Sprintf("%sshard-id-key-count/%d", shardsPath, shard), "")
		n, ok := a.members["shard-id-key-count"].(float64)
		if a.status != 200 || !ok || a.members["message"] != "Key count of shard ID retrieved successfully" {
			t.Fatalf("key count of shard %d: %v", shard, a)
		}
		return n
	}
	before := [3]float64{1: count(1), 2: count(2)}
	written := [3]float64{}
	for i := range keys {
		a := c.ask(t, c.urls[i%nodes], "PUT", fmt.Sprintf("%skey%d", keysPath, i), `{"value":1}`)
		switch a.members["shard-id"] {
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
			c.until(t, 10*time.Second, url, fmt.Sprintf("%sshard-id-key-count/%d", shardsPath, shard),
				func(a answer) bool { return a.members["shard-id-key-count"] == before[shard]+written[shard] })
		}
	}
}
