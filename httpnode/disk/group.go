package disk

import (
	"encoding/binary"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/sequitur-kv/sequitur/core"
)

// group is the records of consecutive steps, which are written as one.
type group struct {
	forget  bool // what was written before is void
	records []core.Record
}

func (g *group) add(forget bool, records []core.Record) {
	if forget {
		g.reset()
		g.forget = true
	}
	g.records = append(g.records, records...)
}

// maxSpare is how many records a group keeps room for while it is empty.
const maxSpare = 1 << 12

func (g *group) reset() {
	clear(g.records) // what they point to is free
	if g.records = g.records[:0]; cap(g.records) > maxSpare {
		g.records = nil
	}
	g.forget = false
}

// encode puts a group, which ends at a position, into an empty batch. Nearly every step replaces the same few
// records, those with keys of one byte: of these only the last one counts.
func (g *group) encode(batch *pebble.Batch, position core.Position) (err error) {
	if g.forget {
		err = batch.DeleteRange(firstRecord, beyond, nil)
	}
	var last [256]int
	for i := range g.records {
		if key := g.records[i].Key; len(key) == 1 {
			last[key[0]] = i
		}
	}
	for i := range g.records {
		switch r := &g.records[i]; {
		case len(r.Key) == 1 && last[r.Key[0]] != i:
		case len(r.Value) == 0:
			err = errors.Join(err, batch.Delete(r.Key, nil))
		default:
			err = errors.Join(err, batch.Set(r.Key, r.Value, nil))
		}
	}
	var value [8]byte
	binary.BigEndian.PutUint64(value[:], uint64(position))
	return errors.Join(err, batch.Set(positionKey, value[:], nil))
}
