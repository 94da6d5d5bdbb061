//go:build linux

package main

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/internal/apitest"
)

// newGrowingCluster is a store of six processes in two shards, and a seventh address whose process
// does not run yet.
func newGrowingCluster(t *testing.T) (c *cluster, seventh int) {
	t.Helper()
	all := loopbackAddresses(t, 7)
	c = &cluster{owner: t, addresses: all[:6], processes: make([]*process, 7), client: newClient(t)}
	c.variables = []string{"VIEW=" + strings.Join(c.addresses, ","), "SHARD_COUNT=2"}
	for i := range c.addresses {
		c.start(t, i)
	}
	c.waitServing(t)
	c.addresses = all
	return c, 6
}

// join starts a node without SHARD_COUNT.
func (c *cluster) join(t *testing.T, i int) {
	t.Helper()
	c.processes[i] = start(c.owner, c.addresses[i], "SOCKET_ADDRESS="+c.addresses[i], "VIEW="+strings.Join(c.addresses, ","))
}

// administer sends a change to node i.
func (c *cluster) administer(t *testing.T, i int, method, path, body string, status int, members string) {
	t.Helper()
	begin := time.Now()
	c.want(t, i, method, path, body, status, members)
	t.Logf("%s %s %s took %.2f s", method, path, body, time.Since(begin).Seconds())
}

func (c *cluster) member(i int) string { return `{"socket-address":"` + c.addresses[i] + `"}` }

func success(message string) string { return `{"message":"` + message + `"}` }

// fill writes key0 to key599 and returns a token that covers all of them.
func (c *cluster) fill(t *testing.T) (token string) {
	t.Helper()
	for i := range standardKeys {
		a := c.ask(t, i%min(6, len(c.addresses)), "PUT", fmt.Sprintf("%skey%d", keysPath, i), fmt.Sprintf(`{"value":%d,"causal-metadata":"%s"}`, i, token))
		if a.Status != 201 && a.Status != 200 {
			t.Fatalf("PUT key%d: %v", i, a)
		}
		token = a.Token()
	}
	return token
}

const standardKeys = 600

// wantKeys wants the standard keys from a node.
func (c *cluster) wantKeys(t *testing.T, i int, token string) {
	t.Helper()
	for k := range standardKeys {
		if a := c.ask(t, i, "GET", fmt.Sprintf("%skey%d", keysPath, k), "", apitest.TokenHeader, token); a.Members["value"] != float64(k) {
			t.Fatalf("GET key%d at node %d: %v", k, i+1, a)
		}
	}
}

// wantBalance wants every node to count the same keys in each of so many shards, and nearly as many in one
// as in another.
func (c *cluster) wantBalance(t *testing.T, nodes []int, shards, others int) {
	t.Helper()
	total := 0
	for shard := 1; shard <= shards; shard++ {
		path := fmt.Sprintf("%sshard-id-key-count/%d", shardsPath, shard)
		a := c.ask(t, nodes[0], "GET", path, "")
		count, ok := a.Members["shard-id-key-count"].(float64)
		if a.Status != 200 || !ok {
			t.Fatalf("key count of shard %d: %v", shard, a)
		}
		total += int(count)
		if even := float64(standardKeys) / float64(shards); count < 0.75*even || count > 1.25*even+float64(others) {
			t.Errorf("shard %d of %d has %v keys", shard, shards, count)
		}
		for _, i := range nodes {
			c.until(t, 10*time.Second, i, path, func(a apitest.Answer) bool { return a.Members["shard-id-key-count"] == count })
		}
	}
	if total != standardKeys+others {
		t.Errorf("%d keys in all shards, want %d", total, standardKeys+others)
	}
}

