package core

import (
	"bytes"
	"fmt"

	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/hlc"
	"github.com/sequitur-kv/sequitur/core/store"
)

// Saved is what a backup keeps of a key: its value, or that it was deleted, and since when. It says nothing of
// the store that it was in, so that any store can import it.
type Saved struct {
	Key     string
	Value   []byte // JSON text; nil if Deleted
	Deleted bool
	Time    hlc.Time // of the write; never zero, and before endOfTime
}

// endOfTime is in the year 6429. A write of a later time would leave the clocks of a store little room: it is damage.
const endOfTime hlc.Time = 1 << 63

// AppendSaved appends the canonical encoding of s.
func AppendSaved(buf []byte, s *Saved) []byte {
	buf = codec.AppendString(buf, s.Key)
	buf = codec.AppendUint(buf, uint64(s.Time))
	buf = codec.AppendBool(buf, s.Deleted)
	if !s.Deleted {
		buf = codec.AppendBytes(buf, s.Value)
	}
	return buf
}

// ReadSaved reads what AppendSaved wrote; the result shares no memory with the input.
func ReadSaved(r *codec.Reader) Saved {
	s := Saved{Key: r.String(), Time: hlc.Time(r.Uint()), Deleted: r.Bool()}
	if !s.Deleted {
		s.Value = bytes.Clone(r.Bytes())
	}
	if s.Time == 0 || s.Time >= endOfTime {
		r.Fail()
	}
	return s
}

// SavedOf is what a backup keeps of a record of a node; ok is false if that is nothing. A node that imports has some
// keys twice. Errors: ErrRecords.
func SavedOf(record Record) (s Saved, ok bool, err error) {
	if len(record.Key) == 0 {
		return Saved{}, false, fmt.Errorf("%w: empty key", ErrRecords)
	}
	r := codec.NewReader(record.Value)
	switch kind := record.Key[0]; {
	case kind == recordVersion:
		v := store.ReadVersion(&r)
		if s = (Saved{Key: v.Key, Value: v.Value, Deleted: v.Deleted}); r.Err() == nil {
			s.Time = v.Clock()
		}
	case kind == recordImport && len(record.Key) > 1:
		s = ReadSaved(&r)
	default:
		return Saved{}, false, nil
	}
	if r.Close() != nil || s.Time == 0 {
		return Saved{}, false, fmt.Errorf("%w: malformed record of kind %q", ErrRecords, record.Key[0])
	}
	return s, true, nil
}

// ImportRecord is a record that has a node import s, which is number n of all that it is to import, from 1 on.
func ImportRecord(n uint64, s *Saved) Record {
	return Record{Key: codec.AppendFixed64([]byte{recordImport}, n), Value: AppendSaved(nil, s)}
}

// ImportsEnd are the records that come last, when n imports are on record: without them a node takes
// the rest for cut short, and does not start.
func ImportsEnd(n uint64) []Record {
	return []Record{
		{Key: []byte{recordFormat}, Value: codec.AppendUint(nil, recordSchema)},
		{Key: []byte{recordImport}, Value: codec.AppendUint(nil, n)},
	}
}
