//go:build linux

package main

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/internal/apitest"
)

func (c *cluster) viewWithout(gone ...int) string {
	var left []string
	for i, address := range c.addresses {
		out := false
		for _, g := range gone {
			out = out || g == i
		}
		if !out {
			left = append(left, address)
		}
	}
	return strings.Join(left, ",")
}

func (c *cluster) untilView(t *testing.T, i int, view string) {
	t.Helper()
	c.until(t, 10*time.Second, i, viewPath, func(r apitest.Answer) bool { return r.Members["view"] == view })
}

// testFrozenNode stops a process without its knowledge, and lets it go on.
func testFrozenNode(t *testing.T, c *cluster) {
	const frozen = 1
	first, second := keysIn(t, c, "frozen-")
	c.processes[frozen].signal(t, syscall.SIGSTOP)
	for i := range c.addresses {
		if i != frozen {
			c.untilView(t, i, c.viewWithout(frozen))
		}
	}
	put := c.ask(t, 0, "PUT", keysPath+first, `{"value":"meanwhile"}`)
	put = c.ask(t, 4, "PUT", keysPath+second, `{"value":"meanwhile"}`, apitest.TokenHeader, put.Token())
	if put.Status != 200 {
		t.Errorf("PUT without a replica: %v", put)
	}
	c.processes[frozen].signal(t, syscall.SIGCONT)
	for i := range c.addresses {
		c.untilView(t, i, c.viewWithout())
	}
	for _, key := range []string{first, second} {
		if got := c.ask(t, frozen, "GET", keysPath+key, "", apitest.TokenHeader, put.Token()); got.Members["value"] != "meanwhile" {
			t.Errorf("GET %s at the node that was frozen: %v", key, got)
		}
	}
}

// testLostMemory kills a node, which keeps nothing on disk, and starts it again.
func testLostMemory(t *testing.T, c *cluster) {
	const lost = 2
	put := c.ask(t, lost, "PUT", keysPath+"kept", `{"value":"by the others"}`)
	for i := range 2 {
		c.until(t, 10*time.Second, i, keysPath+"kept", func(r apitest.Answer) bool { return r.Status == 200 })
	}
	c.processes[lost].kill()
	c.untilView(t, 0, c.viewWithout(lost))
	c.start(t, lost)
	c.until(t, 10*time.Second, lost, shardsPath+"node-shard-id", func(r apitest.Answer) bool { return r.Members["shard-id"] == "1" })
	for i := range c.addresses {
		c.untilView(t, i, c.viewWithout())
		if got := c.ask(t, i, "GET", keysPath+"kept", "", apitest.TokenHeader, put.Token()); got.Members["value"] != "by the others" {
			t.Errorf("GET at node %d: %v", i+1, got)
		}
	}
	again := c.ask(t, lost, "PUT", keysPath+"kept", `{"value":"again"}`, apitest.TokenHeader, put.Token())
	if got := c.ask(t, 1, "GET", keysPath+"kept", "", apitest.TokenHeader, again.Token()); again.Status != 200 || got.Members["value"] != "again" {
		t.Errorf("PUT at the node that is back: %v, then %v", again, got)
	}
}

// testPeersStopped leaves one node alone.
func testPeersStopped(t *testing.T, c *cluster) {
	first, second := keysIn(t, c, "alone-")
	token := c.ask(t, 0, "PUT", keysPath+first, `{"value":"before"}`).Token()
	for i := 1; i < 6; i++ {
		c.processes[i].terminate(t)
	}
	begin := time.Now()
	put := c.ask(t, 0, "PUT", keysPath+first, `{"value":"alone"}`, apitest.TokenHeader, token)
	if took := time.Since(begin); put.Status != 200 || took > time.Second {
		t.Errorf("PUT with all peers unreachable: %v after %v", put, took)
	}
	c.untilView(t, 0, c.addresses[0])
	c.want(t, 0, "GET", keysPath+first, "", 200, `{"message":"Retrieved successfully","causal-metadata":"`+put.Token()+`","value":"alone","shard-id":"1","doesExist":true}`)
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		begin := time.Now()
		c.want(t, 0, method, keysPath+second, `{"value":1}`, 503, `{"error":"Shard is down","message":"Error in `+method+`"}`)
		if took := time.Since(begin); took > 100*time.Millisecond {
			t.Errorf("%s of a key whose shard is down took %v", method, took)
		}
	}
	c.want(t, 0, "GET", shardsPath+"shard-id-key-count/2", "", 503, `{"error":"Shard is down","message":"Error in GET"}`)
	c.processes[0].terminate(t)
	if _, err := c.try(0, http.MethodGet, "/healthz", ""); err == nil {
		t.Error("a node that has ended answers")
	}
}
