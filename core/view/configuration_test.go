package view_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/token"
	"github.com/sequitur-kv/sequitur/core/view"
)

func drawFounding(t *rapid.T) view.Founding {
	f := view.Founding{}
	n := rapid.IntRange(1, 12).Draw(t, "nodes")
	for i := range n {
		founder := view.Founder{Address: fmt.Sprintf("node%02d:80", i), Life: view.LifeID(rapid.Uint64().Draw(t, "life")<<4 | uint64(i+1))} // each its own
		copy(founder.Key[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "key"))
		f.Founders = append(f.Founders, founder)
	}
	f.ShardCount = rapid.IntRange(1, n).Draw(t, "shards")
	return f
}

func TestFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFounding(t)
		c := view.Found(f)
		var members, slots int
		for i := range c.Shards {
			s := &c.Shards[i]
			if s.ID != shard.ID(i+1) || c.Shard(s.ID) != s {
				t.Fatalf("shard %d is called %v", i, s.ID)
			}
			if n, all := len(s.Members), len(f.Founders); n < all/f.ShardCount || n > (all+f.ShardCount-1)/f.ShardCount {
				t.Fatalf("shard %v of %d has %d of %d nodes", s.ID, f.ShardCount, n, all)
			}
			for k, m := range s.Members {
				if c.Members[m].Shard != s.ID || c.Members[m].Replica != s.Replicas[k] {
					t.Fatalf("member %d of shard %v: %+v", m, s.ID, c.Members[m])
				}
				a := c.Assignment(s.Replicas[k])
				if s.Serving[k] != m || a.Stage != view.Serving || a.Slots != s.Slots || a.Shard != s.ID || a.Life != c.Members[m].Life {
					t.Fatalf("assignment of member %d of shard %v: %+v", m, s.ID, a)
				}
			}
			for slot := range shard.Slot(shard.Slots) {
				if s.Slots.Has(slot) != (c.Layout.Owner(slot) == s.ID) {
					t.Fatalf("slot %d of shard %v", slot, s.ID)
				}
			}
			members += len(s.Members)
			slots += s.Slots.Len()
		}
		if members != len(f.Founders) || len(c.Assignments) != members || slots != shard.Slots || c.Shard(0) != nil || c.Shard(shard.ID(f.ShardCount+1)) != nil {
			t.Fatalf("%d members, %d slots", members, slots)
		}
		for i, m := range c.Members {
			if m.Replica != causal.ReplicaID(i+1) || c.MemberAt(m.Address) != i || c.MemberOf(m.Life) > i || m.Address != f.Founders[i].Address {
				t.Fatalf("member %d: %+v", i, m)
			}
		}
		if c.MemberAt("") != -1 || c.MemberAt("node00:800") != -1 || c.MemberAt("z") != -1 || c.MemberOf(0) != -1 {
			t.Fatal("strangers are members")
		}
	})
}

// Any difference between two foundings makes two stores, whose tokens do not mix.
func TestStoresDiffer(t *testing.T) {
	base := view.Founding{ShardCount: 1, Founders: []view.Founder{{Address: "a", Life: 1}, {Address: "b", Life: 2}}}
	variants := []view.Founding{base}
	for _, change := range []func(*view.Founding){
		func(f *view.Founding) { f.ShardCount = 2 },
		func(f *view.Founding) { f.Founders[0].Life = 3 },
		func(f *view.Founding) { f.Founders[1].Key[15] = 1 },
		func(f *view.Founding) { f.Founders[1].Address = "c" },
		func(f *view.Founding) { f.Founders = f.Founders[:1] },
	} {
		f := view.Founding{ShardCount: base.ShardCount, Founders: slices.Clone(base.Founders)}
		change(&f)
		variants = append(variants, f)
	}
	given, _ := view.Found(base).Tokens.Append(nil, nil, causal.Context{Epoch: 1})
	seen := map[token.ClusterID]bool{}
	for i, f := range variants {
		c := view.Found(f)
		if seen[c.Cluster] {
			t.Errorf("variant %d has the id of another store", i)
		}
		seen[c.Cluster] = true
		if f.Equal(base) != (i == 0) {
			t.Errorf("variant %d equals the base: %t", i, f.Equal(base))
		}
		var into causal.Context
		if _, _, err := c.Tokens.Merge(&into, string(given), nil, nil); (err == nil) != (i == 0) {
			t.Errorf("variant %d takes a token of the base: %v", i, err)
		}
	}
}

func TestFoundingRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFounding(t)
		r := codec.NewReader(view.AppendFounding(nil, f))
		if got := view.ReadFounding(&r); r.Close() != nil || !got.Equal(f) {
			t.Fatalf("%+v is read as %+v: %v", f, got, r.Err())
		}
	})
}

// FuzzFounding: whatever is accepted has no other encoding, and makes a configuration.
func FuzzFounding(f *testing.F) {
	f.Add(view.AppendFounding(nil, view.Founding{ShardCount: 2, Founders: []view.Founder{{Address: "a", Life: 1}, {Address: "b", Life: 2}}}))
	f.Add([]byte{1, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := codec.NewReader(data)
		founding := view.ReadFounding(&r)
		if r.Close() != nil {
			return
		}
		if again := view.AppendFounding(nil, founding); !bytes.Equal(again, data) {
			t.Fatalf("%x is written as %x", data, again)
		}
		view.Found(founding)
	})
}

// A member that was not seen yet has no life: nothing that concerns nobody in particular is taken for its own.
func TestInvitedMemberHasNoLife(t *testing.T) {
	c := view.Found(view.Founding{ShardCount: 1, Founders: []view.Founder{{Address: "a", Life: 1}, {Address: "b", Life: 2}}})
	c, _ = c.Apply(2, view.Request{By: 1, Number: 1, Operation: view.Invite{Address: "c"}})
	c, outcome := c.Apply(3, view.Enter{Address: "d", Life: 4})
	if outcome.Result != view.Done || c.MemberOf(0) != -1 {
		t.Errorf("outcome %+v, the member without a life is %d", outcome, c.MemberOf(0))
	}
	if invited := c.Members[c.MemberAt("c")]; invited.LastOutcome != (view.Outcome{}) {
		t.Errorf("the invited member is told %+v", invited.LastOutcome)
	}
	if next, outcome := c.Apply(4, view.Request{Number: 9, Operation: view.Invite{Address: "e"}}); next != c || outcome != (view.Outcome{}) {
		t.Errorf("a request of nobody comes to %+v", outcome)
	}
}

func TestLifeText(t *testing.T) {
	if got := view.LifeID(0xab).String(); got != "00000000000000ab" {
		t.Error(got)
	}
}