// wantShards wants every node to tell the same members of each shard, at least two, and as many as of any
// other, or one more or less.
func (c *cluster) wantShards(t *testing.T, nodes []int, shards int) (members [][]string) {
	t.Helper()
	var ids, sizes []string
	for shard := 1; shard <= shards; shard++ {
		ids = append(ids, fmt.Sprintf(`"%d"`, shard))
		path := fmt.Sprintf("%sshard-id-members/%d", shardsPath, shard)
		a := c.ask(t, nodes[0], "GET", path, "")
		list, _ := a.Members["shard-id-members"].([]any)
		var addresses []string
		for _, address := range list {
			addresses = append(addresses, address.(string))
		}
		if len(addresses) < 2 || !slices.IsSorted(addresses) {
			t.Errorf("members of shard %d: %v", shard, a)
		}
		members = append(members, addresses)
		sizes = append(sizes, fmt.Sprint(len(addresses)))
		for _, i := range nodes {
			if other := c.ask(t, i, "GET", path, ""); other.Text != a.Text {
				t.Errorf("members of shard %d at node %d: %v, at node %d: %v", shard, nodes[0]+1, a, i+1, other)
			}
		}
	}
	for _, i := range nodes {
		c.want(t, i, "GET", shardsPath+"shard-ids", "", 200, `{"message":"Shard IDs retrieved successfully","shard-ids":[`+strings.Join(ids, ",")+`]}`)
	}
	if slices.Min(sizes) != slices.Max(sizes) && slices.Max(sizes)[0]-slices.Min(sizes)[0] > 1 {
		t.Errorf("shards of %v members", sizes)
	}
	return members
}

// load is clients that write and read all the time, each its own keys with its own token, at changing
// nodes, and want every answer to be a success that follows from the ones before.
type load struct {
	c       *cluster
	name    string // of its keys
	lossy   bool   // a node is killed meanwhile: a write under way there is of unknown outcome, and is made again
	nodes   []int
	stop    chan struct{}
	clients sync.WaitGroup

	mu   sync.Mutex
	sent int
	keys int
}

const loadKeys = 8 // of each client

func (c *cluster) load(t *testing.T, name string, lossy bool, nodes ...int) *load {
	const clients = 4
	l := &load{c: c, name: name, lossy: lossy, nodes: nodes, stop: make(chan struct{})}
	for client := range clients {
		l.clients.Go(func() { l.run(t, client) })
	}
	t.Cleanup(func() { l.end(t) })
	return l
}

func (l *load) run(t *testing.T, client int) {
	token := ""
	for n := 0; ; n++ {
		select {
		case <-l.stop:
			return
		default:
		}
		path := fmt.Sprintf("%s%s-%d-%d", keysPath, l.name, client, n%loadKeys)
		node := l.nodes[(n+client)%len(l.nodes)]
		begin := time.Now()
		put, err := l.c.try(node, "PUT", path, fmt.Sprintf(`{"value":%d,"causal-metadata":"%s"}`, n, token))
		if l.lossy && err == nil && put.Status == 503 && put.Members["error"] == "Outcome unknown: the write may have taken effect" {
			n--
			continue
		}
		if err != nil || n < loadKeys && put.Status != 201 && !l.lossy || n >= loadKeys && put.Status != 200 {
			t.Errorf("PUT %s at node %d after %v: %v %v", path, node+1, time.Since(begin), put, err)
			return
		}
		token = put.Token()
		node = l.nodes[(n*3+client)%len(l.nodes)]
		begin = time.Now()
		got, err := l.c.try(node, "GET", path, "", apitest.TokenHeader, token)
		if err != nil || got.Status != 200 || got.Members["value"] != float64(n) {
			t.Errorf("GET %s at node %d after %v: %v %v, want %d", path, node+1, time.Since(begin), got, err, n)
			return
		}
		token = got.Token()
		l.mu.Lock()
		l.sent += 2
		if n < loadKeys {
			l.keys++
		}
		l.mu.Unlock()
	}
}

// end stops the clients and tells how many keys they have made.
func (l *load) end(t *testing.T) (keys int) {
	t.Helper()
	l.mu.Lock()
	running := l.stop != nil
	l.mu.Unlock()
	if running {
		close(l.stop)
		l.clients.Wait()
		l.stop = nil
		t.Logf("%d requests meanwhile, all answered", l.sent)
	}
	return l.keys
}

