//go:build docker

package dockertest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/internal/apitest"
)

const seventh = nodes

func (c *cluster) member(i int) string { return `{"socket-address":"` + c.addresses[i] + `"}` }

// administer sends a change that must succeed.
func (c *cluster) administer(t *testing.T, url, method, path, body string, status int, message string) {
	t.Helper()
	begin := time.Now()
	a := c.Ask(t, url, method, path, body)
	if err := a.Check(status, `{"message":"`+message+`"}`); err != nil {
		t.Fatalf("%s %s %s: %v\n%v", method, path, body, a, err)
	}
	t.Logf("%s %s %s took %.2f s", method, path, body, time.Since(begin).Seconds())
}

// testSeventh starts a seventh node as the documentation does, without SHARD_COUNT.
func testSeventh(t *testing.T, c *cluster) {
	prefix, _, _ := strings.Cut(c.addresses[0], ".0.")
	c.addresses = append(c.addresses, fmt.Sprintf("%s.0.%d:8085", prefix, seventh+2))
	c.urls = append(c.urls, fmt.Sprintf("http://127.0.0.1:%d", freePort(t)))
	first, second := c.keys(t, c.urls[0], "seventh")
	token := c.write(t, c.urls[1], second, "before it", c.write(t, c.urls[0], first, "before it", ""))
	c.startWith(t, seventh, "-e", "VIEW="+strings.Join(c.addresses, ","))
	c.Until(t, 5*time.Second, c.urls[0], apitest.ViewPath, func(a apitest.Answer) bool { return a.Members["view"] == c.view() })
	c.since = time.Now()
	c.everyView(t, "the start of a seventh node")
	c.read(t, c.urls[seventh], first, "before it", token)
	c.read(t, c.urls[seventh], second, "before it", token)
	token = c.write(t, c.urls[seventh], first, "by it", token)
	c.read(t, c.urls[2], first, "by it", token)
	if a := c.Ask(t, c.urls[seventh], "GET", apitest.ShardsPath+"node-shard-id", ""); a.Status != 404 {
		t.Errorf("shard of a node that was given none: %v", a)
	}
	c.administer(t, c.urls[3], "PUT", apitest.ShardsPath+"add-member/2", c.member(seventh), 200, "Node added to shard successfully")
	a := c.Ask(t, c.urls[seventh], "GET", apitest.ShardsPath+"node-shard-id", "")
	if err := a.Check(200, `{"message":"Shard ID of the node retrieved successfully","shard-id":"2"}`); err != nil {
		t.Error(a, err)
	}
	c.read(t, c.urls[seventh], second, "before it", token)
}

// testReshard changes the number of shards while clients write and read.
func testReshard(t *testing.T, c *cluster) {
	stop, requests := make(chan struct{}), 0
	var clients sync.WaitGroup
	clients.Go(func() {
		for token := ""; ; requests += 2 {
			select {
			case <-stop:
				return
			default:
			}
			key, value := fmt.Sprintf("key%d", requests%600), fmt.Sprint(requests)
			put, err := c.Try(c.urls[requests%7], "PUT", apitest.KeysPath+key, `{"value":"`+value+`"}`, apitest.TokenHeader, token)
			if err != nil || put.Status != 200 {
				t.Errorf("PUT %s at %s: %v %v", key, c.urls[requests%7], put, err)
				return
			}
			token = put.Token()
			get, err := c.Try(c.urls[(requests+3)%7], "GET", apitest.KeysPath+key, "", apitest.TokenHeader, token)
			if err != nil || get.Status != 200 || get.Members["value"] != value {
				t.Errorf("GET %s at %s: %v %v, want %s", key, c.urls[(requests+3)%7], get, err, value)
				return
			}
			token = get.Token()
		}
	})
	before := c.total(t, 2)
	for _, count := range []int{3, 2, 3} {
		c.administer(t, c.urls[count], "PUT", apitest.ShardsPath+"reshard", fmt.Sprintf(`{"shard-count":%d}`, count), 200, "Resharding done successfully")
		for i, url := range c.urls {
			members := 0
			for shard := 1; shard <= count; shard++ {
				a := c.Ask(t, url, "GET", fmt.Sprintf("%sshard-id-members/%d", apitest.ShardsPath, shard), "")
				list, _ := a.Members["shard-id-members"].([]any)
				if len(list) < 2 {
					t.Errorf("shard %d at node %d: %v", shard, i+1, a)
				}
				members += len(list)
			}
			if a := c.Ask(t, url, "GET", fmt.Sprintf("%sshard-id-members/%d", apitest.ShardsPath, count+1), ""); members != 7 || a.Status != 404 {
				t.Errorf("%d nodes in %d shards at node %d; one more: %v", members, count, i+1, a)
			}
		}
		if after := c.total(t, count); after != before {
			t.Errorf("%d keys before, %d in %d shards", before, after, count)
		}
	}
	close(stop)
	clients.Wait()
	t.Logf("%d requests meanwhile", requests)
	c.administer(t, c.urls[0], "PUT", apitest.ShardsPath+"reshard", `{"shard-count":2}`, 200, "Resharding done successfully")
}

