package causal

import (
	"slices"
	"strconv"

	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/shard"
)

// Part is a set of slots that are covered alike: of every replica in Vector, each write up to that
// number that falls into one of the slots.
type Part struct {
	Slots  shard.Set // not empty
	Vector Vector
}

// Coverage says for every slot that is held what is covered there; a slot that is not held is in no
// part. Slots of one history share a part, so that a store whose slots do not move has one part, a
// store in the middle of a reshard a few. The parts are disjoint, no two vectors are equal, and they
// are sorted by their first slots: equal coverages are equal slices. The zero value holds nothing.
//
// As with Vector, methods that return a Coverage change their receiver.
type Coverage []Part

// At is the vector of a slot, nil if the slot is not held; not to be modified.
func (c Coverage) At(slot shard.Slot) Vector {
	for i := range c {
		if c[i].Slots.Has(slot) {
			return c[i].Vector
		}
	}
	return nil
}

// Slots is the set of slots that are held.
func (c Coverage) Slots() (all shard.Set) {
	for i := range c {
		all = all.Union(&c[i].Slots)
	}
	return all
}

// Least is what is covered at every one of the slots; nil if one of them is not held.
func (c Coverage) Least(slots *shard.Set) (least Vector) {
	left, first := *slots, true
	for i := range c {
		if !c[i].Slots.Intersects(slots) {
			continue
		}
		left = left.Minus(&c[i].Slots)
		if first {
			least, first = c[i].Vector.Clone(), false
			continue
		}
		least = least.meet(c[i].Vector)
	}
	if !left.IsEmpty() {
		return nil
	}
	return least
}

// meet changes v into the pointwise minimum of v and other and returns it.
func (v Vector) meet(other Vector) Vector {
	kept := v[:0]
	for _, dot := range v {
		if dot.Seq = min(dot.Seq, other.Get(dot.Replica)); dot.Seq > 0 {
			kept = append(kept, dot)
		}
	}
	return kept
}

// CoversAll tells whether c covers, at every slot that other holds, what other covers there.
func (c Coverage) CoversAll(other Coverage) bool {
	for i := range other {
		left := other[i].Slots
		for j := range c {
			if !c[j].Slots.Intersects(&left) {
				continue
			}
			if !c[j].Vector.CoversAll(other[i].Vector) {
				return false
			}
			left = left.Minus(&c[j].Slots)
		}
		if len(other[i].Vector) > 0 && !left.IsEmpty() {
			return false
		}
	}
	return true
}

// Hold adds the slots that are not held yet: nothing is covered there.
func (c Coverage) Hold(slots *shard.Set) Coverage {
	held := c.Slots()
	if fresh := slots.Minus(&held); !fresh.IsEmpty() {
		c = append(c, Part{Slots: fresh}).normal()
	}
	return c
}

// Drop removes the slots.
func (c Coverage) Drop(slots *shard.Set) Coverage {
	for i := range c {
		c[i].Slots = c[i].Slots.Minus(slots)
	}
	return c.normal()
}

// Raise covers the writes of dot's replica up to dot at those of the slots where the writes up to
// from are covered already: it knows no more than what lies between. It tells whether c changed.
func (c Coverage) Raise(slots *shard.Set, from uint64, dot Dot) (raised Coverage, changed bool) {
	if len(c) == 1 && slots.Contains(&c[0].Slots) { // almost always
		if before := c[0].Vector.Get(dot.Replica); before >= from && before < dot.Seq {
			c[0].Vector, changed = c[0].Vector.Raise(dot), true
		}
		return c, changed
	}
	for i := range c { // parts that are split off follow behind
		p := &c[i]
		if before := p.Vector.Get(dot.Replica); before < from || before >= dot.Seq || !p.Slots.Intersects(slots) {
			continue
		}
		if rest := p.Slots.Minus(slots); !rest.IsEmpty() {
			c = append(c, Part{Slots: rest, Vector: p.Vector.Clone()})
			p = &c[i]
			p.Slots = p.Slots.Intersect(slots)
		}
		p.Vector, changed = p.Vector.Raise(dot), true
	}
	if changed {
		c = c.normal()
	}
	return c, changed
}

