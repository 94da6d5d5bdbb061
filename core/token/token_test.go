package token_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/hlc"
	"github.com/sequitur-kv/sequitur/core/token"
)

func newCodec() token.Codec { return token.NewCodec(0x1122334455667788, token.Secret{1, 2, 3}) }

func text(c causal.Context) string {
	buf, _ := newCodec().Append(nil, nil, c)
	return string(buf)
}

// parse reads a list of tokens with a codec.
func parse(k token.Codec, list string) (causal.Context, error) {
	var c causal.Context
	_, _, err := k.Merge(&c, list, nil, nil)
	return c, err
}

func equal(a, b causal.Context) bool {
	return a.Epoch == b.Epoch && a.Clock == b.Clock && slices.Equal(a.Vector, b.Vector)
}

func drawContext(t *rapid.T) causal.Context {
	c := causal.Context{Epoch: rapid.Uint64Range(0, 9).Draw(t, "epoch"), Clock: hlc.Time(rapid.Uint64().Draw(t, "clock"))}
	for range rapid.IntRange(0, 6).Draw(t, "dots") {
		c.Vector = c.Vector.Raise(causal.Dot{
			Replica: causal.ReplicaID(rapid.Uint32Range(1, 9).Draw(t, "replica")), Seq: rapid.Uint64Range(1, 1<<40).Draw(t, "seq"),
		})
	}
	return c
}

// example is what a token of a store with six replicas looks like after 2⁴² writes by each.
func example() causal.Context {
	c := causal.Context{Epoch: 1, Clock: hlc.At(1_700_000_000_000) + 3}
	for r := range causal.ReplicaID(6) {
		c.Vector = c.Vector.Raise(causal.Dot{Replica: r + 1, Seq: 1<<42 - uint64(r)})
	}
	return c
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawContext(t)
		got, err := parse(newCodec(), text(c))
		if err != nil || !equal(got, c) {
			t.Fatalf("%v is read as %v: %v", c, got, err)
		}
	})
}

func TestNothing(t *testing.T) {
	if got := text(causal.Context{}); got != "" {
		t.Errorf("the empty context is %q", got)
	}
	for _, list := range []string{"", " ", ",", " , ,\t"} {
		if c, err := parse(newCodec(), list); err != nil || !c.IsZero() {
			t.Errorf("%q is %v, %v", list, c, err)
		}
	}
}

// Every order and grouping of tokens gives the same bytes, however often each of them comes.
func TestMergeOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		contexts := rapid.SliceOfN(rapid.Custom(drawContext), 1, 5).Draw(t, "contexts")
		var want causal.Context
		var tokens []string
		for _, c := range contexts {
			want.Merge(c)
			tokens = append(tokens, text(c))
		}
		tokens = append(tokens, rapid.SampledFrom(tokens).Draw(t, "repeated"))
		list := strings.Join(rapid.Permutation(tokens).Draw(t, "order"), rapid.SampledFrom([]string{",", ", ", " ,\t,"}).Draw(t, "separator"))
		got, err := parse(newCodec(), list)
		if err != nil || text(got) != text(want) {
			t.Fatalf("%q is %v instead of %v: %v", list, got, want, err)
		}
	})
}

// A change of any single bit of the text is refused.
func TestEveryBitCounts(t *testing.T) {
	for _, c := range []causal.Context{example(), {Epoch: 1}, {Clock: 7}, {Vector: causal.Vector{{Replica: 1, Seq: 1}}}} {
		good := []byte(text(c))
		for i := range good {
			for bit := range 8 {
				bad := bytes.Clone(good)
				bad[i] ^= 1 << bit
				if got, err := parse(newCodec(), string(bad)); err == nil {
					t.Errorf("bit %d of character %d of %s: accepted as %v", bit, i, good, got)
				}
			}
		}
		for i := range good {
			if _, err := parse(newCodec(), string(good[:i])); err == nil && i > 0 {
				t.Errorf("the first %d characters of %s are accepted", i, good)
			}
			if _, err := parse(newCodec(), string(good[:i])+"\n"+string(good[i:])); err == nil {
				t.Errorf("a line break after %d characters of %s is accepted", i, good)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	good := text(example())
	foreign, _ := token.NewCodec(99, token.Secret{1, 2, 3}).Append(nil, nil, example())
	forged, _ := token.NewCodec(0x1122334455667788, token.Secret{9}).Append(nil, nil, example())
	for _, test := range []struct {
		name, list string
		want       error
	}{
		{"another store", string(foreign), token.ErrCluster},
		{"another secret", string(forged), token.ErrMAC},
		{"padding", good + "=", token.ErrMalformed},
		{"other alphabet", strings.Repeat("+/", 40), token.ErrMalformed},
		{"one letter", "A", token.ErrMalformed},
		{"two tokens in one", good + good, nil},
		{"bad after good", good + ",AAAA", token.ErrMalformed},
		{"too long", strings.Repeat("A", 1<<20), token.ErrMalformed},
		{"text", "hello, world", token.ErrMalformed},
		{"zero bytes", strings.Repeat("\x00", 30), token.ErrMalformed},
	} {
		_, err := parse(newCodec(), test.list)
		if err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

// Nothing that a client sends is accepted unless it is a token that this store gave.
func FuzzParse(f *testing.F) {
	f.Add(text(example()))
	f.Add(text(causal.Context{Epoch: 1}) + "," + text(example()))
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, list string) {
		c, err := parse(newCodec(), list)
		if err != nil {
			return
		}
		// Whoever finds a token must have been given it: the seeds are the only ones.
		var want causal.Context
		for _, one := range strings.Split(list, ",") {
			switch strings.Trim(one, " \t") {
			case "":
			case text(example()):
				want.Merge(example())
			case text(causal.Context{Epoch: 1}):
				want.Merge(causal.Context{Epoch: 1})
			default:
				t.Fatalf("%q is accepted as %v", one, c)
			}
		}
		if !equal(c, want) {
			t.Fatalf("%q is %v", list, c)
		}
	})
}

func TestLength(t *testing.T) {
	if n := len(text(example())); n > 120 {
		t.Errorf("a token of six replicas has %d characters", n)
	}
}

func TestAllocations(t *testing.T) {
	k, c, list := newCodec(), example(), text(example())+", "+text(causal.Context{Epoch: 2})
	var buf, scratch []byte
	var spare causal.Vector
	var into causal.Context
	if n := testing.AllocsPerRun(100, func() {
		buf, scratch = k.Append(buf[:0], scratch, c)
		into = causal.Context{Vector: into.Vector[:0]}
		var err error
		if scratch, spare, err = k.Merge(&into, list, scratch, spare); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations to encode and parse", n)
	}
}

func BenchmarkMerge(b *testing.B) {
	k, list := newCodec(), text(example())
	var scratch []byte
	var spare causal.Vector
	var into causal.Context
	b.ReportAllocs()
	for b.Loop() {
		into = causal.Context{Vector: into.Vector[:0]}
		var err error
		if scratch, spare, err = k.Merge(&into, list, scratch, spare); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	k, c := newCodec(), example()
	var buf, scratch []byte
	b.ReportAllocs()
	for b.Loop() {
		buf, scratch = k.Append(buf[:0], scratch, c)
	}
}
