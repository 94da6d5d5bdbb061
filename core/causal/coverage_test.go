package causal_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/shard"
)

// slotwise is what a coverage stands for: one vector per slot that is held, and nothing shared.
type slotwise map[shard.Slot]map[causal.ReplicaID]uint64

// probes are the slots that the sets of these tests are made of, ascending.
func probes() []shard.Slot { return []shard.Slot{0, 1, 63, 64, 500, 1022, 1023} }

func setOf(slots ...shard.Slot) (s shard.Set) {
	for _, slot := range slots {
		s.Add(slot)
	}
	return s
}

func drawSlots(t *rapid.T, name string) (s shard.Set) {
	mask := rapid.Uint8Range(0, 127).Draw(t, name)
	for i, slot := range probes() {
		if mask>>i&1 != 0 {
			s.Add(slot)
		}
	}
	return s
}

// vector is the vector of one slot, nil if nothing is covered there.
func (m slotwise) vector(slot shard.Slot) (v causal.Vector) {
	for replica := range causal.ReplicaID(4) {
		if seq := m[slot][replica]; seq > 0 {
			v = append(v, causal.Dot{Replica: replica, Seq: seq})
		}
	}
	return v
}

// coverage is the one coverage that stands for m.
func (m slotwise) coverage() (c causal.Coverage) {
next:
	for _, slot := range probes() {
		if m[slot] == nil {
			continue
		}
		for i := range c {
			if slices.Equal(c[i].Vector, m.vector(slot)) {
				c[i].Slots.Add(slot)
				continue next
			}
		}
		c = append(c, causal.Part{Slots: setOf(slot), Vector: m.vector(slot)})
	}
	return c
}

// text prints everything that a coverage holds.
func text(c causal.Coverage) string { return fmt.Sprintf("%+v", []causal.Part(c)) }

// matches fails the test unless c is the one coverage that stands for m.
func (m slotwise) matches(t *rapid.T, c causal.Coverage) {
	want := m.coverage()
	if text(c) != text(want) {
		t.Fatalf("%v instead of %v", text(c), text(want))
	}
	held := c.Slots()
	for _, slot := range append(probes(), 2, 511) {
		if held.Has(slot) != (m[slot] != nil) || !slices.Equal(c.At(slot), m.vector(slot)) || !held.Has(slot) && c.At(slot) != nil {
			t.Fatalf("slot %d: held %t, %v instead of %v", slot, held.Has(slot), c.At(slot), m.vector(slot))
		}
	}
	if held.Len() != len(m) {
		t.Fatalf("%d slots instead of %d", held.Len(), len(m))
	}
}

// change does one thing to c and m alike.
func (m slotwise) change(t *rapid.T, c causal.Coverage) causal.Coverage {
	slots := drawSlots(t, "slots")
	each := func(do func(covered map[causal.ReplicaID]uint64, slot shard.Slot)) {
		for _, slot := range probes() {
			if slots.Has(slot) {
				do(m[slot], slot)
			}
		}
	}
	switch rapid.IntRange(0, 9).Draw(t, "change") {
	case 0, 1:
		each(func(covered map[causal.ReplicaID]uint64, slot shard.Slot) {
			if covered == nil {
				m[slot] = map[causal.ReplicaID]uint64{}
			}
		})
		return c.Hold(&slots)
	case 2:
		each(func(_ map[causal.ReplicaID]uint64, slot shard.Slot) { delete(m, slot) })
		return c.Drop(&slots)
	case 3:
		names := rapid.Uint8Range(0, 15).Draw(t, "gone")
		for _, slot := range probes() {
			for replica := range causal.ReplicaID(4) {
				if names>>replica&1 != 0 {
					delete(m[slot], replica)
				}
			}
		}
		return c.Forget(func(replica causal.ReplicaID) bool { return names>>replica&1 != 0 })
	case 4:
		other, model := drawCoverage(t)
		for slot, covered := range m {
			for replica, seq := range model[slot] {
				covered[replica] = max(covered[replica], seq)
			}
		}
		kept := text(other)
		if c = c.RaiseAll(other); text(other) != kept {
			t.Fatalf("the other coverage became %v", text(other))
		}
		return c
	default:
		if rapid.Bool().Draw(t, "everywhere") {
			slots = shard.All()
		}
		from := rapid.Uint64Range(0, 4).Draw(t, "from")
		dot := causal.Dot{Replica: causal.ReplicaID(rapid.Uint32Range(1, 3).Draw(t, "replica")), Seq: rapid.Uint64Range(0, 5).Draw(t, "seq")}
		grew := false
		each(func(covered map[causal.ReplicaID]uint64, _ shard.Slot) {
			if before := covered[dot.Replica]; covered != nil && before >= from && before < dot.Seq {
				covered[dot.Replica], grew = dot.Seq, true
			}
		})
		c, changed := c.Raise(&slots, from, dot)
		if changed != grew {
			t.Fatalf("raised by %v from %d: changed %t, want %t", dot, from, changed, grew)
		}
		return c
	}
}

