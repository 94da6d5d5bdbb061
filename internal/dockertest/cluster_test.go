//go:build docker

package dockertest

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/internal/apitest"
)

// nodes is the size of a cluster; its first half is shard 1.
const nodes = 6

// A cluster is six nodes in containers, started by the command lines of the
// documentation.
type cluster struct {
	apitest.Client
	*engine
	owner     *testing.T // with its end the containers are removed
	network   string     // name on the engine, between the nodes
	addresses []string   // of the nodes on that network
	urls      []string   // where this machine reaches the nodes

	since time.Time // of the last fault, or of its end
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{owner: t, Client: newClient(rig.ctx), engine: rig, network: rig.name("mynet")}
	subnet := rig.network(t, "mynet")
	for i := range nodes {
		c.addresses = append(c.addresses, fmt.Sprintf("%s.0.%d:8085", subnet, i+2))
		c.urls = append(c.urls, fmt.Sprintf("http://127.0.0.1:%d", freePort(t)))
	}
	return c
}

// freePort finds a port of this machine that nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// short is the name of a node without the prefix; nodes are counted from 0.
func short(i int) string { return "node" + strconv.Itoa(i+1) }

// node is the name of a node on the engine.
func (c *cluster) node(i int) string { return c.name(short(i)) }

func (c *cluster) ip(i int) string {
	ip, _, _ := strings.Cut(c.addresses[i], ":")
	return ip
}

// start runs the container of a node, by the variables that the first six are started with.
func (c *cluster) start(t *testing.T, i int) {
	t.Helper()
	c.startWith(t, i, "-e", "VIEW="+strings.Join(c.addresses[:nodes], ","), "-e", "SHARD_COUNT=2")
}

func (c *cluster) startWith(t *testing.T, i int, options ...string) {
	t.Helper()
	_, port, _ := strings.Cut(strings.TrimPrefix(c.urls[i], "http://"), ":")
	args := []string{"-p", port + ":8085", "--net=" + c.network, "--ip=" + c.ip(i), "-e", "SOCKET_ADDRESS=" + c.addresses[i]}
	c.run(t, c.owner, short(i), append(append(args, options...), c.image)...)
}

// view is the text of a view without some nodes.
func (c *cluster) view(without ...int) string {
	var up []string
	for i, address := range c.addresses {
		if !slices.Contains(without, i) {
			up = append(up, address)
		}
	}
	return strings.Join(up, ",")
}

// viewTime is how long a change may take to be seen in the view.
const viewTime = 10 * time.Second

// untilView waits until the node at url says that everybody but some is up.
func (c *cluster) untilView(t *testing.T, url string, without ...int) {
	t.Helper()
	want := c.view(without...)
	c.Until(t, viewTime, url, apitest.ViewPath, func(a apitest.Answer) bool { return a.Members["view"] == want })
}

// fault runs a command of Docker that changes who reaches whom.
func (c *cluster) fault(t *testing.T, args ...string) {
	t.Helper()
	c.since = time.Now()
	c.docker(t, args...)
}

// everyView is untilView at every node but some, within viewTime of the last
// fault.
func (c *cluster) everyView(t *testing.T, event string, without ...int) {
	t.Helper()
	for i, url := range c.urls {
		if !slices.Contains(without, i) {
			c.untilView(t, url, without...)
		}
	}
	if took := time.Since(c.since); took > viewTime {
		t.Errorf("after %s it took %v until every view was right", event, took)
	} else {
		t.Logf("after %s every view was right in %.1f s", event, took.Seconds())
	}
}

// write puts a value and returns the token of the answer.
func (c *cluster) write(t *testing.T, url, key, value, token string) string {
	t.Helper()
	begin := time.Now()
	a := c.Ask(t, url, "PUT", apitest.KeysPath+key, `{"value":"`+value+`"}`, apitest.TokenHeader, token)
	if took := time.Since(begin); a.Status != 200 && a.Status != 201 || took > 2*time.Second {
		t.Fatalf("PUT %s at %s after %v: %v", key, url, took, a)
	}
	return a.Token()
}

// read wants a value.
func (c *cluster) read(t *testing.T, url, key, value, token string) {
	t.Helper()
	if a := c.Ask(t, url, "GET", apitest.KeysPath+key, "", apitest.TokenHeader, token); a.Status != 200 || a.Members["value"] != value {
		t.Errorf("GET %s at %s: %v, want %q", key, url, a, value)
	}
}

// keys finds a key of each shard that does not exist.
func (c *cluster) keys(t *testing.T, url, prefix string) (first, second string) {
	t.Helper()
	for i := 0; first == "" || second == ""; i++ {
		key := fmt.Sprintf("%s-%d", prefix, i)
		a := c.Ask(t, url, "PUT", apitest.KeysPath+key, `{"value":""}`)
		if gone := c.Ask(t, url, "DELETE", apitest.KeysPath+key, "", apitest.TokenHeader, a.Token()); gone.Status != 200 {
			t.Fatalf("DELETE %s: %v", key, gone)
		}
		switch a.Members["shard-id"] {
		case "1":
			first = key
		case "2":
			second = key
		}
	}
	return first, second
}
