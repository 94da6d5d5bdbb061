//go:build docker

package dockertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/internal/apitest"
)

// composeCommand finds the program that understands compose.yaml: the old one
// if it is there, because whatever it understands the new one does as well.
func composeCommand(t *testing.T) []string {
	t.Helper()
	for _, candidate := range [][]string{{"docker-compose"}, {"docker", "compose"}} {
		if exec.Command(candidate[0], append(candidate[1:], "version")...).Run() == nil {
			return candidate
		}
	}
	t.Fatal("neither docker-compose nor docker compose is installed; install one of them, e.g. the package docker-compose")
	return nil
}

// TestCompose starts the store of compose.yaml, on other ports.
func TestCompose(t *testing.T) {
	compose := composeCommand(t)
	variables := []string{"KV_IMAGE=" + rig.image, "DOCKER_BUILDKIT=0", "COMPOSE_DOCKER_CLI_BUILD=0"}
	var urls []string
	for i := range nodes {
		port := freePort(t)
		urls = append(urls, fmt.Sprintf("http://127.0.0.1:%d", port))
		variables = append(variables, fmt.Sprintf("NODE%d_PORT=%d", i+1, port))
	}
	run := func(ctx context.Context, args ...string) (string, error) {
		args = append(append(compose[1:len(compose):len(compose)], "--project-name", rig.prefix), args...)
		c := exec.CommandContext(ctx, compose[0], args...)
		c.Dir, c.Env = rig.root, append(os.Environ(), variables...)
		out, err := c.CombinedOutput()
		return string(out), err
	}
	must := func(args ...string) string {
		t.Helper()
		out, err := run(rig.ctx, args...)
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", strings.Join(compose, " "), args, err, lastLines(out))
		}
		return out
	}
	t.Cleanup(func() {
		if out, err := run(context.WithoutCancel(rig.ctx), "down", "--volumes"); err != nil {
			t.Errorf("down: %v\n%s", err, out)
		}
	})
	out := must("config")
	for _, want := range []string{"context: " + rig.root, "image: " + rig.image, "SOCKET_ADDRESS:", "SHARD_COUNT:"} {
		if strings.Count(out, want) != nodes {
			t.Errorf("config has no %d times %q:\n%s", nodes, want, out)
		}
	}
	must("up", "--detach", "--no-build")

	const all = "node1:8085,node2:8085,node3:8085,node4:8085,node5:8085,node6:8085"
	c := newClient(rig.ctx)
	for _, url := range urls {
		c.Until(t, 20*time.Second, url, apitest.ViewPath, func(a apitest.Answer) bool { return a.Members["view"] == all })
	}
	put := c.Ask(t, urls[0], "PUT", apitest.KeysPath+"greeting", `{"value":"hello","causal-metadata":""}`)
	for _, url := range urls {
		if a := c.Ask(t, url, "GET", apitest.KeysPath+"greeting", "", apitest.TokenHeader, put.Token()); a.Members["value"] != "hello" {
			t.Errorf("GET at %s: %v", url, a)
		}
	}
	// The name of a stopped container is gone from the network as well.
	must("stop", "node3")
	left := strings.Replace(all, "node3:8085,", "", 1)
	for i, url := range urls {
		if i != 2 {
			c.Until(t, viewTime, url, apitest.ViewPath, func(a apitest.Answer) bool { return a.Members["view"] == left })
		}
	}
	if a := c.Ask(t, urls[1], "PUT", apitest.KeysPath+"greeting", `{"value":"hello again"}`, apitest.TokenHeader, put.Token()); a.Status != 200 {
		t.Errorf("PUT without node 3: %v", a)
	}
	// What was written is there when all of them have been stopped.
	must("stop")
	must("start")
	for _, url := range urls {
		c.Until(t, viewTime, url, apitest.ViewPath, func(a apitest.Answer) bool { return a.Members["view"] == all })
		if a := c.Ask(t, url, "GET", apitest.KeysPath+"greeting", "", apitest.TokenHeader, put.Token()); a.Members["value"] != "hello again" {
			t.Errorf("GET at %s after all were stopped: %v", url, a)
		}
	}
}