// drawCoverage makes a coverage and its model.
func drawCoverage(t *rapid.T) (c causal.Coverage, m slotwise) {
	m = slotwise{}
	for _, slot := range probes() {
		if rapid.Bool().Draw(t, "held") {
			m[slot] = map[causal.ReplicaID]uint64{}
			for replica := causal.ReplicaID(1); replica < 4; replica++ {
				if seq := rapid.Uint64Range(0, 2).Draw(t, "covered"); seq > 0 {
					m[slot][replica] = seq
				}
			}
		}
	}
	return m.coverage(), m
}

// A coverage behaves like a map from slot to vector, in the one form that its type promises, and its
// copies do not share its memory.
func TestCoverageIsAMapOfVectors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c, clone, copied causal.Coverage
		m := slotwise{}
		kept := text(clone)
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			c = m.change(t, c)
			m.matches(t, c)
			if text(clone) != kept || text(copied) != kept {
				t.Fatalf("the copies %v and %v of %v change with it", text(clone), text(copied), kept)
			}
			if rapid.IntRange(0, 3).Draw(t, "copy") == 0 {
				clone, copied, kept = c.Clone(), c.CopyInto(copied), text(c)
				if text(clone) != kept || text(copied) != kept {
					t.Fatalf("%v and %v are no copies of %v", text(clone), text(copied), kept)
				}
			}
			if rapid.IntRange(0, 3).Draw(t, "spoil") == 0 { // nor may a change of the copies change c
				spoil(clone)
				spoil(copied)
				m.matches(t, c)
				clone, copied, kept = nil, copied[:0], text(nil)
			}
		}
	})
}

// spoil overwrites whatever memory c has.
func spoil(c causal.Coverage) {
	for i := range c {
		for j := range c[i].Vector {
			c[i].Vector[j] = causal.Dot{Replica: 99, Seq: 99}
		}
		c[i].Slots = shard.All()
	}
}

