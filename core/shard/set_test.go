package shard_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/shard"
)

func drawSet(t *rapid.T) (s shard.Set, model map[shard.Slot]bool) {
	model = map[shard.Slot]bool{}
	for range rapid.IntRange(0, 4).Draw(t, "runs") {
		start := rapid.IntRange(0, shard.Slots-1).Draw(t, "start")
		for slot := start; slot < min(start+rapid.IntRange(1, 300).Draw(t, "length"), shard.Slots); slot++ {
			s.Add(shard.Slot(slot))
			model[shard.Slot(slot)] = true
		}
	}
	return s, model
}

func TestSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, model := drawSet(t)
		other, otherModel := drawSet(t)
		contains := true
		for slot := range shard.Slot(shard.Slots) {
			if s.Has(slot) != model[slot] {
				t.Fatalf("slot %d", slot)
			}
			contains = contains && (model[slot] || !otherModel[slot])
		}
		union, common, rest := s.Union(&other), s.Intersect(&other), s.Minus(&other)
		first, some := s.First()
		for slot := range shard.Slot(shard.Slots) {
			own, others := model[slot], otherModel[slot]
			if union.Has(slot) != (own || others) || common.Has(slot) != (own && others) || rest.Has(slot) != (own && !others) || own && slot < first {
				t.Fatalf("slot %d of the algebra", slot)
			}
		}
		if s.IsEmpty() != (len(model) == 0) || some != (len(model) > 0) || model[first] != some || s.Intersects(&other) == common.IsEmpty() {
			t.Fatalf("first %d, %t of %d slots; intersects %t", first, some, len(model), s.Intersects(&other))
		}
		if s.Len() != len(model) || s.Contains(&other) != contains {
			t.Fatalf("%d slots of %d; contains %t", s.Len(), len(model), !contains)
		}
		buf := shard.AppendSet(nil, &s)
		r := codec.NewReader(buf)
		if got := shard.ReadSet(&r); r.Close() != nil || got != s {
			t.Fatalf("%x is read as another set: %v", buf, r.Err())
		}
	})
}

// FuzzSet: whatever is accepted has no other encoding.
func FuzzSet(f *testing.F) {
	f.Add([]byte{0, 0, 0x80, 8})
	f.Add([]byte{0x80, 4, 0x80, 4})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := codec.NewReader(data)
		s := shard.ReadSet(&r)
		if r.Close() != nil {
			return
		}
		if again := shard.AppendSet(nil, &s); !bytes.Equal(again, data) {
			t.Fatalf("%x is written as %x", data, again)
		}
	})
}

func TestContiguousSetsAreShort(t *testing.T) {
	set := shard.Initial(3).SlotsOf(2)
	if buf := shard.AppendSet(nil, &set); len(buf) > 6 {
		t.Errorf("%d bytes", len(buf))
	}
}

func TestAll(t *testing.T) {
	all := shard.All()
	if rest := all.Minus(&all); all.Len() != shard.Slots || !all.Has(shard.Slots-1) || !rest.IsEmpty() {
		t.Errorf("%d slots", all.Len())
	}
}
