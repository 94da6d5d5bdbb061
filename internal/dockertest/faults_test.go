//go:build docker

package dockertest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/internal/apitest"
)

// testHealth waits for the first health check of every container.
func testHealth(t *testing.T, c *cluster) {
	for i := range c.urls {
		eventually(t, 30*time.Second, "healthy", func() string {
			return c.docker(t, "inspect", "--format", "{{.State.Health.Status}}", c.node(i))
		})
	}
}

// eventually polls until look returns want.
func eventually(t *testing.T, limit time.Duration, want string, look func() string) {
	t.Helper()
	deadline, ticker := time.After(limit), time.NewTicker(200*time.Millisecond)
	defer ticker.Stop()
	for got := look(); got != want; got = look() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("it is still %q, not %q, after %v", got, want, limit)
		}
	}
}

// testDisconnected takes the network from a node and gives it back. The node
// runs on, but nobody reaches it.
func testDisconnected(t *testing.T, c *cluster) {
	const cut = 1
	first, second := c.keys(t, c.urls[0], "disconnected")
	token := c.write(t, c.urls[cut], first, "before", "")
	token = c.write(t, c.urls[cut], second, "before", token)
	c.fault(t, "network", "disconnect", c.network, c.node(cut))
	c.everyView(t, "network disconnect", cut)
	if a, err := c.Try(c.urls[cut], "GET", "/healthz", ""); err == nil {
		t.Errorf("a node without a network answers: %v", a)
	}
	c.read(t, c.urls[0], first, "before", token)
	token = c.write(t, c.urls[0], first, "meanwhile", token)
	token = c.write(t, c.urls[4], second, "meanwhile", token)
	c.fault(t, "network", "connect", "--ip", c.ip(cut), c.network, c.node(cut))
	c.everyView(t, "network connect")
	c.read(t, c.urls[cut], first, "meanwhile", token)
	c.read(t, c.urls[cut], second, "meanwhile", token)
	token = c.write(t, c.urls[cut], first, "after", token)
	for _, url := range c.urls {
		c.read(t, url, first, "after", token)
	}
}

// testTwoSides cuts nodes off from each other, but not from this machine: both
// sides of a shard go on writing, and agree afterwards.
func testTwoSides(t *testing.T, c *cluster) {
	const cut = 4 // of shard 2, as the second key
	clients := c.name("clients")
	c.engine.network(t, "clients")
	c.docker(t, "network", "connect", clients, c.node(cut))
	t.Cleanup(func() { c.docker(t, "network", "disconnect", clients, c.node(cut)) })
	beside := "http://" + c.docker(t, "inspect", "--format", `{{(index .NetworkSettings.Networks "`+clients+`").IPAddress}}`, c.node(cut)) + ":8085"
	_, key := c.keys(t, c.urls[0], "sides")
	_, private := c.keys(t, c.urls[0], "private")
	token := c.write(t, c.urls[0], key, "before", "")
	c.read(t, beside, key, "before", token)
	c.fault(t, "network", "disconnect", c.network, c.node(cut))

	// At once, before anybody knows of the cut.
	theirs := c.write(t, beside, key, "of the lonely", token)
	ours := c.write(t, c.urls[3], key, "of the many", token)
	lonely := c.write(t, beside, private, "of the lonely", theirs)
	c.read(t, beside, key, "of the lonely", theirs)
	c.read(t, c.urls[5], key, "of the many", ours)
	var others []int
	for i := range nodes {
		if i != cut {
			others = append(others, i)
		}
	}
	c.untilView(t, beside, others...)
	c.everyView(t, "the cut", cut)

	c.fault(t, "network", "connect", "--ip", c.ip(cut), c.network, c.node(cut))
	// The token of what only the lonely node had makes others wait and pull.
	c.Until(t, viewTime, c.urls[3], apitest.ViewPath, func(a apitest.Answer) bool { return strings.Contains(a.Text, c.addresses[cut]) })
	c.read(t, c.urls[3], private, "of the lonely", lonely)
	c.everyView(t, "the end of the cut")
	union := ours + "," + theirs
	winner := c.Ask(t, beside, "GET", apitest.KeysPath+key, "", apitest.TokenHeader, union)
	if value := winner.Members["value"]; value != "of the lonely" && value != "of the many" {
		t.Fatalf("after the cut: %v", winner)
	}
	for _, url := range c.urls {
		if a := c.Ask(t, url, "GET", apitest.KeysPath+key, "", apitest.TokenHeader, union); a.Members["value"] != winner.Members["value"] || a.Token() != winner.Token() {
			t.Errorf("replicas differ: %v at %s, %v at %s", winner, beside, a, url)
		}
	}
}