func TestCoverageComparisons(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, model := drawCoverage(t)
		b, other := drawCoverage(t)
		if rapid.Bool().Draw(t, "above") { // else one hardly ever covers the other
			b = b.RaiseAll(a)
			for slot := range other {
				for replica, seq := range model[slot] {
					other[slot][replica] = max(other[slot][replica], seq)
				}
			}
			other.matches(t, b)
		}
		covers := true
		for slot := range model {
			covers = covers && other.vector(slot).CoversAll(model.vector(slot))
		}
		if b.CoversAll(a) != covers {
			t.Fatalf("%v covers %v: %t", text(b), text(a), !covers)
		}
		if a.Equal(b) != (text(a) == text(b)) || !a.Equal(a.Clone()) {
			t.Fatalf("%v equals %v: %t", text(a), text(b), a.Equal(b))
		}
		slots := drawSlots(t, "slots")
		least, first, kept := map[causal.ReplicaID]uint64{}, true, text(a)
		for _, slot := range probes() {
			if !slots.Has(slot) {
				continue
			}
			for replica := range causal.ReplicaID(4) {
				if seq := model[slot][replica]; first || seq < least[replica] {
					least[replica] = seq
				}
			}
			first = false
		}
		got := a.Least(&slots)
		if want := (slotwise{0: least}).vector(0); !slices.Equal(got, want) {
			t.Fatalf("the least of %v is %v, want %v", text(a), got, want)
		}
		for i := range got {
			got[i] = causal.Dot{}
		}
		if text(a) != kept {
			t.Fatal("the least vector shares memory with the coverage")
		}
		within := a.Within(&slots)
		for _, slot := range probes() {
			if !slots.Has(slot) {
				delete(model, slot)
			}
		}
		model.matches(t, within)
		if spoil(within); text(a) != kept {
			t.Fatal("what is cut out shares memory with the coverage")
		}
	})
}

// What holds a slot and covers nothing there asks nothing of another coverage.
func TestHeldIsNotCovered(t *testing.T) {
	held := causal.Coverage{{Slots: setOf(3)}, {Slots: setOf(4), Vector: causal.Vector{{Replica: 1, Seq: 2}}}}
	if !held[1:].CoversAll(held) || held[:1].CoversAll(held) {
		t.Errorf("%t, %t", held[1:].CoversAll(held), held[:1].CoversAll(held))
	}
}

// The encoding is canonical: equal coverages, however they came about, are equal bytes, and are
// read back as they were.
func TestCoverageRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, _ := drawCoverage(t)
		buf := causal.AppendCoverage(nil, c)
		r := codec.NewReader(append(buf, 7))
		got := causal.ReadCoverage(&r)
		if r.Err() != nil || r.Remaining() != 1 || text(got) != text(c) {
			t.Fatalf("%v is read as %v, %d left: %v", text(c), text(got), r.Remaining(), r.Err())
		}
		r = codec.NewReader(buf[:rapid.IntRange(0, len(buf)-1).Draw(t, "cut")])
		if got := causal.ReadCoverage(&r); r.Close() == nil || got != nil {
			t.Fatalf("a piece of %x is read as %v", buf, text(got))
		}
		// The same parts in another order are refused.
		if turned := slices.Clone(c); len(turned) > 1 {
			turned = append(turned[1:], turned[0])
			r = codec.NewReader(causal.AppendCoverage(nil, turned))
			if got := causal.ReadCoverage(&r); r.Close() == nil || got != nil {
				t.Fatalf("%v is accepted as %v", text(turned), text(got))
			}
		}
	})
}

func TestCoveragesOfAnotherFormAreRefused(t *testing.T) {
	one, two := causal.Vector{{Replica: 1, Seq: 1}}, causal.Vector{{Replica: 1, Seq: 2}}
	for name, c := range map[string]causal.Coverage{
		"no slots":            {{Vector: one}},
		"no slots among some": {{Slots: setOf(1), Vector: one}, {Vector: two}},
		"overlap":             {{Slots: setOf(1, 5), Vector: one}, {Slots: setOf(5, 6), Vector: two}},
		"equal vectors":       {{Slots: setOf(1), Vector: one}, {Slots: setOf(2), Vector: one}},
		"both empty":          {{Slots: setOf(1)}, {Slots: setOf(2)}},
		"order":               {{Slots: setOf(2), Vector: one}, {Slots: setOf(1), Vector: two}},
		"a zero count":        {{Slots: setOf(1), Vector: causal.Vector{{Replica: 1}}}},
		"no replica":          {{Slots: setOf(1), Vector: causal.Vector{{Seq: 1}}}},
	} {
		r := codec.NewReader(causal.AppendCoverage(nil, c))
		if got := causal.ReadCoverage(&r); r.Err() == nil || got != nil {
			t.Errorf("%s: read as %v", name, text(got))
		}
	}
	r := codec.NewReader([]byte{200, 0x80, 8, 0}) // more parts than there are bytes
	if got := causal.ReadCoverage(&r); r.Err() == nil || got != nil {
		t.Errorf("a long count is read as %v", text(got))
	}
}

