//go:build linux

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/internal/apitest"
)

// TestForming starts three nodes one by one.
func TestForming(t *testing.T) {
	addresses := loopbackAddresses(t, 3)
	c := &cluster{owner: t, addresses: addresses, processes: make([]*process, 3), client: newClient(t)}
	c.variables = []string{"VIEW=" + strings.Join(addresses, ","), "LOG_LEVEL=debug"} // without SHARD_COUNT: one shard
	c.start(t, 0)
	c.start(t, 1)
	forming := "Cluster is forming: 2 of 3 nodes seen; missing " + addresses[2]
	for i := range 2 {
		c.until(t, 10*time.Second, i, viewPath, func(r apitest.Answer) bool { return r.Members["error"] == forming })
		apitest.Play(t, c.client, []string{c.url(i)}, nil, apitest.Forming(forming))
	}
	c.start(t, 2)
	c.waitServing(t)
	for i := range addresses {
		c.want(t, i, "GET", shardsPath+"shard-ids", "", 200, `{"message":"Shard IDs retrieved successfully","shard-ids":["1"]}`)
	}
	// SIGTERM right after a write: what was acknowledged must not be lost with the node.
	for i := range 2 {
		put := c.ask(t, i, "PUT", keysPath+"last", `{"value":"of a node"}`)
		c.processes[i].terminate(t)
		if got := c.ask(t, 2, "GET", keysPath+"last", "", apitest.TokenHeader, put.Token()); got.Status != 200 {
			t.Errorf("GET of what node %d had acknowledged: %v", i+1, got)
		}
	}
	for i := range 2 {
		if log := c.processes[i].stderr.String(); !strings.Contains(log, `"msg":"node is ready"`) || !strings.Contains(log, `"msg":"request"`) {
			t.Errorf("log of node %d is not JSON with every request at level debug:\n%s", i+1, log)
		}
	}
}

// TestStartedDifferently gives two nodes different numbers of shards.
func TestStartedDifferently(t *testing.T) {
	addresses := loopbackAddresses(t, 4)
	c := &cluster{owner: t, addresses: addresses, processes: make([]*process, 4), client: newClient(t)}
	c.variables = []string{"VIEW=" + strings.Join(addresses, ","), "SHARD_COUNT=2"}
	c.start(t, 0)
	c.variables[1] = "SHARD_COUNT=1"
	c.start(t, 1)
	for i := range 2 {
		c.until(t, 10*time.Second, i, keysPath+"x", func(r apitest.Answer) bool {
			sentence, _ := r.Members["error"].(string)
			return r.Status == 503 && strings.HasPrefix(sentence, "Cluster cannot form") && strings.Contains(sentence, "SHARD_COUNT")
		})
	}
}

// TestAlone starts a node without any setting but where to listen.
func TestAlone(t *testing.T) {
	address := loopbackAddresses(t, 1)[0]
	c := &cluster{owner: t, addresses: []string{address}, client: newClient(t)}
	p := start(t, address, "LISTEN_ADDRESS="+address)
	c.until(t, 10*time.Second, 0, viewPath, func(r apitest.Answer) bool { return r.Members["view"] == defaultAddress })
	c.want(t, 0, "PUT", keysPath+"x", `{"value":1}`, 201, `{"message":"Added successfully","causal-metadata":"*","shard-id":"1","replaced":false}`)
	p.terminate(t)
	if log := p.stderr.String(); !strings.Contains(log, "no SOCKET_ADDRESS is given: a store of one node on localhost:8085") {
		t.Errorf("log: %s", log)
	}
}
