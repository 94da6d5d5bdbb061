package shard

import (
	"math/bits"

	"github.com/sequitur-kv/sequitur/core/codec"
)

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

// All is the set of every slot.
func All() Set {
	var s Set
	for i := range s.words {
		s.words[i] = ^uint64(0)
	}
	return s
}

// IsEmpty tells whether the set has no slot.
func (s *Set) IsEmpty() bool { return *s == Set{} }

// Intersects tells whether the sets have a slot in common.
func (s *Set) Intersects(other *Set) bool {
	for i, word := range other.words {
		if word&s.words[i] != 0 {
			return true
		}
	}
	return false
}

// Union is the set of the slots of either set.
func (s *Set) Union(other *Set) Set {
	union := *s
	for i, word := range other.words {
		union.words[i] |= word
	}
	return union
}

// Intersect is the set of the slots of both sets.
func (s *Set) Intersect(other *Set) Set {
	common := *s
	for i, word := range other.words {
		common.words[i] &= word
	}
	return common
}

// Minus is the set without the slots of other.
func (s *Set) Minus(other *Set) Set {
	rest := *s
	for i, word := range other.words {
		rest.words[i] &^= word
	}
	return rest
}

// First is the lowest slot of the set; ok is false if it has none.
func (s *Set) First() (slot Slot, ok bool) {
	first := s.runEnd(0, false)
	return Slot(first % Slots), first < Slots
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
