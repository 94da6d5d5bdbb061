//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
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

// start runs kvnode with exactly these variables. The process is killed when the test ends.
func start(t *testing.T, address string, variables ...string) *process {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{address: address, command: exec.Command(path), ended: make(chan struct{})}
	p.command.Env = variables
	p.command.Stderr = &p.stderr
	p.command.WaitDelay = time.Second
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // nothing is left when the test is killed
	if err := p.command.Start(); err != nil {
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
	addresses []string
	processes []*process
	variables []string // of every node, beside its address
	client    *http.Client
}

func newCluster(t *testing.T, nodes int, variables ...string) *cluster {
	c := &cluster{addresses: loopbackAddresses(t, nodes), processes: make([]*process, nodes), client: newClient(t)}
	c.variables = append(variables, "VIEW="+strings.Join(c.addresses, ","))
	for i := range nodes {
		c.start(t, i)
	}
	c.waitServing(t)
	return c
}

func newClient(t *testing.T) *http.Client {
	client := &http.Client{
		Transport:     &http.Transport{},
		Timeout:       40 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func (c *cluster) start(t *testing.T, i int) {
	t.Helper()
	c.processes[i] = start(t, c.addresses[i], append([]string{"SOCKET_ADDRESS=" + c.addresses[i]}, c.variables...)...)
}

func (c *cluster) waitServing(t *testing.T) {
	t.Helper()
	all := strings.Join(c.addresses, ",")
	for i := range c.addresses {
		c.until(t, 20*time.Second, i, "GET", viewPath, "", func(r result) bool { return r.members["view"] == all })
	}
}

// result is a response.
type result struct {
	status  int
	text    string
	members map[string]any
	header  http.Header
}

func (r result) token() string { return r.header.Get("X-Causal-Metadata") }

func (r result) String() string { return fmt.Sprintf("%d %s", r.status, r.text) }

// try sends a request to node i.
func (c *cluster) try(i int, method, path, body string, header ...string) (r result, err error) {
	request, err := http.NewRequestWithContext(context.Background(), method, "http://"+c.addresses[i]+path, strings.NewReader(body))
	if err != nil {
		return r, err
	}
	for h := 0; h < len(header); h += 2 {
		request.Header.Add(header[h], header[h+1])
	}
	response, err := c.client.Do(request)
	if err != nil {
		return r, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return r, err
	}
	r = result{status: response.StatusCode, text: string(raw), header: response.Header}
	if method == http.MethodHead {
		return r, nil
	}
	if err := json.Unmarshal(raw, &r.members); err != nil {
		return r, fmt.Errorf("%s %s: %d %q: %w", method, path, r.status, raw, err)
	}
	return r, nil
}

// ask is try that must succeed.
func (c *cluster) ask(t *testing.T, i int, method, path, body string, header ...string) result {
	t.Helper()
	r, err := c.try(i, method, path, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// want is ask that must give a status and members, a JSON object. The member causal-metadata must be the
// token of the header; "*" stands for any other.
func (c *cluster) want(t *testing.T, i int, method, path, body string, status int, members string, header ...string) result {
	t.Helper()
	r := c.ask(t, i, method, path, body, header...)
	var want map[string]any
	if err := json.Unmarshal([]byte(members), &want); err != nil {
		t.Fatalf("%v: %s", err, members)
	}
	for name, value := range want {
		if value == "*" {
			want[name] = r.members[name]
		}
	}
	if token, ok := r.members["causal-metadata"]; ok && token != r.token() {
		t.Errorf("%s %s at node %d: header has the token %q, body %q", method, path, i+1, r.token(), token)
	}
	got, _ := json.Marshal(r.members)
	wanted, _ := json.Marshal(want)
	if r.status != status || !bytes.Equal(got, wanted) || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %s %.200s at node %d:\ngot  %.500s (%s)\nwant %d %s", method, path, body, i+1, r, r.header.Get("Content-Type"), status, members)
	}
	return r
}

// until asks until ok.
func (c *cluster) until(t *testing.T, limit time.Duration, i int, method, path, body string, ok func(result) bool) {
	t.Helper()
	deadline, ticker := time.After(limit), time.NewTicker(20*time.Millisecond)
	defer ticker.Stop()
	for {
		r, err := c.try(i, method, path, body)
		if err == nil && ok(r) {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("%s %s at node %d still answers %v, %v after %v", method, path, i+1, r, err, limit)
		}
	}
}
