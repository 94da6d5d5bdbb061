package core

import (
	"fmt"
	"slices"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/hlc"
	"github.com/sequitur-kv/sequitur/core/store"
	"github.com/sequitur-kv/sequitur/core/view"
)

// The first byte of a record's key says what it is about.
const (
	recordFormat   = 'a' // version of this schema
	recordLife     = 'l' // life and key of this node
	recordPledge   = 'p' // the pledged founding
	recordFounding = 'f' // the founding of the store
	recordState    = 's' // have, and the highest hybrid time ever seen
	recordCounters = 'c' // forward counters below this value may have been used
	recordExecuted = 'x' // + life + counter: this forward may not run again
	recordVersion  = 'v' // + key: the current version of a key
)

const recordSchema = 1

// lifePosition is the log position of a life's first record.
const lifePosition Position = 1

// record changes durable state: the record joins those of this Step.
func (m *Machine) record(kind byte, id []byte, value []byte) Position {
	position := m.change()
	if !m.config.Volatile {
		m.out.Records = append(m.out.Records, Record{Key: append([]byte{kind}, id...), Value: value})
	}
	return position
}

func (m *Machine) recordLife() {
	m.newborn = false
	m.record(recordFormat, nil, codec.AppendUint(nil, recordSchema))
	m.record(recordLife, nil, append(codec.AppendFixed64(nil, uint64(m.founder.Life)), m.founder.Key[:]...))
}

func (m *Machine) recordPledge(f view.Founding) Position {
	return m.record(recordPledge, nil, view.AppendFounding(nil, f))
}

func (m *Machine) recordFounding(f view.Founding) Position {
	return m.record(recordFounding, nil, view.AppendFounding(nil, f))
}

// recordState persists have and the clock's floor; without the floor a restart with a slow clock
// would write below a version that is kept elsewhere.
func (m *Machine) recordState() {
	if m.config.Volatile {
		m.change()
		return
	}
	m.record(recordState, nil, causal.AppendVector(codec.AppendUint(nil, uint64(m.clock.Highest())), m.store.Have()))
}

func (m *Machine) recordVersion(v *store.Version) {
	if m.config.Volatile {
		m.change()
		return
	}
	m.record(recordVersion, []byte(v.Key), store.AppendVersion(nil, v))
}

func (m *Machine) recordCounters(ceiling uint64) Position {
	return m.record(recordCounters, nil, codec.AppendUint(nil, ceiling))
}

func executedID(life view.LifeID, counter uint64) []byte {
	return codec.AppendFixed64(codec.AppendFixed64(nil, uint64(life)), counter)
}

func (m *Machine) recordExecuted(life view.LifeID, counter uint64) Position {
	return m.record(recordExecuted, executedID(life, counter), nil)
}

func (m *Machine) forgetExecuted(life view.LifeID, counter uint64) {
	m.change()
	if !m.config.Volatile {
		key := append([]byte{recordExecuted}, executedID(life, counter)...)
		m.out.Records = append(m.out.Records, Record{Key: key, Delete: true})
	}
}

// restore applies the records of earlier boots.
func (m *Machine) restore(records []Record) error {
	m.newborn = len(records) == 0
	if m.newborn != (m.position == 0) {
		return fmt.Errorf("%w: %d records at position %d", ErrRecords, len(records), m.position)
	}
	for i := range records {
		if err := m.restoreRecord(&records[i]); err != nil {
			return err
		}
	}
	m.claimed = m.store.Have().Clone()
	m.counter = m.reserved
	return nil
}

func (m *Machine) restoreRecord(record *Record) error {
	if len(record.Key) == 0 {
		return fmt.Errorf("%w: empty key", ErrRecords)
	}
	id := codec.NewReader(record.Key[1:])
	r := codec.NewReader(record.Value)
	switch record.Key[0] {
	case recordFormat:
		if schema := r.Uint(); schema != recordSchema {
			return fmt.Errorf("%w: written in format %d, this release reads format %d", ErrRecords, schema, recordSchema)
		}
	case recordLife:
		m.founder.Life = view.LifeID(r.Fixed64())
		copy(m.founder.Key[:], r.Raw(len(m.founder.Key)))
	case recordPledge:
		m.pledgeOnRecord = view.ReadFounding(&r)
	case recordFounding:
		founding := view.ReadFounding(&r)
		m.founding, m.formedAt = &founding, m.position
	case recordState:
		m.clock.Observe(hlc.Time(r.Uint()))
		for _, dot := range causal.ReadVector(&r, nil) {
			m.store.Cover(dot)
		}
	case recordCounters:
		m.reserved = r.Uint()
	case recordExecuted:
		life, counter := view.LifeID(id.Fixed64()), id.Fixed64()
		if record.Delete {
			m.executedBy(life).forget(counter)
		} else {
			m.executedBy(life).add(counter)
		}
	case recordVersion:
		v := store.ReadVersion(&r)
		m.store.Offer(&v, uint64(m.position))
		id = codec.NewReader(nil)
	default:
		return fmt.Errorf("%w: unknown kind %q", ErrRecords, record.Key[0])
	}
	if r.Close() != nil || id.Close() != nil {
		return fmt.Errorf("%w: malformed record of kind %q", ErrRecords, record.Key[0])
	}
	return nil
}

// AppendState appends a canonical rendering of the state that matters to others: for digests, and
// for comparing machines.
func (m *Machine) AppendState(buf []byte) []byte {
	buf = codec.AppendFixed64(buf, uint64(m.founder.Life))
	if m.founding != nil {
		buf = view.AppendFounding(buf, *m.founding)
	}
	buf = codec.AppendUint(buf, uint64(m.position))
	buf = codec.AppendUint(buf, uint64(m.clock.Highest()))
	buf = causal.AppendVector(buf, m.store.Have())
	var versions []*store.Version
	m.store.Versions(func(v *store.Version) bool {
		versions = append(versions, v)
		return true
	})
	slices.SortFunc(versions, func(a, b *store.Version) int {
		switch {
		case a.Key < b.Key:
			return -1
		case a.Key > b.Key:
			return 1
		default:
			return 0
		}
	})
	for _, v := range versions {
		buf = store.AppendVersion(buf, v)
	}
	return buf
}