// RaiseAll covers, at the slots that c holds, what other covers there.
func (c Coverage) RaiseAll(other Coverage) Coverage {
	for i := range other {
		for _, dot := range other[i].Vector {
			c, _ = c.Raise(&other[i].Slots, 0, dot)
		}
	}
	return c
}

// Within returns a copy of c that is cut to the slots.
func (c Coverage) Within(slots *shard.Set) Coverage {
	cut := c.Clone()
	for i := range cut {
		cut[i].Slots = cut[i].Slots.Intersect(slots)
	}
	return cut.normal()
}

// Forget removes the replicas that gone names.
func (c Coverage) Forget(gone func(ReplicaID) bool) Coverage {
	for i := range c {
		c[i].Vector = slices.DeleteFunc(c[i].Vector, func(dot Dot) bool { return gone(dot.Replica) })
	}
	return c.normal()
}

// normal restores what the type promises of its parts.
func (c Coverage) normal() Coverage {
	kept := c[:0]
next:
	for _, p := range c {
		if p.Slots.IsEmpty() {
			continue
		}
		for i := range kept {
			if slices.Equal(kept[i].Vector, p.Vector) {
				kept[i].Slots = kept[i].Slots.Union(&p.Slots)
				continue next
			}
		}
		kept = append(kept, p)
	}
	clear(c[len(kept):])
	slices.SortFunc(kept, func(a, b Part) int {
		first, _ := a.Slots.First()
		second, _ := b.Slots.First()
		return int(first) - int(second)
	})
	return kept
}

// Clone returns a copy that shares no memory with c.
func (c Coverage) Clone() Coverage {
	copied := slices.Clone(c)
	for i := range copied {
		copied[i].Vector = copied[i].Vector.Clone()
	}
	return copied
}

// CopyInto makes into, whose memory is reused, a copy of c.
func (c Coverage) CopyInto(into Coverage) Coverage {
	for len(into) < len(c) {
		into = append(into, Part{})
	}
	into = into[:len(c)]
	for i := range c {
		into[i].Slots = c[i].Slots
		into[i].Vector = append(into[i].Vector[:0], c[i].Vector...)
	}
	return into
}

// Equal tells whether c and other hold the same slots and cover the same.
func (c Coverage) Equal(other Coverage) bool {
	return slices.EqualFunc(c, other, func(a, b Part) bool { return a.Slots == b.Slots && slices.Equal(a.Vector, b.Vector) })
}

// String prints the vector of one part alone, several parts as "N slots: vector" separated by
// semicolons, and "-" for the zero value.
func (c Coverage) String() string {
	switch len(c) {
	case 0:
		return "-"
	case 1:
		return c[0].Vector.String()
	}
	text := make([]byte, 0, 64)
	for i := range c {
		if i > 0 {
			text = append(text, "; "...)
		}
		text = strconv.AppendInt(text, int64(c[i].Slots.Len()), 10)
		text = append(text, " slots: "...)
		text = append(text, c[i].Vector.String()...)
	}
	return string(text)
}

// AppendCoverage appends the canonical encoding of c.
func AppendCoverage(buf []byte, c Coverage) []byte {
	buf = codec.AppendUint(buf, uint64(len(c)))
	for i := range c {
		buf = shard.AppendSet(buf, &c[i].Slots)
		buf = AppendVector(buf, c[i].Vector)
	}
	return buf
}

// ReadCoverage reads what AppendCoverage wrote.
func ReadCoverage(r *codec.Reader) Coverage {
	n := r.Count(2)
	c := make(Coverage, 0, min(n, 16))
	var seen shard.Set
	for ; n > 0 && r.Err() == nil; n-- {
		p := Part{Slots: shard.ReadSet(r), Vector: ReadVector(r, nil)}
		if p.Slots.IsEmpty() || p.Slots.Intersects(&seen) {
			r.Fail()
		}
		seen = seen.Union(&p.Slots)
		c = append(c, p)
	}
	if r.Err() != nil {
		return nil
	}
	if ordered := c.Clone().normal(); !ordered.Equal(c) {
		r.Fail()
		return nil
	}
	return c
}
