// Package store holds the versions of one replica: what it serves, what it covers, and the order in
// which things arrived, from which catch-up is answered.
package store

import (
	"bytes"
	"cmp"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/hlc"
)

// Version is one write as it is stored and sent: a value, or a tombstone. Its memory is shared
// freely and never modified.
type Version struct {
	Key     string
	Dot     causal.Dot
	Context causal.Packed // what the write follows, itself included; its clock is that of the write
	Value   []byte        // JSON text; nil for a tombstone
	Deleted bool
}

// Clock is the hybrid time of the write.
func (v *Version) Clock() hlc.Time { return v.Context.Clock() }

// Compare orders the versions of a key: last writer wins by (clock, replica, sequence number). The
// clock grows along causality, so this refines causal order; along the writes of one replica too.
func (v *Version) Compare(other *Version) int {
	if v.Dot.Replica == other.Dot.Replica { // nearly always, and cheaper than two clocks
		return cmp.Compare(v.Dot.Seq, other.Dot.Seq)
	}
	return cmp.Or(
		cmp.Compare(v.Clock(), other.Clock()),
		cmp.Compare(v.Dot.Replica, other.Dot.Replica),
	)
}

// AppendVersion appends the canonical encoding of v.
func AppendVersion(buf []byte, v *Version) []byte {
	buf = codec.AppendString(buf, v.Key)
	buf = codec.AppendUint(buf, uint64(v.Dot.Replica))
	buf = codec.AppendUint(buf, v.Dot.Seq)
	buf = causal.AppendPacked(buf, v.Context)
	buf = codec.AppendBool(buf, v.Deleted)
	if !v.Deleted {
		buf = codec.AppendBytes(buf, v.Value)
	}
	return buf
}

// ReadVersion reads what AppendVersion wrote; the result shares no memory with the input.
func ReadVersion(r *codec.Reader) Version {
	v := Version{
		Key:     r.String(),
		Dot:     causal.Dot{Replica: causal.ReplicaID(r.UintMax(1<<32 - 1)), Seq: r.Uint()},
		Context: causal.ReadPacked(r),
		Deleted: r.Bool(),
	}
	if !v.Deleted {
		v.Value = bytes.Clone(r.Bytes())
	}
	if v.Dot.Replica == 0 || v.Dot.Seq == 0 || !v.Context.Covers(v.Dot) {
		r.Fail()
	}
	return v
}
