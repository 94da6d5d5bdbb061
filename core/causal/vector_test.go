package causal_test

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/hlc"
)

func drawDot(t *rapid.T) causal.Dot {
	return causal.Dot{
		Replica: causal.ReplicaID(rapid.OneOf(rapid.Uint32Range(1, 8), rapid.Uint32Range(1, 1<<32-1)).Draw(t, "replica")),
		Seq:     rapid.OneOf(rapid.Uint64Range(0, 5), rapid.Uint64()).Draw(t, "seq"),
	}
}

func drawVector(t *rapid.T) (v causal.Vector) {
	for range rapid.IntRange(0, 8).Draw(t, "dots") {
		v = v.Raise(drawDot(t))
	}
	return v
}

func drawContext(t *rapid.T) causal.Context {
	return causal.Context{
		Epoch: rapid.Uint64Range(0, 3).Draw(t, "epoch"), Clock: hlc.Time(rapid.Uint64().Draw(t, "clock")), Vector: drawVector(t),
	}
}

// valid tells whether a vector keeps the promise of its type.
func valid(v causal.Vector) bool {
	for i, dot := range v {
		if dot.Replica == 0 || dot.Seq == 0 || i > 0 && v[i-1].Replica >= dot.Replica {
			return false
		}
	}
	return true
}

// A vector behaves like a map from replica to the highest number raised to.
func TestVectorIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var v causal.Vector
		model := map[causal.ReplicaID]uint64{}
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			dot := drawDot(t)
			before := v.Covers(dot)
			if before != (model[dot.Replica] >= dot.Seq) {
				t.Fatalf("%v covers %v: %t", v, dot, before)
			}
			v = v.Raise(dot)
			if dot.Seq > 0 {
				model[dot.Replica] = max(model[dot.Replica], dot.Seq)
			}
			if !valid(v) || len(v) != len(model) || v.Get(dot.Replica) != model[dot.Replica] || !v.Covers(dot) {
				t.Fatalf("%v instead of %v", v, model)
			}
		}
		for replica, seq := range model {
			if v.Get(replica) != seq {
				t.Fatalf("%v instead of %v", v, model)
			}
		}
	})
}

func TestRaiseAllIsALeastUpperBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawVector(t), drawVector(t), drawVector(t)
		ab := a.Clone().RaiseAll(b)
		switch {
		case !ab.CoversAll(a) || !ab.CoversAll(b):
			t.Fatalf("%v does not cover %v and %v", ab, a, b)
		case c.CoversAll(a) && c.CoversAll(b) && !c.CoversAll(ab):
			t.Fatalf("%v is not the least that covers %v and %v", ab, a, b)
		case !slices.Equal(ab, b.Clone().RaiseAll(a)):
			t.Fatal("the order matters")
		case !slices.Equal(ab.Clone().RaiseAll(c), a.Clone().RaiseAll(b.Clone().RaiseAll(c))):
			t.Fatal("the grouping matters")
		case !slices.Equal(ab.Clone().RaiseAll(b), ab):
			t.Fatal("repetition matters")
		case a.CoversAll(b) && b.CoversAll(a) != slices.Equal(a, b):
			t.Fatal("two vectors that cover each other differ")
		}
	})
}

func TestContextMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawContext(t), drawContext(t)
		kept := b.Clone()
		left, right := a.Clone(), b.Clone()
		left.Merge(b)
		right.Merge(a)
		l, r := causal.AppendContext(nil, left), causal.AppendContext(nil, right)
		if !bytes.Equal(l, r) {
			t.Fatalf("%v and %v", left, right)
		}
		if left.Epoch != max(a.Epoch, b.Epoch) || left.Clock != max(a.Clock, b.Clock) {
			t.Fatalf("%v of %v and %v", left, a, b)
		}
		left.Merge(b)
		if !bytes.Equal(causal.AppendContext(nil, left), l) {
			t.Fatal("merging twice changes the context")
		}
		for i := range left.Vector {
			left.Vector[i].Seq = 1
		}
		if !slices.Equal(b.Vector, kept.Vector) {
			t.Fatal("the merged context shares memory with the other one")
		}
		if left.IsZero() != (left.Epoch == 0 && left.Clock == 0 && len(left.Vector) == 0) {
			t.Fatal("IsZero")
		}
	})
}

func TestContextRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawContext(t)
		buf := causal.AppendContext(nil, c)
		r := codec.NewReader(buf)
		got := causal.ReadContext(&r, make(causal.Vector, 3))
		if r.Close() != nil || got.Epoch != c.Epoch || got.Clock != c.Clock || !slices.Equal(got.Vector, c.Vector) {
			t.Fatalf("%v is read as %v: %v", c, got, r.Err())
		}
	})
}

// FuzzContext: whatever is accepted is a valid context without another encoding.
func FuzzContext(f *testing.F) {
	f.Add([]byte{1, 5, 2, 1, 3, 2, 9})
	f.Add([]byte{0, 0, 2, 1, 3, 0, 9})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := codec.NewReader(data)
		c := causal.ReadContext(&r, nil)
		if r.Close() != nil {
			return
		}
		if !valid(c.Vector) {
			t.Fatalf("%x is accepted as %v", data, c.Vector)
		}
		if again := causal.AppendContext(nil, c); !bytes.Equal(again, data) {
			t.Fatalf("%x is written as %x", data, again)
		}
	})
}

func TestStrings(t *testing.T) {
	v := causal.Vector{}.Raise(causal.Dot{Replica: 3, Seq: 7}).Raise(causal.Dot{Replica: 1, Seq: 2})
	if v.String() != "1.2 3.7" || causal.Vector(nil).String() != "-" || (causal.Dot{}).String() != "-" {
		t.Errorf("%v, %v, %v", v, causal.Vector(nil), causal.Dot{})
	}
}
