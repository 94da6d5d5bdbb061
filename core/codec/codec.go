// Package codec is the canonical binary encoding shared by tokens, peer messages and records.
//
// Canonical means that one value has exactly one encoding: unsigned integers are LEB128 varints of
// minimal length, strings and byte slices are length-prefixed, booleans are 0 or 1, and a reader
// refuses everything else. Equal values therefore compare, hash and authenticate as equal bytes,
// which protocol buffers do not promise; tokens and the simulator's digests depend on it.
package codec

import (
	"encoding/binary"
	"errors"
)

// ErrMalformed reports bytes that no Append function of this package produces.
var ErrMalformed = errors.New("codec: malformed encoding")

// AppendUint appends v as a minimal varint of 1 to 10 bytes.
func AppendUint(buf []byte, v uint64) []byte { return binary.AppendUvarint(buf, v) }

// AppendFixed64 appends v as 8 big-endian bytes.
func AppendFixed64(buf []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(buf, v) }

// AppendBool appends one byte, 0 or 1.
func AppendBool(buf []byte, v bool) []byte {
	if v {
		return append(buf, 1)
	}
	return append(buf, 0)
}

// AppendBytes appends the length of v and v.
func AppendBytes(buf, v []byte) []byte { return append(AppendUint(buf, uint64(len(v))), v...) }

// AppendString appends the length of v and v.
func AppendString(buf []byte, v string) []byte { return append(AppendUint(buf, uint64(len(v))), v...) }

// Reader decodes a byte slice from front to back. The first failure sticks: every later call
// returns a zero value, so that a caller checks Err or Close once at the end. The zero value reads
// from an empty slice.
type Reader struct {
	rest   []byte
	failed bool
}

// NewReader reads from data, which the reader never modifies. Bytes returned by it alias data.
func NewReader(data []byte) Reader { return Reader{rest: data} }

// Fail marks the input as malformed: for callers that find a value out of their range.
func (r *Reader) Fail() {
	r.rest = nil
	r.failed = true
}

// Err is ErrMalformed after the first failure, else nil.
func (r *Reader) Err() error {
	if r.failed {
		return ErrMalformed
	}
	return nil
}

// Close is Err, and ErrMalformed too when input is left over.
func (r *Reader) Close() error {
	if len(r.rest) != 0 {
		r.Fail()
	}
	return r.Err()
}

// After returns what was read since the reader was as in start; it aliases the input.
func (r *Reader) After(start Reader) []byte { return start.rest[:len(start.rest)-len(r.rest)] }

// Remaining is the number of unread bytes.
func (r *Reader) Remaining() int { return len(r.rest) }

// Uint reads what AppendUint wrote; padded varints are malformed.
func (r *Reader) Uint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || n > 1 && r.rest[n-1] == 0 {
		r.Fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// UintMax reads an integer that must not exceed limit.
func (r *Reader) UintMax(limit uint64) uint64 {
	v := r.Uint()
	if v > limit {
		r.Fail()
		return 0
	}
	return v
}

// Count reads the number of elements that follow, each of at least size bytes, so that a few
// hostile bytes never make a caller allocate for more elements than the input can hold.
func (r *Reader) Count(size int) int {
	n := r.Uint()
	if n > uint64(len(r.rest)/size) { // what is left after the count itself
		r.Fail()
		return 0
	}
	return int(n)
}

// Fixed64 reads what AppendFixed64 wrote.
func (r *Reader) Fixed64() uint64 {
	if len(r.rest) < 8 {
		r.Fail()
		return 0
	}
	v := binary.BigEndian.Uint64(r.rest)
	r.rest = r.rest[8:]
	return v
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if len(r.rest) == 0 {
		r.Fail()
		return 0
	}
	v := r.rest[0]
	r.rest = r.rest[1:]
	return v
}

// Bool reads what AppendBool wrote.
func (r *Reader) Bool() bool {
	switch r.Byte() {
	case 0:
		return false
	case 1:
		return true
	default:
		r.Fail()
		return false
	}
}

// Bytes reads what AppendBytes wrote; the result aliases the input.
func (r *Reader) Bytes() []byte {
	n := r.Uint()
	if r.failed || n > uint64(len(r.rest)) {
		r.Fail()
		return nil
	}
	return r.Raw(int(n))
}

// Raw reads n bytes without a length prefix; the result aliases the input.
func (r *Reader) Raw(n int) []byte {
	if len(r.rest) < n {
		r.Fail()
		return nil
	}
	v := r.rest[:n:n]
	r.rest = r.rest[n:]
	return v
}

// String reads what AppendString wrote.
func (r *Reader) String() string { return string(r.Bytes()) }
