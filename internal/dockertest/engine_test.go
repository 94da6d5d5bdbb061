//go:build docker

package dockertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// engine is a Docker engine and what was made on it.
type engine struct {
	ctx    context.Context
	prefix string // of all names
	root   string // directory of the Dockerfile
	image  string // tag of the image under test
	given  bool   // by KV_IMAGE: it is tested instead of being built

	containers, networks []string // names
	images               []string // ids and tags, in the order in which they were made
}

func newEngine(ctx context.Context) (*engine, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return nil, err
	}
	e := &engine{ctx: ctx, root: root, prefix: fmt.Sprintf("sequitur-test-%06x", rand.IntN(1<<24))}
	if e.image = os.Getenv("KV_IMAGE"); e.image == "" {
		e.image = e.name("img")
	} else {
		e.given = true
	}
	if _, err := exec.LookPath("docker"); err != nil {
		return nil, errors.New("the program docker is not installed; these tests need it and an engine")
	}
	patience, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if _, err := command(patience, "docker", "version", "--format", "{{.Server.Version}}"); err != nil {
		return nil, fmt.Errorf("no Docker engine answers; start one, or set DOCKER_HOST to where one listens: %w", err)
	}
	return e, nil
}

// command runs a program in the root of the module and returns its standard
// output without the last newline, or as far as it got.
func command(ctx context.Context, name string, args ...string) (string, error) {
	var stdout, stderr strings.Builder
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Stdout, c.Stderr = "../..", &stdout, &stderr
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) } // which docker tells the engine
	c.WaitDelay = 10 * time.Second
	c.Env = append(os.Environ(), "DOCKER_BUILDKIT=0") // whoever has no BuildKit must be able to build, too
	if err := c.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s %s: %w\n%s\n%s", name, strings.Join(args, " "), err, lastLines(stdout.String()), lastLines(stderr.String()))
	}
	return strings.TrimRight(stdout.String(), "\n"), nil
}

// lastLines is the end of text.
func lastLines(text string) string {
	const kept = 40
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-kept):], "\n")
}

// docker runs a command of Docker that must succeed.
func (e *engine) docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := command(e.ctx, "docker", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// run starts a container in the background, whose name gets the prefix. The
// container is removed when owner ends.
func (e *engine) run(t, owner *testing.T, name string, args ...string) {
	t.Helper()
	name = e.name(name)
	e.containers = append(e.containers, name)
	owner.Cleanup(func() {
		if owner.Failed() {
			log, err := exec.Command("docker", "logs", "--tail", "30", name).CombinedOutput()
			owner.Logf("log of %s (%v):\n%s", name, err, log)
		}
		if err := e.removeContainer(name); err != nil {
			owner.Error(err)
		}
	})
	e.docker(t, append([]string{"run", "-d", "--name=" + name}, args...)...)
}

// name is the name of a container, network or project on the engine.
func (e *engine) name(short string) string { return e.prefix + "-" + short }

// network makes a network with a subnet of 65,536 addresses and returns the
// first two numbers of them. It prefers 10.10.
func (e *engine) network(t *testing.T, name string) (subnet string) {
	t.Helper()
	name = e.name(name)
	var err error
	for i := 10; i < 200; i++ {
		subnet = fmt.Sprintf("10.%d", i)
		if !taken(t, subnet) {
			if _, err = command(e.ctx, "docker", "network", "create", "--subnet="+subnet+".0.0/16", name); err == nil {
				break
			}
		}
		subnet = ""
	}
	if subnet == "" {
		t.Fatalf("no network 10.x.0.0/16 can be made: %v", err)
	}
	e.networks = append(e.networks, name)
	t.Cleanup(func() {
		if err := e.removeNetwork(name); err != nil {
			t.Error(err)
		}
	})
	return subnet
}

// taken tells whether this machine has an address in the network.
func taken(t *testing.T, subnet string) bool {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(addresses, func(a net.Addr) bool { return strings.HasPrefix(a.String(), subnet+".") })
}

func (e *engine) removeContainer(name string) error {
	i := slices.Index(e.containers, name)
	if i < 0 {
		return nil
	}
	e.containers = slices.Delete(e.containers, i, i+1)
	return e.remove("docker", "rm", "--force", "--volumes", name)
}

func (e *engine) removeNetwork(name string) error {
	i := slices.Index(e.networks, name)
	if i < 0 {
		return nil
	}
	e.networks = slices.Delete(e.networks, i, i+1)
	return e.remove("docker", "network", "rm", name)
}

// remove runs a command even when the time of the tests is over. What does not
// exist is removed.
func (e *engine) remove(name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.ctx), time.Minute)
	defer cancel()
	_, err := command(ctx, name, args...)
	if err != nil && strings.Contains(strings.ToLower(err.Error()), "no such ") {
		return nil
	}
	return err
}

// close removes everything that is still there.
func (e *engine) close() error {
	var all error
	for _, name := range slices.Clone(e.containers) {
		all = errors.Join(all, e.removeContainer(name))
	}
	for _, name := range slices.Clone(e.networks) {
		all = errors.Join(all, e.removeNetwork(name))
	}
	for _, id := range slices.Backward(e.images) {
		all = errors.Join(all, e.remove("docker", "rmi", id))
	}
	return all
}