// TestReshard adds a seventh node to a store, and changes the number of shards under load.
func TestReshard(t *testing.T) {
	c, seventh := newGrowingCluster(t)
	token := c.fill(t)
	nodes := []int{0, 1, 2, 3, 4, 5, 6}
	c.join(t, seventh)
	begin := time.Now()
	c.untilView(t, 0, c.viewWithout())
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the seventh node is in the view after %v", took)
	}
	c.until(t, 5*time.Second, seventh, viewPath, func(a apitest.Answer) bool { return a.Members["view"] == c.viewWithout() })
	c.wantKeys(t, seventh, token) // it forwards
	c.want(t, seventh, "GET", shardsPath+"node-shard-id", "", 404, apitest.Refused("Node is not assigned to a shard", "GET"))
	c.want(t, seventh, "GET", "/readyz", "", 200, success("OK"))
	c.wantBalance(t, nodes, 2, 0)

	l := c.load(t, "reshard", false, nodes...)
	c.administer(t, 3, "PUT", shardsPath+"add-member/2", c.member(seventh), 200, success("Node added to shard successfully"))
	c.want(t, seventh, "GET", shardsPath+"node-shard-id", "", 200, `{"message":"Shard ID of the node retrieved successfully","shard-id":"2"}`)
	c.administer(t, 0, "PUT", shardsPath+"reshard", `{"shard-count":3}`, 200, success("Resharding done successfully"))
	c.wantShards(t, nodes, 3)
	c.wantKeys(t, 1, token)
	c.administer(t, seventh, "PUT", shardsPath+"reshard", `{"shard-count":2}`, 200, success("Resharding done successfully"))
	c.wantShards(t, nodes, 2)
	c.administer(t, 5, "PUT", shardsPath+"reshard", `{"shard-count":3}`, 200, success("Resharding done successfully"))
	others := l.end(t)
	c.wantShards(t, nodes, 3)
	for _, i := range nodes {
		c.wantKeys(t, i, token)
		c.until(t, 20*time.Second, i, shardsPath+"reshard", func(a apitest.Answer) bool { return a.Status == 200 && a.Members["phase"] == "idle" })
	}
	c.wantBalance(t, nodes, 3, others)
}

// TestMembers deletes nodes from the view, and loses the memory of others.
func TestMembers(t *testing.T) {
	c, seventh := newGrowingCluster(t)
	token := c.fill(t)
	left := []int{0, 1, 3, 4, 5}
	without := func(gone ...int) (list []int) {
		for i := range 6 {
			if !slices.Contains(gone, i) {
				list = append(list, i)
			}
		}
		return list
	}

	// A node that is down is deleted at once.
	c.processes[2].kill()
	c.untilView(t, 0, c.viewWithout(2, seventh))
	c.want(t, 0, "GET", shardsPath+"shard-id-members/1", "", 200, fmt.Sprintf(`{"message":"Members of shard ID retrieved successfully","shard-id-members":["%s","%s","%s"]}`,
		c.addresses[0], c.addresses[1], c.addresses[2]))
	begin := time.Now()
	c.administer(t, 4, "DELETE", viewPath, c.member(2), 200, success("Replica deleted successfully from the view"))
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("a node that is down was deleted in %v", took)
	}
	for _, i := range left {
		c.until(t, 5*time.Second, i, shardsPath+"shard-id-members/1", func(a apitest.Answer) bool {
			return strings.Contains(a.Text, `["`+c.addresses[0]+`","`+c.addresses[1]+`"]`)
		})
	}
	c.administer(t, 4, "DELETE", viewPath, c.member(2), 404, apitest.Refused("Socket address does not exist in the view", "DELETE"))

	// A node that is up hands over first; it answers 503 then, until it is wanted again.
	l := c.load(t, "delete", false, 0, 3, 4)
	put := c.ask(t, 5, "PUT", keysPath+"last-words", `{"value":"of the deleted"}`)
	c.administer(t, 0, "DELETE", viewPath, c.member(5), 200, success("Replica deleted successfully from the view"))
	c.until(t, 5*time.Second, 5, keysPath+"key1", func(a apitest.Answer) bool { return a.Status == 503 })
	apitest.Play(t, c.client, []string{c.url(5)}, nil, apitest.Deleted())
	if a := c.ask(t, 3, "GET", keysPath+"last-words", "", apitest.TokenHeader, put.Token()); a.Members["value"] != "of the deleted" {
		t.Errorf("what the deleted node had acknowledged: %v", a)
	}
	c.administer(t, 1, "PUT", viewPath, c.member(5), 201, success("Replica added successfully to the view"))
	c.until(t, 10*time.Second, 5, keysPath+"key1", func(a apitest.Answer) bool { return a.Status == 200 && a.Members["value"] == 1.0 })
	c.want(t, 5, "GET", shardsPath+"node-shard-id", "", 404, apitest.Refused("Node is not assigned to a shard", "GET"))
	c.wantKeys(t, 5, token)
	c.administer(t, 5, "PUT", shardsPath+"add-member/2", c.member(5), 200, success("Node added to shard successfully"))
	c.wantKeys(t, 5, token)
	l.end(t)

	// A node that lost its memory is back in its shard by itself.
	l = c.load(t, "forget", true, 0, 1, 3, 5)
	c.processes[4].kill()
	begin = time.Now()
	c.start(t, 4)
	c.until(t, 10*time.Second, 4, shardsPath+"node-shard-id", func(a apitest.Answer) bool { return a.Members["shard-id"] == "2" })
	for k := range standardKeys {
		path := fmt.Sprintf("%skey%d", keysPath, k)
		c.until(t, 10*time.Second-time.Since(begin), 4, path, func(a apitest.Answer) bool { return a.Members["value"] == float64(k) })
	}
	t.Logf("a node that lost its memory served again after %.2f s", time.Since(begin).Seconds())
	for _, i := range without(2) {
		c.untilView(t, i, c.viewWithout(2, seventh))
		c.wantKeys(t, i, token)
	}
	l.end(t)
}