// total waits until every node counts the same keys, and returns how many there are.
func (c *cluster) total(t *testing.T, shards int) (total int) {
	t.Helper()
	for shard := 1; shard <= shards; shard++ {
		path := fmt.Sprintf("%sshard-id-key-count/%d", apitest.ShardsPath, shard)
		count, ok := c.Ask(t, c.urls[0], "GET", path, "").Members["shard-id-key-count"].(float64)
		if !ok {
			t.Fatalf("no key count of shard %d", shard)
		}
		total += int(count)
		for _, url := range c.urls {
			c.Until(t, 10*time.Second, url, path, func(a apitest.Answer) bool { return a.Members["shard-id-key-count"] == count })
		}
	}
	return total
}

// testDeleted deletes a node that runs, takes it back, and deletes it when it has stopped.
func testDeleted(t *testing.T, c *cluster) {
	first, second := c.keys(t, c.urls[0], "deleted")
	token := c.write(t, c.urls[seventh], first, "last words", c.write(t, c.urls[seventh], second, "last words", ""))
	c.administer(t, c.urls[1], "DELETE", apitest.ViewPath, c.member(seventh), 200, "Replica deleted successfully from the view")
	c.since = time.Now()
	c.everyView(t, "the deletion", seventh)
	c.Until(t, 5*time.Second, c.urls[seventh], "/readyz", func(a apitest.Answer) bool { return a.Status == 503 })
	apitest.Play(t, c.Client, c.urls[seventh:], nil, apitest.Deleted())
	for _, url := range c.urls[:seventh] {
		c.read(t, url, first, "last words", token)
		c.read(t, url, second, "last words", token)
	}
	c.administer(t, c.urls[2], "PUT", apitest.ViewPath, c.member(seventh), 201, "Replica added successfully to the view")
	c.since = time.Now()
	c.Until(t, viewTime, c.urls[seventh], "/readyz", func(a apitest.Answer) bool { return a.Status == 200 })
	c.everyView(t, "its addition")
	c.read(t, c.urls[seventh], first, "last words", token)

	c.since = time.Now()
	c.stop(t, c.node(seventh))
	c.everyView(t, "its stop", seventh)
	c.administer(t, c.urls[4], "DELETE", apitest.ViewPath, c.member(seventh), 200, "Replica deleted successfully from the view")
	unknown := c.Ask(t, c.urls[0], "DELETE", apitest.ViewPath, c.member(seventh))
	if err := unknown.Check(404, apitest.Refused("Socket address does not exist in the view", "DELETE")); err != nil {
		t.Error(unknown, err)
	}
	c.urls = c.urls[:seventh]
}

// testEnd stops what is left.
func testEnd(t *testing.T, c *cluster) {
	for i := range c.urls {
		c.stop(t, c.node(i))
	}
}
