package core_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// TestNoRecordsWhileFull lets everything happen to nodes that have no room from time to time: requests of all kinds,
// messages that are lost or come late, members that come, go, and lose their memory. That a node without room makes
// no record is checked in every step of a cluster; here, that it serves again afterwards.
func TestNoRecordsWhileFull(t *testing.T) {
	full, refused := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		c := newCluster(rapidTB{t, rt}, 4, 2, func(c *core.Config) { c.ReshardPatience = 5 * time.Second })
		if rapid.Bool().Draw(rt, "full from the start") {
			c = newCluster(rapidTB{t, rt}, 0, 0, nil)
			for _, name := range []string{"n1", "n2", "n3", "n4"} {
				c.names = append(c.names, name)
				c.nodes[name] = &node{name: name, config: core.Config{Address: name, View: []string{"n1", "n2", "n3", "n4"}, ShardCount: 2}, full: name == "n2"}
			}
			for _, name := range c.names {
				c.boot(name, nil, 0)
			}
		}
		c.watch.replied = func(_ string, r core.Response, _ string) {
			if r.Status == wire.StatusFull {
				refused++
			}
		}
		node := func() string { return rapid.SampledFrom(c.names).Draw(rt, "node") }
		ask := func(ops ...core.Op) func(*rapid.T) {
			return func(*rapid.T) {
				c.do(node(), core.Request{
					Op: rapid.SampledFrom(ops).Draw(rt, "op"), Key: rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(rt, "key"),
					Value: []byte("1"), Tokens: c.tokens[core.RequestID(rapid.Uint64Range(0, uint64(c.request)).Draw(rt, "token of"))],
					Shard: shard.ID(rapid.IntRange(1, 2).Draw(rt, "shard")), Member: node(), Count: rapid.IntRange(1, 2).Draw(rt, "count"),
				})
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"on a key":   ask(wire.OpPut, wire.OpGet, wire.OpDelete),
			"question":   ask(wire.OpKeyCount, wire.OpView, wire.OpShardMembers, wire.OpNodeShard, wire.OpProgress),
			"administer": ask(wire.OpInvite, wire.OpRemove, wire.OpAddMember, wire.OpReshard),
			"wait": func(*rapid.T) {
				c.advance(time.Duration(rapid.IntRange(1, 3000).Draw(rt, "ms")) * time.Millisecond)
			},
			"cut":  func(*rapid.T) { c.cut[node()+"->"+node()] = true },
			"hold": func(*rapid.T) { c.held[node()+"->"+node()] = true },
			"through": func(*rapid.T) {
				clear(c.cut)
				clear(c.held)
				c.settle()
			},
			"full": func(*rapid.T) {
				full++
				c.nodes[node()].full = true
			},
			"room":    func(*rapid.T) { c.nodes[node()].full = false },
			"restart": func(*rapid.T) { c.restart(node()) },
			"wipe":    func(*rapid.T) { c.wipe(node()) },
		})
		clear(c.cut)
		clear(c.held)
		end := func(full bool) {
			for _, name := range c.names {
				c.nodes[name].full = full
			}
			c.advance(40 * time.Second)
			for _, name := range c.names {
				if waiting := c.nodes[name].machine.Waiting(); waiting > 0 {
					rt.Fatalf("%s: %d requests still wait", name, waiting)
				}
			}
		}
		end(false)
		for _, name := range c.names {
			c.nodes[name].full = true
		}
		var puts []core.RequestID
		for _, name := range c.names {
			puts = append(puts, c.put(name, "a", "1", ""))
		}
		end(true)
		for i, id := range puts {
			if status := c.replies[id].Status; status.Succeeded() {
				rt.Fatalf("%s: no disk has room, and a write is answered with %v", c.names[i], status)
			}
		}
	})
	if full == 0 || refused == 0 {
		t.Errorf("disks were full %d times, and %d requests were refused for it: hardly anything was tried", full, refused)
	}
}

// A node has one administrative request decided at a time. The next one must not keep it awake meanwhile.
func TestSecondPetitionLetsTheNodeSleep(t *testing.T) {
	c := newCluster(t, 3, 1, nil)
	c.advance(5 * time.Second)
	c.cut["n1->*"] = true
	c.do("n1", core.Request{Op: wire.OpInvite, Member: "n8"})
	c.do("n1", core.Request{Op: wire.OpInvite, Member: "n9"})
	c.step("n1", core.Input{Kind: core.InputWake})
	if wake := c.nodes["n1"].wake; wake <= c.now {
		t.Errorf("at %v the node wants to be woken at %v", c.now, wake)
	}
}
