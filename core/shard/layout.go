package shard

import "github.com/sequitur-kv/sequitur/core/codec"

// Layout says which shard owns each slot. The zero value owns nothing (every slot in shard 0).
type Layout struct{ owner [Slots]ID }

// Initial spreads the slots over shards 1 to count in contiguous ranges whose sizes differ by at
// most one. count is between 1 and MaxShards.
func Initial(count int) *Layout {
	l := new(Layout)
	for slot := range l.owner {
		l.owner[slot] = ID(slot*count/Slots) + 1
	}
	return l
}

// Owner is the shard of a slot.
func (l *Layout) Owner(slot Slot) ID { return l.owner[slot] }

// SlotsOf is the set of slots that a shard owns.
func (l *Layout) SlotsOf(id ID) Set {
	var s Set
	for slot, owner := range l.owner {
		if owner == id {
			s.Add(Slot(slot))
		}
	}
	return s
}

// Shards are the sets of slots of all shards, by id from 1.
func (l *Layout) Shards() []Set {
	var sets []Set
	for slot, owner := range l.owner {
		for len(sets) < int(owner) {
			sets = append(sets, Set{})
		}
		if owner > 0 {
			sets[owner-1].Add(Slot(slot))
		}
	}
	return sets
}

// Count is the number of shards: the highest id that owns a slot.
func (l *Layout) Count() int {
	highest := ID(0)
	for _, owner := range l.owner {
		highest = max(highest, owner)
	}
	return int(highest)
}

// sizes is the number of slots of each shard, by id.
func (l *Layout) sizes() []int {
	sizes := make([]int, 1, 16)
	for _, owner := range l.owner {
		for len(sizes) <= int(owner) {
			sizes = append(sizes, 0)
		}
		sizes[owner]++
	}
	return sizes
}

// Resized spreads the slots over shards 1 to count, between 1 and MaxShards, so that their sizes
// differ by at most one and as few slots as possible change their shard. The same count levels an
// uneven layout and returns an equal one otherwise.
func (l *Layout) Resized(count int) *Layout {
	sizes := l.sizes()
	for len(sizes) <= count {
		sizes = append(sizes, 0)
	}
	wanted := append(Even(Slots, count, sizes), make([]int, len(sizes)-count-1)...) // none for the rest
	resized := *l
	receiver := ID(1)
	// From the highest slot down, and one receiver after the other, so that the sets stay contiguous.
	for slot := Slots - 1; slot >= 0; slot-- {
		owner := l.owner[slot]
		if sizes[owner] <= wanted[owner] {
			continue
		}
		for sizes[receiver] >= wanted[receiver] {
			receiver++
		}
		sizes[owner]--
		sizes[receiver]++
		resized.owner[slot] = receiver
	}
	return &resized
}

// Even divides total among shards 1 to count, by id: what does not divide evenly goes to those that
// have most now, so that nobody has to give more away than is necessary. now is by id too.
func Even(total, count int, now []int) []int {
	even := make([]int, count+1)
	for id := 1; id <= count; id++ {
		even[id] = total / count
	}
	for range total % count {
		most := 0
		for id := 1; id <= count; id++ {
			if even[id] == total/count && (most == 0 || now[id] > now[most]) {
				most = id
			}
		}
		even[most]++
	}
	return even
}

// Moves is the number of slots that two layouts give to different shards.
func Moves(from, to *Layout) int {
	n := 0
	for slot, owner := range from.owner {
		if to.owner[slot] != owner {
			n++
		}
	}
	return n
}

// AppendLayout appends the layout as runs of slots of one shard: the length of each and the shard.
// The layout gives every slot to a shard, and a slot to every shard.
func AppendLayout(buf []byte, l *Layout) []byte {
	for slot := 0; slot < Slots; {
		start, owner := slot, l.owner[slot]
		for slot < Slots && l.owner[slot] == owner {
			slot++
		}
		buf = codec.AppendUint(buf, uint64(slot-start))
		buf = codec.AppendUint(buf, uint64(owner))
	}
	return buf
}

// ReadLayout reads what AppendLayout wrote.
func ReadLayout(r *codec.Reader) *Layout {
	l := new(Layout)
	for slot, last := 0, ID(0); slot < Slots && r.Err() == nil; {
		run := int(r.UintMax(uint64(Slots - slot)))
		owner := ID(r.UintMax(MaxShards))
		if run == 0 || owner == last || owner == 0 {
			r.Fail()
		}
		for range run {
			l.owner[slot] = owner
			slot++
		}
		last = owner
	}
	for id, size := range l.sizes() {
		if size == 0 && id > 0 {
			r.Fail()
		}
	}
	return l
}
