package store

import (
	"slices"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
)

// Store is what one node holds. Have never runs ahead of the versions: for every write that Have
// covers at its key's slot, the store holds that write or a later one of the same key. Make one with
// New.
type Store struct {
	shelves [shard.Slots]shelf // slots come and go whole, whatever is in them
	keys    int                // in all shelves
	live    int                // of them, those that exist
	have    causal.Coverage
	next    uint64     // number of the next arrival; numbers start at 1
	covers  []coverage // what arrives since when, oldest first; bounded

	expected int // keys in a slot, while the store is restored; 0: unknown
}

// coverage says that the writes of a dot's replica up to its number, beyond the coverage before, are
// found at arrivals from number on. Each current version of a replica that Have may name is named by
// one that is no younger, whether Have covers it or not.
type coverage struct {
	dot    causal.Dot
	number uint64
}

// maxCovers bounds the memory of growth: what is long past is remembered less exactly, so that a copy
// for a requester that is far behind looks at more versions than it brings.
const maxCovers = 1024

// New makes an empty store.
func New() *Store { return &Store{next: 1} }

// Have is what is applied of the slots that are held; not to be modified.
func (s *Store) Have() causal.Coverage { return s.have }

// Hold begins to hold slots; of those that are new here nothing is covered.
func (s *Store) Hold(slots *shard.Set) { s.have = s.have.Hold(slots) }

// Forget stops to name replicas in Have: whoever holds a slot covers all that they ever wrote there.
func (s *Store) Forget(gone func(causal.ReplicaID) bool) {
	s.have = s.have.Forget(gone)
	s.covers = slices.DeleteFunc(s.covers, func(c coverage) bool { return gone(c.dot.Replica) })
}

// Drop gives slots up. It calls dropped, if that is not nil, for each key that goes with them; otherwise it
// takes no longer for many keys than for none.
func (s *Store) Drop(slots *shard.Set, dropped func(key string)) {
	s.have = s.have.Drop(slots)
	for slot := range s.shelves {
		if !slots.Has(shard.Slot(slot)) {
			continue
		}
		if dropped != nil {
			s.shelves[slot].versions(func(v *Version) bool {
				dropped(v.Key)
				return true
			})
		}
		s.put(shard.Slot(slot), shelf{})
	}
}

// put replaces a shelf.
func (s *Store) put(slot shard.Slot, with shelf) {
	old := &s.shelves[slot]
	s.keys += len(with.entries) - len(old.entries)
	s.live += with.live - old.live
	*old = with
}

// Live is the number of keys that exist: tombstones do not count.
func (s *Store) Live() uint64 { return uint64(s.live) }

// LiveIn is the number of keys that exist in some slots.
func (s *Store) LiveIn(slots *shard.Set) (n uint64) {
	for slot := range s.shelves {
		if slots.Has(shard.Slot(slot)) {
			n += uint64(s.shelves[slot].live)
		}
	}
	return n
}

// Len is the number of keys held, tombstones included.
func (s *Store) Len() uint64 { return uint64(s.keys) }

// Expect says how many keys are about to be restored in each slot, about: room is made for them at once.
func (s *Store) Expect(keys int) { s.expected = keys }

// Restored makes have what a log says it is, once every version on record has been offered. The order on
// record is not the one of growth, and have does not name everybody.
func (s *Store) Restored(have causal.Coverage) {
	s.have, s.expected = have, 0
	var newest causal.Vector
	s.Versions(func(v *Version) bool {
		newest = newest.Raise(v.Dot)
		return true
	})
	for _, dot := range newest {
		s.covers = append(s.covers, coverage{dot: dot, number: 1})
	}
}

