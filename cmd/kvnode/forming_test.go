//go:build linux

package main

import (
	"strings"
	"testing"
	"time"
)

// TestForming starts three nodes one by one.
func TestForming(t *testing.T) {
	addresses := loopbackAddresses(t, 3)
	c := &cluster{addresses: addresses, processes: make([]*process, 3), client: newClient(t)}
	c.variables = []string{"VIEW=" + strings.Join(addresses, ","), "LOG_LEVEL=debug"} // without SHARD_COUNT: one shard
	c.start(t, 0)
	c.start(t, 1)
	forming := "Cluster is forming: 2 of 3 nodes seen; missing " + addresses[2]
	for i := range 2 {
		c.until(t, 10*time.Second, i, "GET", viewPath, "", func(r result) bool { return r.members["error"] == forming })
		for _, request := range [][3]string{
			{"GET", keysPath + "x", ""}, {"PUT", keysPath + "x", `{"value":1}`}, {"DELETE", keysPath + "x", ""},
			{"GET", shardsPath + "shard-ids", ""}, {"GET", shardsPath + "shard-id-members/1", ""},
			{"PUT", viewPath, `{"socket-address":"a:1"}`}, {"GET", shardsPath + "reshard", ""},
		} {
			r := c.want(t, i, request[0], request[1], request[2], 503, `{"error":"`+forming+`","message":"Error in `+request[0]+`"}`)
			if r.header.Get("Retry-After") == "" {
				t.Errorf("%s %s: no Retry-After", request[0], request[1])
			}
		}
		c.want(t, i, "GET", "/healthz", "", 200, `{"message":"OK"}`)
		c.want(t, i, "PUT", viewPath, `{}`, 400, `{"error":"Socket address is missing","message":"Error in PUT"}`)
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
		if got := c.ask(t, 2, "GET", keysPath+"last", "", "X-Causal-Metadata", put.token()); got.status != 200 {
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
	c := &cluster{addresses: addresses, processes: make([]*process, 4), client: newClient(t)}
	c.variables = []string{"VIEW=" + strings.Join(addresses, ","), "SHARD_COUNT=2"}
	c.start(t, 0)
	c.variables[1] = "SHARD_COUNT=1"
	c.start(t, 1)
	for i := range 2 {
		c.until(t, 10*time.Second, i, "GET", keysPath+"x", "", func(r result) bool {
			sentence, _ := r.members["error"].(string)
			return r.status == 503 && strings.HasPrefix(sentence, "Cluster cannot form") && strings.Contains(sentence, "SHARD_COUNT")
		})
	}
}

// TestAlone starts a node without any setting but where to listen.
func TestAlone(t *testing.T) {
	address := loopbackAddresses(t, 1)[0]
	c := &cluster{addresses: []string{address}, client: newClient(t)}
	p := start(t, address, "LISTEN_ADDRESS="+address)
	c.until(t, 10*time.Second, 0, "GET", viewPath, "", func(r result) bool { return r.members["view"] == defaultAddress })
	c.want(t, 0, "PUT", keysPath+"x", `{"value":1}`, 201, `{"message":"Added successfully","causal-metadata":"*","shard-id":"1","replaced":false}`)
	p.terminate(t)
	if log := p.stderr.String(); !strings.Contains(log, "no SOCKET_ADDRESS is given: a store of one node on localhost:8085") {
		t.Errorf("log: %s", log)
	}
}
