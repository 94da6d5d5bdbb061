package shard_test

import (
	"bytes"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/shard"
)

// The hash decides where data lives on disk and over the network: it never changes.
func TestSlotsAreForEver(t *testing.T) {
	for key, want := range map[string]shard.Slot{"": 957, "x": 370, "key0": 394, "key599": 426, "ключ": 645} {
		if got := shard.SlotOf(key); got != want {
			t.Errorf("slot of %q is %d, want %d", key, got, want)
		}
	}
}

func TestBalance(t *testing.T) {
	for _, count := range []int{2, 3} {
		layout := shard.Initial(count)
		keys := make([]int, count+1)
		for i := range 600 {
			keys[layout.Owner(shard.SlotOf("key"+strconv.Itoa(i)))]++
		}
		for id := 1; id <= count; id++ {
			if n, even := keys[id], 600/count; n < even*3/4 || n > even*5/4 {
				t.Errorf("shard %d of %d has %d of 600 keys", id, count, n)
			}
		}
		if keys[0] != 0 {
			t.Errorf("%d keys of %d shards have no shard", keys[0], count)
		}
	}
}

func TestInitial(t *testing.T) {
	for count := 1; count <= shard.MaxShards; count++ {
		layout := shard.Initial(count)
		sizes := make([]int, count+1)
		last := shard.ID(1)
		for slot := range shard.Slot(shard.Slots) {
			owner := layout.Owner(slot)
			if owner < last || owner > last+1 || int(owner) > count {
				t.Fatalf("%d shards: slot %d of shard %d follows shard %d", count, slot, owner, last)
			}
			sizes[owner]++
			last = owner
		}
		for id := 1; id <= count; id++ {
			if n := sizes[id]; n < shard.Slots/count || n > (shard.Slots+count-1)/count {
				t.Fatalf("shard %d of %d has %d slots", id, count, n)
			}
		}
		if set := layout.SlotsOf(shard.ID(count)); set.Len() != sizes[count] || !set.Has(shard.Slots-1) {
			t.Fatalf("%d shards: the set of the last has %d slots of %d", count, set.Len(), sizes[count])
		}
	}
}

func drawSet(t *rapid.T) (s shard.Set, model map[shard.Slot]bool) {
	model = map[shard.Slot]bool{}
	for range rapid.IntRange(0, 4).Draw(t, "runs") {
		start := rapid.IntRange(0, shard.Slots-1).Draw(t, "start")
		for slot := start; slot < min(start+rapid.IntRange(1, 300).Draw(t, "length"), shard.Slots); slot++ {
			s.Add(shard.Slot(slot))
			model[shard.Slot(slot)] = true
		}
	}
	return s, model
}

func TestSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, model := drawSet(t)
		other, otherModel := drawSet(t)
		contains := true
		for slot := range shard.Slot(shard.Slots) {
			if s.Has(slot) != model[slot] {
				t.Fatalf("slot %d", slot)
			}
			contains = contains && (model[slot] || !otherModel[slot])
		}
		if s.Len() != len(model) || s.Contains(&other) != contains {
			t.Fatalf("%d slots of %d; contains %t", s.Len(), len(model), !contains)
		}
		buf := shard.AppendSet(nil, &s)
		r := codec.NewReader(buf)
		if got := shard.ReadSet(&r); r.Close() != nil || got != s {
			t.Fatalf("%x is read as another set: %v", buf, r.Err())
		}
	})
}

// FuzzSet: whatever is accepted has no other encoding.
func FuzzSet(f *testing.F) {
	f.Add([]byte{0, 0, 0x80, 8})
	f.Add([]byte{0x80, 4, 0x80, 4})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := codec.NewReader(data)
		s := shard.ReadSet(&r)
		if r.Close() != nil {
			return
		}
		if again := shard.AppendSet(nil, &s); !bytes.Equal(again, data) {
			t.Fatalf("%x is written as %x", data, again)
		}
	})
}

func TestContiguousSetsAreShort(t *testing.T) {
	set := shard.Initial(3).SlotsOf(2)
	if buf := shard.AppendSet(nil, &set); len(buf) > 6 {
		t.Errorf("%d bytes", len(buf))
	}
}

func TestID(t *testing.T) {
	if shard.ID(0).String() != "none" || shard.ID(12).String() != "12" {
		t.Errorf("%v, %v", shard.ID(0), shard.ID(12))
	}
	for text, want := range map[string]shard.ID{
		"1": 1, "1024": 1024, "4294967295": 1<<32 - 1,
		"0": 0, "": 0, "01": 0, "+1": 0, "-1": 0, " 1": 0, "4294967296": 0, "none": 0, "1.0": 0,
	} {
		if id, ok := shard.ParseID(text); id != want || ok != (want != 0) {
			t.Errorf("%q is %v, %t", text, id, ok)
		}
	}
}