// leader is the node that leads those who vote, as node i knows it.
func (c *cluster) leader(t *testing.T, i int) (leader int) {
	t.Helper()
	c.until(t, 20*time.Second, i, "/sequitur/status", func(a apitest.Answer) bool {
		address, _ := a.Members["leader"].(string)
		leader = slices.Index(c.addresses, address)
		return leader >= 0
	})
	return leader
}

// TestReshardStalls freezes a node that a reshard needs: for a moment, and then for longer than the reshard waits.
func TestReshardStalls(t *testing.T) {
	t.Parallel() // it waits most of the time
	c := newCluster(t, 6, "SHARD_COUNT=2")
	token := c.fill(t)
	nodes := []int{0, 1, 2, 3, 4, 5}
	asked := c.leader(t, 0)
	const three = `{"shard-count":3}`
	// A reshard needs those who are to have slots that they do not have yet.
	c.administer(t, asked, "PUT", shardsPath+"reshard", three, 200, success("Resharding done successfully"))
	gaining := c.wantShards(t, nodes, 3)[2]
	c.administer(t, asked, "PUT", shardsPath+"reshard", `{"shard-count":2}`, 200, success("Resharding done successfully"))
	frozen := slices.Index(c.addresses, gaining[0])
	if frozen == asked {
		frozen = slices.Index(c.addresses, gaining[1])
	}
	var left []int
	for _, i := range nodes {
		if i != frozen {
			left = append(left, i)
		}
	}
	const busy = "A reshard is under way; try again when it is done"
	phase := func(want string) func(apitest.Answer) bool {
		return func(a apitest.Answer) bool { return a.Members["phase"] == want }
	}
	stall := func(status int, members string, meanwhile func()) {
		t.Helper()
		c.processes[frozen].signal(t, syscall.SIGSTOP)
		var first sync.WaitGroup
		first.Go(func() { c.administer(t, asked, "PUT", shardsPath+"reshard", three, status, members) })
		for _, i := range left {
			c.until(t, 10*time.Second, i, shardsPath+"reshard", phase("copying"))
		}
		meanwhile()
		first.Wait()
	}

	stall(200, success("Resharding done successfully"), func() {
		for _, i := range left {
			c.want(t, i, "PUT", shardsPath+"reshard", three, 409, apitest.Refused(busy, "PUT"))
		}
		c.want(t, asked, "DELETE", viewPath, c.member(asked), 409, apitest.Refused(busy, "DELETE"))
		c.want(t, asked, "PUT", shardsPath+"reshard", `{"shard-count":4}`, 409, apitest.Refused(busy, "PUT"))
		c.processes[frozen].signal(t, syscall.SIGCONT)
	})
	c.wantShards(t, nodes, 3)
	c.administer(t, asked, "PUT", shardsPath+"reshard", `{"shard-count":2}`, 200, success("Resharding done successfully"))
	before := c.wantShards(t, nodes, 2)
	l := c.load(t, "stalled", true, left...)
	stall(503, apitest.Refused("*", "PUT"), func() {
		c.untilView(t, asked, c.viewWithout(frozen))
	})
	l.end(t)
	c.until(t, time.Second, asked, shardsPath+"reshard", phase("idle"))
	c.processes[frozen].signal(t, syscall.SIGCONT)
	for _, i := range nodes {
		c.untilView(t, i, c.viewWithout())
		c.until(t, 10*time.Second, i, shardsPath+"shard-ids", func(a apitest.Answer) bool { return strings.Contains(a.Text, `["1","2"]`) })
		c.wantKeys(t, i, token)
	}
	if after := c.wantShards(t, nodes, 2); !reflect.DeepEqual(before, after) {
		t.Errorf("%v, before: %v", after, before)
	}
	c.administer(t, frozen, "PUT", shardsPath+"reshard", three, 200, success("Resharding done successfully"))
}

