package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/httpnode"
)

// runningStore is a store in this process.
func runningStore(t *testing.T, nodes, shards int) (*localStore, []string) {
	t.Helper()
	addresses, err := freeAddresses(nodes)
	if err != nil {
		t.Fatal(err)
	}
	store, err := newLocalStore(httpnode.Config{Machine: core.Config{ShardCount: shards}}, storage{}, addresses)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	store.run(ctx)
	t.Cleanup(func() {
		stop()
		if err := store.wait(); err != nil {
			t.Error(err)
		}
	})
	if !store.waitReady(ctx) {
		t.Fatal("the store does not form")
	}
	return store, addresses
}

// TestStatus looks at a store that is whole, and at one that lost a node.
func TestStatus(t *testing.T) {
	store, addresses := runningStore(t, 4, 2)
	var code int
	var stdout, stderr string
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(stdout, ", leader ") && time.Now().Before(deadline); {
		code, stdout, stderr = execute(context.Background(), nil, "status", addresses[1]) // they elect one once they have formed
	}
	lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	if code != exitOK || stderr != "" || len(lines) != 6 || !strings.Contains(lines[0], " epoch 1, 4 nodes, 2 shards, in memory, leader 127.0.0.1:") {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if want := "  shard  node            up   keys  replicas behind  waiting  note"; lines[1] != want {
		t.Errorf("%q\nwant\n%q", lines[1], want)
	}
	for i, shard := range []string{"1", "1", "2", "2"} {
		if want := "  " + shard + "      " + addresses[i] + "  yes  0     0                0"; strings.TrimSuffix(lines[i+2], "        leader") != want {
			t.Errorf("%q\nwant\n%q", lines[i+2], want)
		}
	}

	if err := store.stopNode(3); err != nil {
		t.Fatal(err)
	}
	var report storeStatus
	for deadline := time.Now().Add(10 * time.Second); ; {
		code, stdout, stderr = execute(context.Background(), nil, "status", "--json", addresses[0])
		if err := json.Unmarshal([]byte(stdout), &report); err != nil {
			t.Fatalf("%v: %s", err, stdout)
		}
		if code != exitFailed || report.Serving || report.Nodes[3].Status != nil || !strings.Contains(stderr, "not every node serves") {
			t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
		}
		if !report.Nodes[3].Up {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the node is still up: %s", stdout)
		}
	}
	if _, stdout, _ = execute(context.Background(), nil, "status", addresses[0]); !strings.Contains(stdout, addresses[3]+"  no   –     –                –        down ") {
		t.Errorf("the lost node is not shown as down:\n%s", stdout)
	}
}

func TestStatusNoNode(t *testing.T) {
	addresses, err := freeAddresses(1)
	if err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := execute(context.Background(), nil, "status", addresses[0]); code != exitFailed || !strings.Contains(stderr, addresses[0]+" does not answer: connection refused, so nothing listens there\n") {
		t.Errorf("%d %s", code, stderr)
	}
	if code, _, stderr := execute(context.Background(), nil, "status", "a:1", "b:1"); code != exitUsage {
		t.Errorf("%d %s", code, stderr)
	}
}

// TestNetworkReasons: why a node is silent is said in words, without what Go calls it.
func TestNetworkReasons(t *testing.T) {
	wrap := func(err error) error {
		return &url.Error{Op: "Get", URL: "http://10.0.0.1:1/", Err: &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}}
	}
	for _, test := range []struct {
		err  error
		want string
	}{
		{wrap(syscall.ECONNREFUSED), "connection refused, so nothing listens there"},
		{wrap(syscall.EHOSTUNREACH), "no way leads to that machine"},
		{wrap(syscall.ECONNRESET), "it closed the connection"},
		{wrap(syscall.EACCES), "permission denied"},
		{&url.Error{Err: io.EOF}, "it closed the connection"},
		{&url.Error{Err: context.DeadlineExceeded}, "nothing came within 2 s"},
		{&url.Error{Err: &net.DNSError{Name: "elsewhere", Err: "no such host"}}, "no machine is known by the name elsewhere"},
	} {
		if got := networkReason(test.err); got != test.want {
			t.Errorf("%v\n is %q\nwant %q", test.err, got, test.want)
		}
	}
	if one, more := waitForIt(1), waitForIt(1204); one != "1 write of one sibling waits for it" || more != "1,204 writes of one sibling wait for it" {
		t.Errorf("%q, %q", one, more)
	}
}

