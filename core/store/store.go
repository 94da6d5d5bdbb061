package store

import (
	"cmp"
	"slices"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
)

// Store is what one node holds. Have never runs ahead of the versions: for every write that Have
// covers at its key's slot, the store holds that write or a later one of the same key. Make one with
// New.
type Store struct {
	entries map[string]*entry
	live    [shard.Slots]uint32 // keys that exist, by slot
	total   uint64              // their sum
	have    causal.Coverage
	order   []arrival     // every current version where it arrived; slots of superseded ones are empty
	holes   int           // empty places in order
	next    uint64        // number of the next arrival; numbers start at 1
	covers  []coverage    // what arrives since when, oldest first; bounded
	evicted causal.Vector // what covers named before
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
// found at arrivals from number on. Each current version is named by one that is no younger, or by
// evicted, whether have covers it or not.
type coverage struct {
	dot    causal.Dot
	number uint64
}

// maxCovers bounds the memory of recent growth; a requester that is further behind gets a copy of
// everything beyond its vector, found by looking at every version.
const maxCovers = 1024

// New makes an empty store.
func New() *Store { return &Store{entries: make(map[string]*entry), next: 1} }

// Have is what is applied of the slots that are held; not to be modified.
func (s *Store) Have() causal.Coverage { return s.have }

// Hold begins to hold slots; of those that are new here nothing is covered.
func (s *Store) Hold(slots *shard.Set) { s.have = s.have.Hold(slots) }

// Forget stops to name replicas in Have: whoever holds a slot covers all that they ever wrote there.
func (s *Store) Forget(gone func(causal.ReplicaID) bool) { s.have = s.have.Forget(gone) }

// Drop gives slots up, and calls dropped for each key that goes with them.
func (s *Store) Drop(slots *shard.Set, dropped func(key string)) {
	s.have = s.have.Drop(slots)
	for i := range s.order {
		e := s.order[i].entry
		if e == nil || !slots.Has(shard.SlotOf(e.version.Key)) {
			continue
		}
		s.order[i].entry = nil
		s.holes++
		delete(s.entries, e.version.Key)
		if !e.version.Deleted {
			s.count(e.version.Key, -1)
		}
		dropped(e.version.Key)
	}
	s.compact()
}

// count notes that a key came into being (1) or ceased to exist (-1).
func (s *Store) count(key string, change int) {
	s.live[shard.SlotOf(key)] += uint32(change)
	s.total += uint64(change)
}

// Live is the number of keys that exist: tombstones do not count.
func (s *Store) Live() uint64 { return s.total }

// LiveIn is the number of keys that exist in some slots.
func (s *Store) LiveIn(slots *shard.Set) (n uint64) {
	for slot, live := range s.live {
		if live > 0 && slots.Has(shard.Slot(slot)) {
			n += uint64(live)
		}
	}
	return n
}

// Len is the number of keys held, tombstones included.
func (s *Store) Len() uint64 { return uint64(len(s.entries)) }

// Restored makes have what a log says it is, once every version on record has been offered.
func (s *Store) Restored(have causal.Coverage) {
	s.have = have
	for i := range s.order { // the order on record is not the one of growth, and have does not name everybody
		if e := s.order[i].entry; e != nil {
			s.evicted = s.evicted.Raise(e.version.Dot)
		}
	}
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

// Cover raises have to cover dot at those of the slots where it covers the writes up to from. The
// caller must offer, without anything in between, every version that the store has not got and that
// have covers now. It tells whether have changed.
func (s *Store) Cover(slots *shard.Set, from uint64, dot causal.Dot) (changed bool) {
	if s.have, changed = s.have.Raise(slots, from, dot); changed {
		s.note(dot)
	}
	return changed
}

// note remembers that versions up to dot, of its replica, arrive from now on.
func (s *Store) note(dot causal.Dot) {
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
			s.count(v.Key, 1)
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
		s.count(v.Key, -1)
	case !v.Deleted && e.version.Deleted:
		s.count(v.Key, 1)
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
	Overtook int // versions beyond the coverage of the copy: written while it was made
}

// Install takes a whole copy: versions that together hold everything that to covers and that have
// did not cover when the copy was asked for. gone names replicas that neither vector names any more; a
// full copy has their writes, of which nothing may be here yet, otherwise all of them are. What falls
// into slots that are not held any more is left out. It calls stored for each version that changed a
// key.
func (s *Store) Install(versions []Version, to causal.Coverage, gone func(causal.ReplicaID) bool, full bool, position uint64, stored func(*Version)) Installed {
	var n Installed
	before, held := s.have.Clone(), s.have.Slots()
	for i := range to {
		for _, dot := range to[i].Vector {
			s.Cover(&to[i].Slots, 0, dot)
		}
	}
	var beyond causal.Vector // what to does not cover: whoever copies from here has to find that, too
	for i := range versions {
		if v := &versions[i]; !to.At(shard.SlotOf(v.Key)).Covers(v.Dot) {
			beyond = beyond.Raise(v.Dot)
		}
	}
	for _, dot := range beyond {
		s.note(dot)
	}
	for i := range versions {
		v := &versions[i]
		slot, retired := shard.SlotOf(v.Key), gone(v.Dot.Replica)
		switch {
		case !held.Has(slot):
			continue
		case before.At(slot).Covers(v.Dot), retired && !full:
			n.Skipped++
			continue
		case !retired && !to.At(slot).Covers(v.Dot):
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

// Request is what a copy is asked for: Slots beyond Have, which covers all of them, and without the
// writes of the replicas that Gone names, if it is not nil.
type Request struct {
	Slots shard.Set
	Have  causal.Vector
	Gone  func(causal.ReplicaID) bool
}

// lacks tells whether the requester may lack a write.
func (r *Request) lacks(dot causal.Dot) bool {
	return !r.Have.Covers(dot) && (r.Gone == nil || !r.Gone(dot.Replica))
}

// Since is the cursor at which a copy for a requester begins: it lacks no version before that.
func (s *Store) Since(r *Request) uint64 {
	for _, dot := range s.evicted {
		if r.lacks(dot) {
			return 1
		}
	}
	for _, c := range s.covers {
		if r.lacks(c.dot) {
			return c.number
		}
	}
	return s.next
}

// Part is a piece of a copy: the versions at arrivals from cursor on that the requester lacks, of
// about size bytes, and the cursor of the next piece. last tells that nothing was left when the
// piece was made. A key that is overwritten while a copy goes on arrives anew beyond the cursor, so
// that the copy misses nothing.
func (s *Store) Part(cursor uint64, r *Request, size int) (versions []Version, next uint64, last bool) {
	start, _ := slices.BinarySearchFunc(s.order, cursor, func(a arrival, number uint64) int {
		return cmp.Compare(a.number, number)
	})
	for _, a := range s.order[start:] {
		if a.entry == nil || !r.lacks(a.entry.version.Dot) || !r.Slots.Has(shard.SlotOf(a.entry.version.Key)) {
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
