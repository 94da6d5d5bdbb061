package store

import (
	"slices"

	"github.com/sequitur-kv/sequitur/core/causal"
)

// Store is what one replica holds of its slots. Have never runs ahead of the versions: for every
// write that Have covers, the store holds that write or a later one of the same key. Make one with
// New.
type Store struct {
	entries map[string]*entry
	live    uint64
	have    causal.Vector
	order   []arrival  // every current version where it arrived; slots of superseded ones are empty
	holes   int        // empty slots in order
	next    uint64     // number of the next arrival; numbers start at 1
	covers  []coverage // when have grew, oldest first; bounded
	evicted causal.Vector
}

type entry struct {
	version  Version
	position uint64 // log position that made it durable
	index    int    // in order
}

type arrival struct {
	number uint64
	entry  *entry // nil: superseded
}

// coverage says that the writes of a dot's replica up to its number, beyond the coverage before, are
// found at arrivals from number on.
type coverage struct {
	dot    causal.Dot
	number uint64
}

// maxCovers bounds the memory of recent growth; a requester that is further behind gets a copy of
// everything beyond its vector, found by looking at every version.
const maxCovers = 1024

// New makes an empty store.
func New() *Store { return &Store{entries: make(map[string]*entry), next: 1} }

// Have is the vector of what is applied; not to be modified.
func (s *Store) Have() causal.Vector { return s.have }

// Live is the number of keys that exist: tombstones do not count.
func (s *Store) Live() uint64 { return s.live }

// Len is the number of keys held, tombstones included.
func (s *Store) Len() uint64 { return uint64(len(s.entries)) }

// Restored makes have what a log says it is, once every version on record has been offered.
func (s *Store) Restored(have causal.Vector) {
	s.have = have
	s.evicted = have.Clone() // the order of arrival on record is not the one of growth
}

// Lookup returns the current version of a key, perhaps a tombstone, and the log position that made
// it durable; nil if there is none. The version is valid until the key changes.
func (s *Store) Lookup(key string) (*Version, uint64) {
	if e := s.entries[key]; e != nil {
		return &e.version, e.position
	}
	return nil, 0
}

// Result says what became of an offered version.
type Result uint8

// The results of offering a version.
const (
	Stored  Result = iota // it is the current one now
	Present               // it was the current one already
	Loser                 // a later write of the key is kept
)

// Apply takes the next write of a replica: the version joins the store and have covers its dot.
func (s *Store) Apply(v *Version, position uint64) Result {
	s.Cover(v.Dot)
	return s.Offer(v, position)
}

// Cover raises have to cover dot. The caller must offer, without anything in between, every version
// that the store has not got and that have covers now.
func (s *Store) Cover(dot causal.Dot) {
	if s.have.Covers(dot) {
		return
	}
	s.have = s.have.Raise(dot)
	if len(s.covers) == maxCovers {
		for _, old := range s.covers[:maxCovers/2] {
			s.evicted = s.evicted.Raise(old.dot)
		}
		s.covers = slices.Delete(s.covers, 0, maxCovers/2)
	}
	s.covers = append(s.covers, coverage{dot: dot, number: s.next})
}

// Offer lets a version compete for its key. Whoever wins arrives anew, even a version that was
// there before: have may have come to cover it, or one that it beats, just now, and a copy for
// somebody who lacks that begins no earlier.
func (s *Store) Offer(v *Version, position uint64) Result {
	e := s.entries[v.Key]
	if e == nil {
		e = &entry{version: *v, position: position, index: -1}
		s.entries[v.Key] = e
		if !v.Deleted {
			s.live++
		}
		s.arrive(e)
		return Stored
	}
	s.arrive(e)
	order := v.Compare(&e.version)
	switch {
	case order < 0:
		return Loser
	case order == 0:
		return Present
	case v.Deleted && !e.version.Deleted:
		s.live--
	case !v.Deleted && e.version.Deleted:
		s.live++
	}
	e.version, e.position = *v, position
	return Stored
}

func (s *Store) arrive(e *entry) {
	if e.index >= 0 {
		s.order[e.index].entry = nil
		s.holes++
	}
	e.index = len(s.order)
	s.order = append(s.order, arrival{number: s.next, entry: e})
	s.next++
	if s.holes > 64 && s.holes > len(s.order)/2 {
		s.compact()
	}
}

func (s *Store) compact() {
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

// Installed counts what an installation found.
type Installed struct {
	Skipped  int // versions that have covered by then: they are here, or were superseded here
	Overtook int // versions beyond the vector of the copy: written while it was made
}

// Install takes a whole copy: versions that together hold everything that to covers and that have
// did not cover when the copy was asked for. It calls stored for each version that changed a key.
func (s *Store) Install(versions []Version, to causal.Vector, position uint64, stored func(*Version)) Installed {
	var n Installed
	before := s.have.Clone()
	for _, dot := range to {
		s.Cover(dot)
	}
	for i := range versions {
		v := &versions[i]
		if before.Covers(v.Dot) {
			n.Skipped++
			continue
		}
		if !to.Covers(v.Dot) {
			n.Overtook++
		}
		if s.Offer(v, position) == Stored {
			stored(v)
		}
	}
	return n
}

// Versions calls yield for every current version, in the order of arrival, until it returns false.
func (s *Store) Versions(yield func(*Version) bool) {
	for _, a := range s.order {
		if a.entry != nil && !yield(&a.entry.version) {
			return
		}
	}
}

// Since is the cursor at which a copy for a requester that covers from begins: no version before it
// is both covered by Have and missing there.
func (s *Store) Since(from causal.Vector) uint64 {
	if !from.CoversAll(s.evicted) {
		return 1
	}
	for _, c := range s.covers {
		if !from.Covers(c.dot) {
			return c.number
		}
	}
	return s.next
}

// Part is a piece of a copy: the versions at arrivals from cursor on that from does not cover, of
// about size bytes, and the cursor of the next piece. last tells that nothing was left when the
// piece was made. A key that is overwritten while a copy goes on arrives anew beyond the cursor, so
// that the copy misses nothing.
func (s *Store) Part(cursor uint64, from causal.Vector, size int) (versions []Version, next uint64, last bool) {
	start, _ := slices.BinarySearchFunc(s.order, cursor, func(a arrival, number uint64) int {
		switch {
		case a.number < number:
			return -1
		case a.number > number:
			return 1
		default:
			return 0
		}
	})
	for _, a := range s.order[start:] {
		if a.entry == nil || from.Covers(a.entry.version.Dot) {
			continue
		}
		if size <= 0 {
			return versions, a.number, false
		}
		v := &a.entry.version
		versions = append(versions, *v)
		size -= len(v.Key) + len(v.Value) + len(v.Context) + 32
	}
	return versions, s.next, true
}