// Lookup returns the current version of a key, perhaps a tombstone, and the log position that made
// it durable; nil if there is none. The version is valid until the key changes.
func (s *Store) Lookup(key string) (*Version, uint64) {
	shelf := &s.shelves[shard.SlotOf(key)]
	if e := shelf.entries[key]; e != nil {
		return &e.version, shelf.durableAt(e)
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
	if len(s.covers) >= maxCovers {
		s.thin()
	}
	s.covers = append(s.covers, coverage{dot: dot, number: s.next})
}

// thin joins what the older half remembers, two of a replica to one.
func (s *Store) thin() {
	old := s.covers[:len(s.covers)/2]
	kept := old[:0]
	single := make(map[causal.ReplicaID]int) // places in kept
	for _, c := range old {
		if i, ok := single[c.dot.Replica]; ok {
			kept[i].dot.Seq = max(kept[i].dot.Seq, c.dot.Seq)
			delete(single, c.dot.Replica)
			continue
		}
		single[c.dot.Replica] = len(kept)
		kept = append(kept, c)
	}
	s.covers = slices.Delete(s.covers, len(kept), len(old))
}

// Offer lets a version compete for its key. Whoever wins arrives anew, even a version that was
// there before: have may have come to cover it, or one that it beats, just now, and a copy for
// somebody who lacks that begins no earlier.
func (s *Store) Offer(v *Version, position uint64) Result {
	shelf := &s.shelves[shard.SlotOf(v.Key)]
	if shelf.entries == nil && s.expected > 0 {
		shelf.expect(s.expected)
	}
	keys, live := len(shelf.entries), shelf.live
	result := shelf.offer(v, position, s.next)
	s.next++
	s.keys += len(shelf.entries) - keys
	s.live += shelf.live - live
	return result
}

// Installed tells what an installation found.
type Installed struct {
	Skipped bool // versions that are here, or were superseded here
}

// Install takes a whole copy: versions that together hold everything that it covers and that have did not cover
// when the copy was asked for. gone names replicas that neither vector names any more; a full copy
// has their writes, of which nothing may be here yet, otherwise all of them are. What falls into slots
// that are not held any more is left out. It calls stored, if that is not nil, for each version that may have
// changed a key; otherwise slots of which little is here cost next to nothing. The copy must not be used again.
func (s *Store) Install(c *Copy, gone func(causal.ReplicaID) bool, full bool, position uint64, stored func(*Version)) (n Installed) {
	before, held := s.have.Clone(), s.have.Slots()
	for i := range c.to {
		for _, dot := range c.to[i].Vector {
			if !gone(dot.Replica) {
				s.Cover(&c.to[i].Slots, 0, dot)
			}
		}
	}
	for _, dot := range c.beyond {
		if !gone(dot.Replica) {
			s.note(dot) // whoever copies from here has to find that, too
		}
	}
	for i, theirs := range c.shelves {
		slot := shard.Slot(i)
		switch mine := &s.shelves[i]; {
		case theirs == nil || !held.Has(slot):
		case full && len(theirs.entries) > len(mine.entries):
			n.Skipped = s.exchange(slot, theirs, position, stored) || n.Skipped
		default:
			have := before.At(slot)
			theirs.versions(func(v *Version) bool {
				switch {
				case have.Covers(v.Dot) || gone(v.Dot.Replica) && !full || s.Offer(v, position) != Stored:
					n.Skipped = true
				case stored != nil:
					stored(v)
				}
				return true
			})
		}
	}
	return n
}

// exchange puts what a copy brought for a slot in the place of the little that is here, which competes
// there. It tells whether some of that wins.
func (s *Store) exchange(slot shard.Slot, theirs *shelf, position uint64, stored func(*Version)) (skipped bool) {
	mine := &s.shelves[slot]
	for _, a := range mine.order {
		if a.entry != nil {
			_, both := theirs.entries[a.entry.version.Key]
			result := theirs.offer(&a.entry.version, mine.durableAt(a.entry), 0)
			skipped = skipped || both && result != Loser
		}
	}
	for i := range theirs.order { // all of it arrives now
		theirs.order[i].number = s.next
		s.next++
	}
	theirs.floor = position
	s.put(slot, *theirs)
	if stored != nil {
		s.shelves[slot].unrecorded(stored)
	}
	return skipped
}

// Versions calls yield for every current version until it returns false: by slot, in each in the order of
// arrival.
func (s *Store) Versions(yield func(*Version) bool) {
	for slot := range s.shelves {
		if !s.shelves[slot].versions(yield) {
			return
		}
	}
}

// Request is what a copy is asked for: Slots beyond Have, which covers all of them, and without the
// writes of the replicas that Gone names; nil if it is to bring those, too.
type Request struct {
	Slots shard.Set
	Have  causal.Vector
	Gone  func(causal.ReplicaID) bool
}

// lacks tells whether the requester may lack a write.
func (r *Request) lacks(dot causal.Dot) bool {
	return !r.Have.Covers(dot) && (r.Gone == nil || !r.Gone(dot.Replica))
}

// since is the number of an arrival before which the requester lacks nothing.
func (s *Store) since(r *Request) uint64 {
	if r.Gone == nil {
		return 1
	}
	for _, c := range s.covers {
		if r.lacks(c.dot) {
			return c.number
		}
	}
	return s.next
}

// lookCost is what looking at a version counts as, in bytes: a part that brings little ends as well.
const lookCost = 16

// Part is a piece of a copy: the versions from cursor on that the requester lacks, of about size bytes, and
// the cursor of the next piece. A copy begins at cursor 0. last tells that nothing was left when the
// piece was made. A copy goes from slot to slot. A key that is overwritten while it goes on either was copied
// before, or arrives anew where the copy will come to, so that the copy misses nothing.
func (s *Store) Part(cursor uint64, r *Request, size int) (versions []Version, next uint64, last bool) {
	slot, number := placeOf(cursor)
	since := s.since(r)
	for ; int(slot) < shard.Slots; slot, number = slot+1, 0 {
		if !r.Slots.Has(slot) {
			continue
		}
		for _, a := range s.shelves[slot].since(max(number, since)) {
			if a.entry == nil {
				continue
			}
			if size <= 0 {
				return versions, cursorOf(slot, a.number), false
			}
			if size -= lookCost; !r.lacks(a.entry.version.Dot) {
				continue
			}
			v := &a.entry.version
			versions = append(versions, *v)
			size -= len(v.Key) + len(v.Value) + len(v.Context) + 16
		}
	}
	return versions, cursor, true
}

// A cursor is a slot and the number of an arrival, which starts at 1.
const cursorBits = 48

func cursorOf(slot shard.Slot, number uint64) uint64 { return uint64(slot)<<cursorBits | number }

// placeOf understands every number: cursors come over the wire.
func placeOf(cursor uint64) (shard.Slot, uint64) {
	return shard.Slot(min(cursor>>cursorBits, shard.Slots)), cursor & (1<<cursorBits - 1)
}
