//go:build linux

package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/internal/apitest"
)

// TestDirectoryOfAnotherStore starts a node of a store with the data directory that an earlier store has at its address.
func TestDirectoryOfAnotherStore(t *testing.T) {
	data := t.TempDir()
	old := newClusterIn(t, filepath.Join(data, "old"), 3, "SHARD_COUNT=1")
	old.want(t, 0, "PUT", keysPath+"x", `{"value":"old"}`, 201, `{"message":"Added successfully","causal-metadata":"*","shard-id":"1","replaced":false}`)
	old.until(t, 10*time.Second, 2, keysPath+"x", func(r apitest.Answer) bool { return r.Members["value"] == "old" })
	for _, p := range old.processes {
		p.terminate(t)
	}
	c := &cluster{owner: t, addresses: old.addresses, processes: make([]*process, 3), variables: old.variables, data: filepath.Join(data, "new"), client: newClient(t)}
	for i := range c.processes {
		c.start(t, i)
	}
	c.waitServing(t)
	put := c.ask(t, 0, "PUT", keysPath+"x", `{"value":"new"}`)

	// The swap. Records of the node's own store stay where they are, the others go on.
	c.processes[2].terminate(t)
	c.start(t, 2, "DATA_DIR="+old.dataDir(2))
	swapped := c.processes[2]
	foreign := func(r apitest.Answer) bool {
		reason, _ := r.Members["error"].(string)
		return r.Status == 503 && strings.Contains(reason, "belongs to another store") && strings.Contains(reason, "--data-dir")
	}
	for _, path := range []string{keysPath + "x", viewPath, "/readyz"} {
		c.until(t, 20*time.Second, 2, path, foreign)
	}
	if a := c.ask(t, 2, "PUT", keysPath+"x", `{"value":"nowhere"}`); !foreign(a) {
		t.Errorf("PUT at a node with the data of another store: %v", a)
	}
	c.until(t, 10*time.Second, 2, "/sequitur/status", func(r apitest.Answer) bool {
		return r.Members["serving"] == false && strings.Contains(fmt.Sprint(r.Members["obstacle"]), c.addresses[0]+", "+c.addresses[1])
	})
	c.until(t, 10*time.Second, 0, viewPath, func(r apitest.Answer) bool { return r.Members["view"] == strings.Join(c.addresses[:2], ",") })
	put = c.ask(t, 1, "PUT", keysPath+"x", `{"value":"newer"}`, apitest.TokenHeader, put.Token())
	swapped.terminate(t)
	if log := swapped.stderr.String(); strings.Count(log, `"level":"ERROR"`) != 1 || !strings.Contains(log, "belongs to another store") {
		t.Errorf("log of a node with the data of another store:\n%s", log)
	}

	// With its own directory it is who it was; with an empty one it comes back as one who lost its memory.
	for _, remedy := range []string{c.dataDir(2), filepath.Join(data, "empty")} {
		c.start(t, 2, "DATA_DIR="+remedy)
		c.waitServing(t)
		if a := c.ask(t, 2, "GET", keysPath+"x", "", apitest.TokenHeader, put.Token()); a.Members["value"] != "newer" {
			t.Errorf("GET after a start with %s: %v", remedy, a)
		}
		c.processes[2].terminate(t)
	}
	for _, p := range c.processes[:2] {
		p.terminate(t)
	}

	// The old store has lost nothing.
	for i := range old.processes {
		old.start(t, i)
	}
	old.waitServing(t)
	for i := range old.processes {
		if a := old.ask(t, i, "GET", keysPath+"x", ""); a.Members["value"] != "old" {
			t.Errorf("GET at node %d of the old store: %v", i+1, a)
		}
	}
	if entries, err := filepath.Glob(filepath.Join(old.dataDir(2), "set-aside-*")); err != nil || len(entries) != 0 {
		t.Errorf("set aside in the old directory: %v, %v", entries, err)
	}
}
