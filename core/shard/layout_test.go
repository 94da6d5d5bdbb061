package shard_test

import (
	"bytes"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/shard"
)

// evenKeys fails unless every shard holds at least 3/4 and at most 5/4 of its part of key0 to key599.
func evenKeys(t *testing.T, layout *shard.Layout, path string) {
	t.Helper()
	count := layout.Count()
	keys := make([]int, count+1)
	for i := range 600 {
		keys[layout.Owner(shard.SlotOf("key"+strconv.Itoa(i)))]++
	}
	for id := 1; id <= count; id++ {
		if n, even := keys[id], 600/count; n < even*3/4 || n > even*5/4 {
			t.Errorf("%s: shard %d of %d has %d of 600 keys", path, id, count, n)
		}
	}
	if keys[0] != 0 {
		t.Errorf("%s: %d keys have no shard", path, keys[0])
	}
}

// Clients see how evenly the layouts spread their keys, however the layout came about.
func TestBalance(t *testing.T) {
	for first := 1; first <= 4; first++ {
		for second := 1; second <= 4; second++ {
			layout, path := shard.Initial(first), strconv.Itoa(first)
			for range 4 {
				for _, count := range []int{second, 3, 2, 3, first} {
					layout = layout.Resized(count)
					path += " " + strconv.Itoa(count)
					if count == 2 || count == 3 {
						evenKeys(t, layout, path)
					}
				}
			}
		}
		if first == 2 || first == 3 {
			evenKeys(t, shard.Initial(first), strconv.Itoa(first))
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

func slotsByShard(layout *shard.Layout) (sizes [shard.MaxShards + 1]int) {
	for slot := range shard.Slot(shard.Slots) {
		sizes[layout.Owner(slot)]++
	}
	return sizes
}

// leastMoves is the least number of slots that must move so that count shards differ by at most one:
// whatever is above the greater size moves, whatever is above the smaller size in too many shards
// too.
func leastMoves(sizes [shard.MaxShards + 1]int, count int) int {
	moves, larger := 0, 0
	for id := 1; id <= shard.MaxShards; id++ {
		switch {
		case id > count:
			moves += sizes[id]
		case sizes[id] > shard.Slots/count:
			moves += sizes[id] - shard.Slots/count
			larger++
		}
	}
	return moves - min(larger, shard.Slots%count)
}

func TestResized(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := rapid.OneOf(rapid.IntRange(1, 8), rapid.IntRange(1, shard.MaxShards))
		layout := shard.Initial(counts.Draw(t, "initial"))
		for range rapid.IntRange(1, 4).Draw(t, "steps") {
			count := counts.Draw(t, "count")
			resized := layout.Resized(count)
			if resized.Count() != count {
				t.Fatalf("%d shards instead of %d", resized.Count(), count)
			}
			for i, set := range resized.Shards() {
				if set != resized.SlotsOf(shard.ID(i+1)) {
					t.Fatalf("another set of shard %d", i+1)
				}
			}
			for id, size := range slotsByShard(resized) {
				if want := shard.Slots / count; id > 0 && id <= count && size != want && size != want+1 || (id == 0 || id > count) && size != 0 {
					t.Fatalf("shard %d of %d has %d slots", id, count, size)
				}
			}
			if moves, least := shard.Moves(layout, resized), leastMoves(slotsByShard(layout), count); moves != least {
				t.Fatalf("%d of %d slots move from %d to %d shards, %d would do", moves, shard.Slots, layout.Count(), count, least)
			}
			if *layout.Resized(count) != *resized || *resized.Resized(count) != *resized {
				t.Fatal("resized again, it is another layout")
			}
			layout = resized
		}
	})
}

// A layout that is uneven, such as one of an earlier version, is levelled without a new count.
func TestResizedLevels(t *testing.T) {
	buf := codec.AppendUint(nil, 1000)
	for _, v := range []uint64{1, 4, 2, 20, 3} {
		buf = codec.AppendUint(buf, v)
	}
	r := codec.NewReader(buf)
	uneven := shard.ReadLayout(&r)
	if r.Close() != nil || uneven.Count() != 3 {
		t.Fatalf("%v, %d shards", r.Err(), uneven.Count())
	}
	level := uneven.Resized(3)
	sizes := slotsByShard(level)
	if sizes[1] != 342 || sizes[2] != 341 || sizes[3] != 341 || shard.Moves(uneven, level) != 658 {
		t.Errorf("%v, %d moves", sizes[:4], shard.Moves(uneven, level))
	}
}

func TestLayoutRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		layout := shard.Initial(rapid.IntRange(1, 9).Draw(t, "initial")).Resized(rapid.IntRange(1, 9).Draw(t, "then"))
		buf := shard.AppendLayout(nil, layout)
		r := codec.NewReader(buf)
		if got := shard.ReadLayout(&r); r.Close() != nil || *got != *layout {
			t.Fatalf("%x is read as another layout: %v", buf, r.Err())
		}
	})
}

// FuzzLayout: whatever is accepted has no other encoding, and gives every shard a slot.
func FuzzLayout(f *testing.F) {
	f.Add(shard.AppendLayout(nil, shard.Initial(3)))
	f.Add([]byte{0x80, 8, 2})
	f.Add([]byte{0x80, 4, 1, 0x80, 4, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := codec.NewReader(data)
		layout := shard.ReadLayout(&r)
		if r.Close() != nil {
			return
		}
		if again := shard.AppendLayout(nil, layout); !bytes.Equal(again, data) {
			t.Fatalf("%x is written as %x", data, again)
		}
		for id, size := range slotsByShard(layout) {
			if (size > 0) != (id > 0 && id <= layout.Count()) {
				t.Fatalf("shard %d of %d has %d slots", id, layout.Count(), size)
			}
		}
	})
}