// testPaused freezes a node, which keeps its memory and knows nothing of it.
func testPaused(t *testing.T, c *cluster) {
	const frozen = 3
	first, second := c.keys(t, c.urls[0], "paused")
	c.fault(t, "pause", c.node(frozen))
	c.everyView(t, "pause", frozen)
	token := c.write(t, c.urls[4], second, "meanwhile", "")
	token = c.write(t, c.urls[0], first, "meanwhile", token)
	c.fault(t, "unpause", c.node(frozen))
	c.everyView(t, "unpause")
	c.read(t, c.urls[frozen], second, "meanwhile", token)
	c.read(t, c.urls[frozen], first, "meanwhile", token)
}

// stopTime is how long a node may take from SIGTERM to its end.
const stopTime = 2 * time.Second

// stop sends SIGTERM to a container, and wants exit code 0 in time.
func (e *engine) stop(t *testing.T, name string) {
	t.Helper()
	patience, cancel := context.WithTimeout(e.ctx, 5*stopTime)
	defer cancel()
	begin := time.Now()
	e.docker(t, "kill", "--signal=TERM", name)
	code, err := command(patience, "docker", "wait", name)
	if took := time.Since(begin); err != nil || code != "0" || took > stopTime {
		t.Errorf("%s ended with code %q (error: %v), %v after SIGTERM", name, code, err, took)
	} else {
		t.Logf("%s ended %.2f s after SIGTERM", name, took.Seconds())
	}
}

// testStopped stops a node right after it has acknowledged a write, and starts it again.
func testStopped(t *testing.T, c *cluster) {
	const stopped = 5
	_, second := c.keys(t, c.urls[0], "stopped")
	token := c.write(t, c.urls[stopped], second, "last words", "")
	c.since = time.Now()
	c.stop(t, c.node(stopped))
	c.read(t, c.urls[3], second, "last words", token)
	c.everyView(t, "stop", stopped)
	token = c.write(t, c.urls[0], second, "without it", token)
	c.read(t, c.urls[4], second, "without it", token)
	c.fault(t, "start", c.node(stopped))
	c.wantBack(t, stopped, "2")
	c.everyView(t, "start")
	c.read(t, c.urls[stopped], second, "without it", token)
}

// wantBack wants a node to be an owner of its shard again within viewTime of the last fault.
func (c *cluster) wantBack(t *testing.T, i int, shard string) {
	t.Helper()
	c.Until(t, viewTime-time.Since(c.since), c.urls[i], apitest.ShardsPath+"node-shard-id", func(a apitest.Answer) bool { return a.Members["shard-id"] == shard })
	t.Logf("%s was back in shard %s after %.1f s", short(i), shard, time.Since(c.since).Seconds())
}

// testKilled kills a node and makes another container at its address: one
// without the memory of the first. By itself it is back in the shard, with the data.
func testKilled(t *testing.T, c *cluster) {
	const killed = 2
	first, _ := c.keys(t, c.urls[0], "killed")
	token := c.write(t, c.urls[0], first, "before", "")
	c.read(t, c.urls[killed], first, "before", token)
	c.fault(t, "kill", c.node(killed))
	c.everyView(t, "kill", killed)
	token = c.write(t, c.urls[1], first, "meanwhile", token)
	if err := c.removeContainer(c.node(killed)); err != nil {
		t.Fatal(err)
	}
	c.since = time.Now()
	c.start(t, killed)
	c.wantBack(t, killed, "1")
	c.everyView(t, "its recreation")
	for _, url := range c.urls {
		c.read(t, url, first, "meanwhile", token)
	}
	token = c.write(t, c.urls[killed], first, "after", token)
	c.read(t, c.urls[1], first, "after", token)
}

// testAlone takes the network from everybody but node 1.
func testAlone(t *testing.T, c *cluster) {
	first, second := c.keys(t, c.urls[0], "alone")
	token := c.write(t, c.urls[0], first, "before", "")
	for i := 1; i < nodes; i++ {
		c.fault(t, "network", "disconnect", c.network, c.node(i))
	}
	token = c.write(t, c.urls[0], first, "alone", token)
	c.read(t, c.urls[0], first, "alone", token)
	c.untilView(t, c.urls[0], 1, 2, 3, 4, 5)
	t.Logf("node 1 was alone in its view %.1f s after the last cut", time.Since(c.since).Seconds())
	token = c.write(t, c.urls[0], first, "still alone", token)
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		begin := time.Now()
		a := c.Ask(t, c.urls[0], method, apitest.KeysPath+second, `{"value":1}`)
		if took := time.Since(begin); a.Status != 503 || a.Members["error"] != "Shard is down" || took > 100*time.Millisecond {
			t.Errorf("%s of a key whose shard is down: %v after %v", method, a, took)
		}
	}
	for i := 1; i < nodes; i++ {
		c.fault(t, "network", "connect", "--ip", c.ip(i), c.network, c.node(i))
	}
	c.everyView(t, "the return of all")
	c.read(t, c.urls[1], first, "still alone", token)
	c.read(t, c.urls[4], first, "still alone", token)
}