// FuzzCoverage: whatever is accepted keeps the promise of the type and has no other encoding.
func FuzzCoverage(f *testing.F) {
	all := shard.All()
	f.Add(causal.AppendCoverage(nil, nil))
	f.Add(causal.AppendCoverage(nil, causal.Coverage{{Slots: all, Vector: causal.Vector{{Replica: 1, Seq: 300}, {Replica: 1 << 31, Seq: 1}}}}))
	f.Add(causal.AppendCoverage(nil, causal.Coverage{
		{Slots: setOf(0, 64, 1023), Vector: causal.Vector{{Replica: 2, Seq: 1}}}, {Slots: setOf(1)}, {Slots: setOf(65, 66), Vector: causal.Vector{{Replica: 3, Seq: 1}}},
	}))
	f.Add(causal.AppendCoverage(nil, causal.Coverage{{Slots: setOf(2)}, {Slots: setOf(1), Vector: causal.Vector{{Replica: 2, Seq: 1}}}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := codec.NewReader(data)
		c := causal.ReadCoverage(&r)
		if r.Close() != nil {
			return
		}
		var seen shard.Set
		last := -1
		for i := range c {
			first, some := c[i].Slots.First()
			if !some || int(first) <= last || c[i].Slots.Intersects(&seen) || !valid(c[i].Vector) {
				t.Fatalf("%x is accepted as %v", data, text(c))
			}
			for j := range i {
				if slices.Equal(c[j].Vector, c[i].Vector) {
					t.Fatalf("%x has equal vectors: %v", data, text(c))
				}
			}
			last, seen = int(first), seen.Union(&c[i].Slots)
		}
		if again := causal.AppendCoverage(nil, c); !bytes.Equal(again, data) {
			t.Fatalf("%x is written as %x", data, again)
		}
	})
}

// steady is the coverage of a store whose slots do not move, with the set of a write there.
func steady() (causal.Coverage, shard.Set) {
	all := shard.All()
	return causal.Coverage{{Slots: all, Vector: causal.Vector{{Replica: 1, Seq: 1}, {Replica: 2, Seq: 1}, {Replica: 3, Seq: 1}}}}, all
}

// Where slots do not move, a write costs no memory.
func TestOnePartAllocatesNothing(t *testing.T) {
	c, all := steady()
	copied := c.Clone()
	seq := uint64(1)
	if n := testing.AllocsPerRun(100, func() {
		seq++
		var changed bool
		if c, changed = c.Raise(&all, seq-1, causal.Dot{Replica: 2, Seq: seq}); !changed || c.At(700).Get(2) != seq {
			t.Error("not raised")
		}
		if copied = c.CopyInto(copied); copied.At(0).Get(2) != seq {
			t.Error("not copied")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCoverageOfOnePart(b *testing.B) {
	c, all := steady()
	b.ReportAllocs()
	for seq := uint64(2); b.Loop(); seq++ {
		c, _ = c.Raise(&all, seq-1, causal.Dot{Replica: 2, Seq: seq})
		if c.At(shard.Slot(seq%shard.Slots)).Get(2) != seq {
			b.Fatal("not raised")
		}
	}
}

func TestCoverageStrings(t *testing.T) {
	one := causal.Part{Slots: setOf(1, 2), Vector: causal.Vector{{Replica: 1, Seq: 7}}}
	for want, c := range map[string]causal.Coverage{
		"-":                        nil,
		"1.7":                      {one},
		"2 slots: 1.7; 1 slots: -": {one, {Slots: setOf(9)}},
	} {
		if c.String() != want {
			t.Errorf("%v, want %s", c, want)
		}
	}
}
