//go:build linux

package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// idleConnections are held to one node at a time.
const idleConnections = 10_000

// allowFiles raises the limit of open files, of this process and of those that it starts, to at least count.
func allowFiles(t *testing.T, count uint64) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Cur >= count {
		return
	}
	raised := syscall.Rlimit{Cur: max(limit.Max, count), Max: max(limit.Max, count)}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised); err != nil {
		t.Fatalf("this test opens %d files, %d are allowed: run it with a higher limit (ulimit -Hn): %v", count, limit.Max, err)
	}
}

// figures are metrics of node i without labels, by name.
func (c *cluster) figures(t *testing.T, i int) map[string]float64 {
	t.Helper()
	conn, err := net.Dial("tcp", c.addresses[i])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /metrics HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if number, err := strconv.ParseFloat(value, 64); err == nil {
			found[name] = number
		}
	}
	return found
}

// idle is a connection with nothing under way.
type idle struct {
	net.Conn
	reader *bufio.Reader
}

// ask sends a request, and wantOK reads the answer: a connection that stays open.
func (c idle) ask(t *testing.T) {
	t.Helper()
	if _, err := io.WriteString(c.Conn, "GET /healthz HTTP/1.1\r\nHost: n\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
}

func (c idle) wantOK(t *testing.T) {
	t.Helper()
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK || response.Close {
		t.Fatalf("%s %v, closed: %v", response.Status, err, response.Close)
	}
}

// TestIdleConnections holds many connections to one process, measures what they cost it, and wants it to serve
// others meanwhile.
func TestIdleConnections(t *testing.T) {
	allowFiles(t, idleConnections+500)
	c := newCluster(t, 1)
	served := func(what string) time.Duration {
		const requests = 300
		begin := time.Now()
		for i := range requests {
			key := keysPath + "key-" + strconv.Itoa(i)
			if put := c.ask(t, 0, "PUT", key, `{"value":1}`); put.Status >= 300 {
				t.Fatalf("PUT %s: %v", what, put)
			}
			if get := c.ask(t, 0, "GET", key, ""); get.Status != http.StatusOK {
				t.Fatalf("GET %s: %v", what, get)
			}
		}
		return time.Since(begin) / (2 * requests)
	}
	alone := served("before")
	before := c.figures(t, 0)

	connections := make([]idle, 0, idleConnections)
	closeAll := func() {
		for _, conn := range connections {
			conn.Close()
		}
	}
	defer closeAll()
	for range idleConnections {
		conn, err := net.DialTimeout("tcp", c.addresses[0], 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		connections = append(connections, idle{conn, bufio.NewReaderSize(conn, 512)})
		connections[len(connections)-1].ask(t)
	}
	for _, conn := range connections {
		conn.wantOK(t)
	}
	beside := served("beside idle connections")
	during := c.figures(t, 0)
	if held := during["sequitur_connections"]; held < idleConnections {
		t.Errorf("the node has %v connections, want at least %d", held, idleConnections)
	}
	each := func(name string) int { return int(during[name]-before[name]) / idleConnections }
	resident := each("process_resident_memory_bytes")
	t.Logf("%d idle connections: %d bytes each resident, %d bytes of heap, %d of stacks; a request took %v, %v without them",
		idleConnections, resident, each("go_memstats_heap_inuse_bytes"), each("go_memstats_stack_inuse_bytes"), beside, alone)
	if limit := 40 << 10; len(buildFlags) == 0 && resident > limit { // the race detector needs much more
		t.Errorf("an idle connection costs %d bytes, want at most %d", resident, limit)
	}
	for _, conn := range connections { // the node has given up none
		conn.ask(t)
		conn.wantOK(t)
	}

	closeAll()
	deadline := time.Now().Add(10 * time.Second)
	for after := c.figures(t, 0); after["sequitur_connections"] > 10 || after["go_goroutines"] > before["go_goroutines"]+20; after = c.figures(t, 0) {
		if time.Now().After(deadline) {
			t.Fatalf("after they were closed the node still has %v connections and %v goroutines, %v before",
				after["sequitur_connections"], after["go_goroutines"], before["go_goroutines"])
		}
	}
}
