package store

import (
	"cmp"
	"slices"
)

// shelf holds the versions of one slot. The zero value is empty.
type shelf struct {
	entries map[string]*entry
	live    int       // keys that exist
	order   []arrival // every current version where it arrived; places of superseded ones are empty
	holes   int       // empty places in order
	floor   uint64    // log position before which nothing here is durable
}

type entry struct {
	version  Version
	position uint64 // log position that made it durable; 0: the floor
	index    int    // in order
}

type arrival struct {
	number uint64
	entry  *entry // nil: superseded
}

func (s *shelf) durableAt(e *entry) uint64 { return max(e.position, s.floor) }

// offer lets a version compete for its key, and arrive under a number.
func (s *shelf) offer(v *Version, position, number uint64) Result {
	e := s.entries[v.Key]
	if e == nil {
		if s.entries == nil {
			s.entries = make(map[string]*entry)
		}
		e = &entry{version: *v, position: position, index: -1}
		s.entries[v.Key] = e
		s.live += liveOf(v)
		s.arrive(e, number)
		return Stored
	}
	s.arrive(e, number)
	order := v.Compare(&e.version)
	switch {
	case order < 0:
		return Loser
	case order == 0:
		return Present
	}
	s.live += liveOf(v) - liveOf(&e.version)
	e.version, e.position = *v, position
	return Stored
}

// expect makes room in an empty shelf.
func (s *shelf) expect(keys int) {
	s.entries = make(map[string]*entry, keys)
	s.order = make([]arrival, 0, keys+keys/8)
}

// liveOf is 1 for a value, 0 for a tombstone.
func liveOf(v *Version) int {
	if v.Deleted {
		return 0
	}
	return 1
}

func (s *shelf) arrive(e *entry, number uint64) {
	if e.index >= 0 {
		s.order[e.index].entry = nil
		s.holes++
	}
	e.index = len(s.order)
	s.order = append(s.order, arrival{number: number, entry: e})
	if s.holes > 16 && s.holes > len(s.order)/2 {
		s.compact()
	}
}

func (s *shelf) compact() {
	kept := s.order[:0]
	for _, a := range s.order {
		if a.entry != nil {
			a.entry.index = len(kept)
			kept = append(kept, a)
		}
	}
	clear(s.order[len(kept):])
	s.order, s.holes = kept, 0
}

// since are the arrivals from a number on.
func (s *shelf) since(number uint64) []arrival {
	start, _ := slices.BinarySearchFunc(s.order, number, func(a arrival, number uint64) int {
		return cmp.Compare(a.number, number)
	})
	return s.order[start:]
}

// versions calls yield for every current version, in the order of arrival, until it returns false; it
// tells whether it never did.
func (s *shelf) versions(yield func(*Version) bool) bool {
	for _, a := range s.order {
		if a.entry != nil && !yield(&a.entry.version) {
			return false
		}
	}
	return true
}

// unrecorded calls yield for every version that is not durable before the floor.
func (s *shelf) unrecorded(yield func(*Version)) {
	for _, a := range s.order {
		if a.entry != nil && a.entry.position == 0 {
			yield(&a.entry.version)
		}
	}
}