// TestNoMajority freezes three of five nodes.
func TestNoMajority(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 5, "SHARD_COUNT=1")
	const stranger = `{"socket-address":"127.9.9.9:1"}`
	c.administer(t, 0, "PUT", viewPath, stranger, 201, success("Replica added successfully to the view"))
	c.administer(t, 1, "DELETE", viewPath, stranger, 200, success("Replica deleted successfully from the view"))
	frozen, left := []int{1, 2, 4}, []int{0, 3}
	for _, i := range frozen {
		c.processes[i].signal(t, syscall.SIGSTOP)
	}
	for _, i := range left {
		c.untilView(t, i, c.viewWithout(frozen...))
	}
	for _, request := range [][3]string{
		{"PUT", viewPath, stranger}, {"DELETE", viewPath, c.member(1)}, {"DELETE", viewPath, c.member(3)},
		{"PUT", shardsPath + "reshard", `{"shard-count":1}`},
	} {
		for _, i := range left {
			begin := time.Now()
			a := c.ask(t, i, request[0], request[1], request[2])
			if err := a.Check(503, apitest.Refused("*", request[0])); err != nil {
				t.Errorf("%v at node %d: %v %v", request, i+1, a, err)
			}
			for _, gone := range frozen {
				if !strings.Contains(a.Text, c.addresses[gone]) {
					t.Errorf("%v at node %d does not name node %d: %v", request, i+1, gone+1, a)
				}
			}
			if took := time.Since(begin); took > time.Second {
				t.Errorf("%v at node %d took %v", request, i+1, took)
			}
		}
	}
	c.want(t, 0, "PUT", viewPath, `{"socket-address":"x"}`, 400, apitest.Refused("*", "PUT"))
	c.want(t, 0, "PUT", keysPath+"x", `{"value":1}`, 201, apitest.Added) // keys need no majority
	for _, i := range frozen {
		c.processes[i].signal(t, syscall.SIGCONT)
	}
	for i := range c.addresses {
		c.untilView(t, i, c.viewWithout())
	}
	c.administer(t, 0, "PUT", viewPath, stranger, 201, success("Replica added successfully to the view"))
}

// TestLastMember has a store of one node.
func TestLastMember(t *testing.T) {
	c := newCluster(t, 1)
	c.want(t, 0, "DELETE", viewPath, c.member(0), 400, apitest.Refused("The node is the last one that holds the data of its shard", "DELETE"))
	c.want(t, 0, "PUT", shardsPath+"reshard", `{"shard-count":2}`, 400, success(tooFew))
	c.want(t, 0, "PUT", shardsPath+"reshard", `{"shard-count":1}`, 200, success("Resharding done successfully"))
	if a, err := c.try(0, http.MethodGet, keysPath+"x", ""); err != nil || a.Status != 404 {
		t.Errorf("%v %v", a, err)
	}
}

const tooFew = "Not enough nodes to provide fault-tolerance with the given shard count!"
