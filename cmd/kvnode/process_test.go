//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/internal/apitest"
)

var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "kvnode")
	args := append(append([]string{"build"}, buildFlags...), "-o", path, ".")
	if output, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, output)
	}
	return path, nil
})

// process is a kvnode that runs.
type process struct {
	address string
	command *exec.Cmd
	stderr  bytes.Buffer // to be read after ended only
	ended   chan struct{}
}

// start runs kvnode with exactly these variables, and in memory if they name no data directory. The
// process is killed when the test ends.
func start(t *testing.T, address string, variables ...string) *process {
	t.Helper()
	return startBy(t, nil, address, variables...)
}

// startBy is start with something else that starts the command, if it is not nil.
func startBy(t *testing.T, launch func(*exec.Cmd) error, address string, variables ...string) *process {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{address: address, command: exec.Command(path), ended: make(chan struct{})}
	p.command.Env = variables
	if !slices.ContainsFunc(variables, func(v string) bool { return strings.HasPrefix(v, "DATA_DIR=") }) {
		p.command.Env = append(p.command.Env, "IN_MEMORY=true")
	}
	p.command.Stderr = &p.stderr
	p.command.WaitDelay = time.Second
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // nothing is left when the test is killed
	if launch == nil {
		launch = (*exec.Cmd).Start
	}
	if err := launch(p.command); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.command.Wait() // the state says how it ended
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.kill()
		if text := p.stderr.String(); strings.Contains(text, "DATA RACE") || strings.Contains(text, "panic") {
			t.Errorf("log of %s:\n%s", address, text)
		}
	})
	return p
}

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.command.Process.Signal(s); err != nil {
		t.Error(err)
	}
}

// kill ends the process as a power failure would.
func (p *process) kill() {
	_ = p.command.Process.Kill() // an error means that it has ended
	<-p.ended
}

// terminate sends SIGTERM and wants exit code 0 within 2 s.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	select {
	case <-p.ended:
		if code := p.command.ProcessState.ExitCode(); code != exitOK {
			t.Errorf("%s: exit code %d\n%s", p.address, code, &p.stderr)
		}
	case <-time.After(2 * time.Second):
		t.Errorf("%s still runs 2 s after SIGTERM", p.address)
	}
}

// loopbackAddresses are addresses 127.x.y.1 to 127.x.y.n with one free port.
func loopbackAddresses(t *testing.T, n int) []string {
	t.Helper()
	for range 100 {
		network := fmt.Sprintf("127.%d.%d", 1+rand.IntN(250), rand.IntN(250))
		listener, err := net.Listen("tcp", network+".1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := listener.Addr().(*net.TCPAddr).Port
		listener.Close()
		addresses := make([]string, n)
		for i := range addresses {
			addresses[i] = fmt.Sprintf("%s.%d:%d", network, i+1, port)
		}
		if free(addresses) {
			return addresses
		}
	}
	t.Fatal("no free port on 127.x.y.z")
	return nil
}

// cluster is a store of processes.
type cluster struct {
	owner     *testing.T // with its end the processes end
	addresses []string
	processes []*process
	variables []string // of every node, beside its address
	data      string   // directory of the data directories; "": they keep nothing on disk
	client    apitest.Client
	launch    func(*exec.Cmd) error // starts the processes
}

func newCluster(t *testing.T, nodes int, variables ...string) *cluster {
	return newClusterIn(t, "", nodes, variables...)
}

// newClusterIn is a store whose data is in a directory.
func newClusterIn(t *testing.T, data string, nodes int, variables ...string) *cluster {
	c := &cluster{owner: t, addresses: loopbackAddresses(t, nodes), processes: make([]*process, nodes), data: data, client: newClient(t)}
	c.variables = append(variables, "VIEW="+strings.Join(c.addresses, ","))
	for i := range nodes {
		c.start(t, i)
	}
	c.waitServing(t)
	return c
}

func newClient(t *testing.T) apitest.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return apitest.NewClient(context.Background(), transport)
}

func (c *cluster) start(t *testing.T, i int, variables ...string) {
	t.Helper()
	own := []string{"SOCKET_ADDRESS=" + c.addresses[i]}
	if c.data != "" {
		own = append(own, "DATA_DIR="+c.dataDir(i))
	}
	c.processes[i] = startBy(c.owner, c.launch, c.addresses[i], slices.Concat(own, c.variables, variables)...) // the last of a name counts
}

func (c *cluster) dataDir(i int) string { return filepath.Join(c.data, fmt.Sprint(i+1)) }

func (c *cluster) waitServing(t *testing.T) {
	t.Helper()
	all := strings.Join(c.addresses, ",")
	for i := range c.addresses {
		c.until(t, 20*time.Second, i, viewPath, func(r apitest.Answer) bool { return r.Members["view"] == all })
	}
}

// url is where node i is reached; nodes are counted from 0.
func (c *cluster) url(i int) string { return "http://" + c.addresses[i] }

func (c *cluster) urls() (all []string) {
	for i := range c.addresses {
		all = append(all, c.url(i))
	}
	return all
}

// try sends a request to node i.
func (c *cluster) try(i int, method, path, body string, header ...string) (apitest.Answer, error) {
	return c.client.Try(c.url(i), method, path, body, header...)
}

// ask is try that must succeed.
func (c *cluster) ask(t *testing.T, i int, method, path, body string, header ...string) apitest.Answer {
	t.Helper()
	return c.client.Ask(t, c.url(i), method, path, body, header...)
}

// want asks node i for an answer that apitest.Answer.Check accepts.
func (c *cluster) want(t *testing.T, i int, method, path, body string, status int, members string) {
	t.Helper()
	if a := c.ask(t, i, method, path, body); a.Check(status, members) != nil {
		t.Errorf("%s %s %.200s at node %d:\ngot  %v\n%v", method, path, body, i+1, a, a.Check(status, members))
	}
}

// until asks node i until ok.
func (c *cluster) until(t *testing.T, limit time.Duration, i int, path string, ok func(apitest.Answer) bool) {
	t.Helper()
	c.client.Until(t, limit, c.url(i), path, ok)
}
