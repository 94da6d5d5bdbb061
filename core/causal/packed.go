package causal

import (
	"bytes"

	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/hlc"
)

// Packed is a context in its canonical encoding, a third of the size or less: the form in which
// contexts are stored and sent. It is never modified, and shared freely. The zero value depends on
// nothing.
type Packed []byte

// Pack returns the packed form of c.
func Pack(c Context) Packed {
	if c.IsZero() {
		return nil
	}
	var buf [128]byte // enough for most, so that the result is cut to size in one allocation
	return bytes.Clone(AppendContext(buf[:0], c))
}

// header reads what stands before the dots.
func (p Packed) header() (r codec.Reader, epoch uint64, clock hlc.Time) {
	r = codec.NewReader(p)
	return r, r.Uint(), hlc.Time(r.Uint())
}

// Clock is the highest hybrid time of the context.
func (p Packed) Clock() hlc.Time {
	if len(p) == 0 {
		return 0
	}
	_, _, clock := p.header()
	return clock
}

// Epoch is the configuration epoch of the context.
func (p Packed) Epoch() uint64 {
	if len(p) == 0 {
		return 0
	}
	_, epoch, _ := p.header()
	return epoch
}

// Dots calls yield for each dot of the context's vector, in the order of replicas, until it returns
// false.
func (p Packed) Dots(yield func(Dot) bool) {
	if len(p) == 0 {
		return
	}
	r, _, _ := p.header()
	dot := Dot{}
	for n := r.Count(2); n > 0; n-- {
		dot.Replica += ReplicaID(r.Uint())
		dot.Seq = r.Uint()
		if !yield(dot) {
			return
		}
	}
}

// Covers tells whether the context includes the write that dot names.
func (p Packed) Covers(dot Dot) bool {
	for d := range p.Dots {
		if d.Replica == dot.Replica {
			return d.Seq >= dot.Seq
		}
	}
	return dot.Seq == 0
}

// MergeInto changes c into the pointwise maximum of c and p.
func (p Packed) MergeInto(c *Context) {
	if len(p) == 0 {
		return
	}
	_, epoch, clock := p.header()
	c.Epoch = max(c.Epoch, epoch)
	c.Clock = max(c.Clock, clock)
	for dot := range p.Dots {
		c.Vector = c.Vector.Raise(dot)
	}
}

// Unpack returns the context.
func (p Packed) Unpack() Context {
	var c Context
	p.MergeInto(&c)
	return c
}

// String prints the context's vector.
func (p Packed) String() string { return p.Unpack().Vector.String() }

// AppendPacked appends the canonical encoding of the context.
func AppendPacked(buf []byte, p Packed) []byte {
	if len(p) == 0 {
		return AppendContext(buf, Context{})
	}
	return append(buf, p...)
}

// ReadPacked reads what AppendPacked or AppendContext wrote; the result shares no memory with the
// input.
func ReadPacked(r *codec.Reader) Packed {
	start := *r
	epoch, clock := r.Uint(), r.Uint()
	n := r.Count(2)
	if epoch == 0 && clock == 0 && n == 0 {
		return nil
	}
	last := ReplicaID(0)
	for ; n > 0; n-- {
		last = readDot(r, last).Replica
	}
	if r.Err() != nil {
		return nil
	}
	return bytes.Clone(r.After(start))
}
