// Package shard maps keys to slots and slots to shards.
package shard

import (
	"math/bits"
	"strconv"

	"github.com/cespare/xxhash/v2"

	"github.com/sequitur-kv/sequitur/core/codec"
)

// Slots is the fixed number of slots that keys are spread over.
const Slots = 1024

// MaxShards bounds the number of shards: each has at least one slot.
const MaxShards = Slots

// Slot is a number in [0, Slots).
type Slot uint16

// ID names a shard, counted from 1. Zero is none.
type ID uint32

// String prints the id as clients see it; zero prints as "none".
func (id ID) String() string {
	if id == 0 {
		return "none"
	}
	return strconv.FormatUint(uint64(id), 10)
}

// ParseID reads what String prints; ok is false for anything else.
func ParseID(text string) (id ID, ok bool) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != text {
		return 0, false
	}
	return ID(n), true
}

// SlotOf hashes a key (XXH64, its highest bits).
func SlotOf(key string) Slot { return Slot(xxhash.Sum64String(key) >> (64 - 10)) }

// Set is a set of slots. The zero value is empty; sets compare with ==.
type Set struct{ words [Slots / 64]uint64 }

// Add puts slot into the set.
func (s *Set) Add(slot Slot) { s.words[slot/64] |= 1 << (slot % 64) }

// Has tells whether slot is in the set.
func (s *Set) Has(slot Slot) bool { return s.words[slot/64]&(1<<(slot%64)) != 0 }

// Contains tells whether every slot of other is in the set.
func (s *Set) Contains(other *Set) bool {
	for i, word := range other.words {
		if word&^s.words[i] != 0 {
			return false
		}
	}
	return true
}

// Len is the number of slots in the set.
func (s *Set) Len() int {
	n := 0
	for _, word := range s.words {
		n += bits.OnesCount64(word)
	}
	return n
}

// runEnd is the first slot from start on that is in the set if present is false, or not in it if
// present is true; Slots if there is none.
func (s *Set) runEnd(start int, present bool) int {
	for start < Slots {
		word := s.words[start/64]
		if present {
			word = ^word
		}
		if word >>= start % 64; word != 0 {
			return start + bits.TrailingZeros64(word)
		}
		start += 64 - start%64
	}
	return Slots
}

// addRun puts the slots from start to end, exclusively, into the set.
func (s *Set) addRun(start, end int) {
	for start < end {
		next := min(end, start+64-start%64)
		s.words[start/64] |= (1<<(next-start) - 1) << (start % 64)
		start = next
	}
}

// AppendSet appends the set as the lengths of its alternating runs, absent slots first: a few bytes
// for the contiguous sets of a fresh store.
func AppendSet(buf []byte, s *Set) []byte {
	for slot, present := 0, false; slot < Slots; present = !present {
		end := s.runEnd(slot, present)
		buf = codec.AppendUint(buf, uint64(end-slot))
		slot = end
	}
	return buf
}

// ReadSet reads what AppendSet wrote.
func ReadSet(r *codec.Reader) Set {
	var s Set
	for slot, present := 0, false; slot < Slots && r.Err() == nil; present = !present {
		run := int(r.UintMax(uint64(Slots - slot)))
		if run == 0 && (present || slot > 0) { // only the first run may be empty
			r.Fail()
		}
		if present {
			s.addRun(slot, slot+run)
		}
		slot += run
	}
	return s
}

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
