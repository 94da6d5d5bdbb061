package view_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/view"
)

// A reshard places those who are up evenly, then all as far as possible, and moves nobody without need.
func TestPlacement(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := view.Founding{ShardCount: 1 + below(3).Draw(t, "shards now")}
		nodes := 2*f.ShardCount + below(8).Draw(t, "nodes")
		o := view.StartReshard{Count: 1 + below(4).Draw(t, "shards then")}
		up := map[string]bool{}
		for i := range nodes {
			address := fmt.Sprintf("node%02d", i)
			f.Founders = append(f.Founders, view.Founder{Address: address, Life: view.LifeID(i + 1)})
			if below(4).Draw(t, "down") > 0 {
				o.Up = append(o.Up, address)
				up[address] = true
			}
		}
		before := view.Found(f)
		after, outcome := before.Apply(2, view.Request{By: 1, Number: 1, Operation: o})
		if 2*o.Count > len(o.Up) {
			if outcome.Result != view.TooFew || after.Target != nil {
				t.Fatalf("%d shards of %d nodes: %v", o.Count, len(o.Up), outcome.Result)
			}
			return
		}
		checkPlacement(t, before, after, o, up)
	})
}

func checkPlacement(t *rapid.T, before, after *view.Configuration, o view.StartReshard, up map[string]bool) {
	reachable, all := make([]int, o.Count+1), make([]int, o.Count+1)
	were, stay := make([]int, o.Count+1), 0
	for i, m := range before.Members {
		placed := after.AssignmentsOf(m.Life)
		if len(placed) != 2 || !placed[1].Target || placed[1].Slots != after.Target.SlotsOf(placed[1].Shard) {
			t.Fatalf("member %d: %v", i, placed)
		}
		id := placed[1].Shard
		all[id]++
		if !up[m.Address] {
			continue
		}
		reachable[id]++
		if int(m.Shard) <= o.Count {
			were[m.Shard]++
		}
		if id == m.Shard {
			stay++
		}
	}
	if reachable[0]+all[0] > 0 {
		t.Fatalf("%v, %v of shard 0", reachable, all)
	}
	could, spare := 0, len(o.Up)%o.Count
	for id := 1; id <= o.Count; id++ {
		even := len(o.Up) / o.Count
		if n := reachable[id]; n != even && (n != even+1 || len(o.Up)%o.Count == 0) {
			t.Fatalf("%d of %d nodes that are up are in shard %d of %d", n, len(o.Up), id, o.Count)
		}
		if most := (len(before.Members) + o.Count - 1) / o.Count; all[id] > most {
			t.Fatalf("shard %d of %d has %d of %d nodes", id, o.Count, all[id], len(before.Members))
		}
		could += min(were[id], even)
		if were[id] > even && spare > 0 {
			could, spare = could+1, spare-1
		}
	}
	if stay != could {
		t.Fatalf("%d nodes that are up stay in their shards, %d could", stay, could)
	}
	if len(after.Reshard.Require) != len(o.Up) || after.Reshard.Moves != shard.Moves(before.Layout, after.Target) {
		t.Fatalf("%+v", after.Reshard)
	}
}
