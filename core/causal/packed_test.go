package causal_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/hlc"
)

// TestPacked compares the packed form with the context that it stands for.
func TestPacked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		drawContext := func(name string) (c causal.Context) {
			c.Epoch = rapid.Uint64Range(0, 3).Draw(t, name+" epoch")
			c.Clock = hlc.Time(rapid.Uint64().Draw(t, name+" clock"))
			for range rapid.IntRange(0, 8).Draw(t, name+" dots") {
				c.Vector = c.Vector.Raise(causal.Dot{
					Replica: causal.ReplicaID(rapid.Uint32Range(1, 12).Draw(t, "replica")), Seq: rapid.Uint64Range(1, 1<<40).Draw(t, "seq"),
				})
			}
			return c
		}
		c, other := drawContext("c"), drawContext("other")
		packed := causal.Pack(c)
		if diff := cmp.Diff(c, packed.Unpack()); diff != "" {
			t.Fatalf("unpacked (-want +got):\n%s", diff)
		}
		if packed.Clock() != c.Clock || packed.String() != c.Vector.String() {
			t.Fatalf("%v at %v, want %v at %v", packed, packed.Clock(), c.Vector, c.Clock)
		}
		probe := causal.Dot{Replica: causal.ReplicaID(rapid.Uint32Range(0, 13).Draw(t, "probe")), Seq: rapid.Uint64Range(0, 1<<40).Draw(t, "probe seq")}
		if packed.Covers(probe) != c.Vector.Covers(probe) {
			t.Fatalf("%v covers %v: %t, want %t", packed, probe, packed.Covers(probe), c.Vector.Covers(probe))
		}
		merged, want := other.Clone(), other.Clone()
		packed.MergeInto(&merged)
		want.Merge(c)
		if diff := cmp.Diff(want, merged); diff != "" {
			t.Fatalf("merged (-want +got):\n%s", diff)
		}
		text := causal.AppendPacked(nil, packed)
		if !bytes.Equal(text, causal.AppendContext(nil, c)) {
			t.Fatalf("%x is not the encoding of %v", text, c)
		}
		r := codec.NewReader(append(text, 7))
		if got := causal.ReadPacked(&r); !bytes.Equal(got, packed) || r.Remaining() != 1 || r.Err() != nil {
			t.Fatalf("read %x, %d left, %v", got, r.Remaining(), r.Err())
		}
		// Whatever is read is what AppendPacked writes, and what ReadContext accepts.
		garbage := rapid.SliceOfN(rapid.Byte(), 0, 24).Draw(t, "garbage")
		r, reference := codec.NewReader(garbage), codec.NewReader(garbage)
		read := causal.ReadPacked(&r)
		causal.ReadContext(&reference, nil)
		if (r.Err() == nil) != (reference.Err() == nil) {
			t.Fatalf("%x: %v, as a context %v", garbage, r.Err(), reference.Err())
		}
		if r.Err() == nil && !bytes.Equal(causal.AppendPacked(nil, read), garbage[:len(garbage)-r.Remaining()]) {
			t.Fatalf("%x is read as %x", garbage, read)
		}
	})
}