// TestTable prints what a store of one moment cannot show.
func TestTable(t *testing.T) {
	s := &storeStatus{Cluster: "7f3a000000000000", Epoch: 4, Shards: 2, Leader: "10.10.0.2:8085", Reshard: httpnode.ReshardStatus{Phase: "copying", Moved: 1204, ToMove: 9000}, Nodes: []nodeStatus{
		{Address: "j:1", State: "invited"},
		{Address: "10.10.0.2:8085", Shard: "1", State: "serving", Up: true, Status: &httpnode.Status{
			Serving: true, Keys: 301204, Waiting: 2, Copying: true,
			Members: []httpnode.MemberStatus{{Address: "x:1"}, {Address: "10.10.0.5:8085", Unconfirmed: 1204}, {Address: "i:1"}},
		}},
		{Address: "h:1", State: "unassigned", Up: true, Status: &httpnode.Status{Obstacle: "it lost its memory"}},
		{Address: "10.10.0.5:8085", Shard: "2", State: "serving", Silent: 7200},
		{Address: "k:1", Shard: "10", State: "learning", Up: true, Status: &httpnode.Status{
			Serving: true, Members: []httpnode.MemberStatus{{Address: "10.10.0.5:8085", Unconfirmed: 3}},
		}},
		{Address: "i:1", Shard: "2", State: "leaving", Up: true, Error: "no answer"},
	}}
	s.complete()
	want := `cluster 7f3a000000000000 epoch 4, 6 nodes, 2 shards, leader 10.10.0.2:8085        reshard: copying, 1,204 of 9,000 keys
  shard  node            up   keys     replicas behind  waiting  note
  1      10.10.0.2:8085  yes  301,204  1                2        leader; catching up
  2      10.10.0.5:8085  no   –        –                –        down 2 h; 1,204 writes of one sibling wait for it
  2      i:1             yes  –        –                –        leaving; no answer
  10     k:1             yes  0        1                0        learning
  –      j:1             no   –        –                –        was never seen
  –      h:1             yes  0        0                0        it lost its memory
`
	var plain, coloured bytes.Buffer
	if err := printStatus(&plain, s, false); err != nil || plain.String() != want {
		t.Errorf("%v\n%s\nwant\n%s", err, &plain, want)
	}
	if err := printStatus(&coloured, s, true); err != nil || strings.Count(coloured.String(), "\x1b[31m") != 4 {
		t.Errorf("%v, %d red lines, want 4: %q", err, strings.Count(coloured.String(), "\x1b[31m"), &coloured)
	}
	var forming bytes.Buffer
	if err := printStatus(&forming, &storeStatus{Obstacle: "Cluster is forming"}, false); err != nil || forming.String() != "Cluster is forming\n" {
		t.Errorf("%v %q", err, &forming)
	}
	for seconds, want := range map[uint64]string{0: "0 s", 119: "119 s", 120: "2 min", 7200: "2 h", 172800: "2 d"} {
		if got := ago(seconds); got != want {
			t.Errorf("%d seconds are %q, want %q", seconds, got, want)
		}
	}
}

// TestDebugAddress asks for a profile, and for a warning where others could.
func TestDebugAddress(t *testing.T) {
	addresses, err := freeAddresses(1)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	stop, err := serveDebug(addresses[0], logger)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap"} {
		response, err := client.Get("http://" + addresses[0] + path)
		if err != nil {
			t.Fatal(err)
		}
		if response.Body.Close(); response.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, response.Status)
		}
	}
	if _, err := serveDebug(addresses[0], logger); err == nil || !strings.Contains(err.Error(), "cannot serve profiles on "+addresses[0]) {
		t.Errorf("an address in use: %v", err)
	}
	stop()
	if strings.Contains(log.String(), "WARN") {
		t.Errorf("a warning about loopback: %s", &log)
	}
	_, port, _ := strings.Cut(addresses[0], ":")
	if stop, err = serveDebug("0.0.0.0:"+port, logger); err != nil {
		t.Fatal(err)
	}
	stop()
	if !strings.Contains(log.String(), "level=WARN") {
		t.Errorf("no warning: %s", &log)
	}
}
