// Package causal names writes and what they depend on: dots, version vectors and contexts.
//
// A replica id stands for one life of a node in one shard assignment and is never reused; a dot
// names one write (Preguiça et al., "Dotted Version Vectors", 2010); a version vector says "every
// write of this replica up to this number".
package causal

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/hlc"
)

// ReplicaID is a small number handed out by the configuration. Zero is no replica.
type ReplicaID uint32

// Dot names one write: the Seq-th write, counted from 1, of a replica. The zero value names nothing.
type Dot struct {
	Replica ReplicaID
	Seq     uint64
}

// String prints a dot as replica.seq, the zero value as "-".
func (d Dot) String() string {
	if d == (Dot{}) {
		return "-"
	}
	return strconv.FormatUint(uint64(d.Replica), 10) + "." + strconv.FormatUint(d.Seq, 10)
}

// Vector is a version vector: for each replica the number of its writes that are covered, counted
// from the first. It is sorted by replica, without duplicates and without zero counts, so that
// equal vectors are equal slices. The zero value covers nothing. Methods that do not name
// themselves as changing the vector never modify it.
type Vector []Dot

// find returns where replica stands or would stand.
func (v Vector) find(replica ReplicaID) (int, bool) {
	for i := range v {
		if v[i].Replica >= replica {
			return i, v[i].Replica == replica
		}
	}
	return len(v), false
}

// Get is the number of writes of replica that v covers.
func (v Vector) Get(replica ReplicaID) uint64 {
	if i, ok := v.find(replica); ok {
		return v[i].Seq
	}
	return 0
}

// Covers tells whether v includes the write that dot names.
func (v Vector) Covers(dot Dot) bool { return v.Get(dot.Replica) >= dot.Seq }

// CoversAll tells whether v includes every write that other includes.
func (v Vector) CoversAll(other Vector) bool {
	for _, dot := range other {
		if !v.Covers(dot) {
			return false
		}
	}
	return true
}

// Raise changes v so that it covers dot and returns it; counts never fall.
func (v Vector) Raise(dot Dot) Vector {
	if dot.Seq == 0 {
		return v
	}
	i, ok := v.find(dot.Replica)
	if !ok {
		return slices.Insert(v, i, dot)
	}
	v[i].Seq = max(v[i].Seq, dot.Seq)
	return v
}

// RaiseAll changes v so that it covers everything other does (the pointwise maximum) and returns it.
func (v Vector) RaiseAll(other Vector) Vector {
	for _, dot := range other {
		v = v.Raise(dot)
	}
	return v
}

// Clone returns a copy that shares no memory with v.
func (v Vector) Clone() Vector { return slices.Clone(v) }

// String prints the dots separated by spaces, "-" for the empty vector.
func (v Vector) String() string {
	if len(v) == 0 {
		return "-"
	}
	parts := make([]string, len(v))
	for i, dot := range v {
		parts[i] = dot.String()
	}
	return strings.Join(parts, " ")
}

// AppendVector appends the canonical encoding of v.
func AppendVector(buf []byte, v Vector) []byte {
	buf = codec.AppendUint(buf, uint64(len(v)))
	last := ReplicaID(0)
	for _, dot := range v {
		buf = codec.AppendUint(buf, uint64(dot.Replica-last))
		buf = codec.AppendUint(buf, dot.Seq)
		last = dot.Replica
	}
	return buf
}

// ReadVector reads what AppendVector wrote into the memory of into, which may be nil.
func ReadVector(r *codec.Reader, into Vector) Vector {
	into = into[:0]
	last := ReplicaID(0)
	for n := r.Count(2); n > 0; n-- {
		dot := readDot(r, last)
		last = dot.Replica
		into = append(into, dot)
	}
	if r.Err() != nil {
		return nil
	}
	return into
}

// readDot reads the next dot of a vector, after one of the replica last.
func readDot(r *codec.Reader, last ReplicaID) Dot {
	replica := uint64(last) + r.UintMax(1<<32-1)
	seq := r.Uint()
	if replica == uint64(last) || replica > 1<<32-1 || seq == 0 {
		r.Fail()
		return Dot{}
	}
	return Dot{Replica: ReplicaID(replica), Seq: seq}
}

// Context is what a version or a session depends on: the newest configuration epoch and the highest
// hybrid time it saw, and the writes it follows. The zero value depends on nothing.
type Context struct {
	Epoch  uint64
	Clock  hlc.Time
	Vector Vector
}

// IsZero tells whether c depends on nothing.
func (c Context) IsZero() bool { return c.Epoch == 0 && c.Clock == 0 && len(c.Vector) == 0 }

// Merge changes c into the pointwise maximum of c and other. The vector of c may be reallocated and
// never shares memory with that of other.
func (c *Context) Merge(other Context) {
	c.Epoch = max(c.Epoch, other.Epoch)
	c.Clock = max(c.Clock, other.Clock)
	c.Vector = c.Vector.RaiseAll(other.Vector)
}

// Clone returns a copy that shares no memory with c.
func (c Context) Clone() Context {
	c.Vector = c.Vector.Clone()
	return c
}

// AppendContext appends the canonical encoding of c.
func AppendContext(buf []byte, c Context) []byte {
	buf = codec.AppendUint(buf, c.Epoch)
	buf = codec.AppendUint(buf, uint64(c.Clock))
	return AppendVector(buf, c.Vector)
}

// ReadContext reads what AppendContext wrote, its vector into the memory of into, which may be nil.
func ReadContext(r *codec.Reader, into Vector) Context {
	return Context{Epoch: r.Uint(), Clock: hlc.Time(r.Uint()), Vector: ReadVector(r, into)}
}
