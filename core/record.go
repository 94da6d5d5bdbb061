package core

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/consensus"
	"github.com/sequitur-kv/sequitur/core/hlc"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/store"
	"github.com/sequitur-kv/sequitur/core/view"
)

// The first byte of a record's key says what it is about.
const (
	recordFormat        = 'a' // version of this schema
	recordLife          = 'l' // life and key of this node
	recordAddresses     = 'm' // of the members of the store that the life before belonged to, if this one began in place
	recordPledge        = 'p' // the pledged founding
	recordConfiguration = 'g' // the configuration of the store
	recordLog           = 'r' // + key: a record of the configuration log
	recordState         = 's' // have, the slots it is complete for, and the highest hybrid time ever seen
	recordCounters      = 'c' // forward counters below this value may have been used
	recordExecuted      = 'x' // + life + place in the window: the counter of a forward that may not run again
	recordVersion       = 'v' // + key: the current version of a key
	recordImport        = 'i' // + number: what is to be imported from a backup; without one: how many these were
)

const recordSchema = 1

// record changes durable state: the record joins those of this Step, with a copy of id and value.
func (m *Machine) record(kind byte, id []byte, value []byte) Position {
	position := m.change()
	if !m.config.Volatile {
		n := 1 + len(id)
		both := append(append(append(make([]byte, 0, n+len(value)), kind), id...), value...)
		m.out.Records = append(m.out.Records, Record{Key: both[:n:n], Value: both[n:]})
	}
	return position
}

func (m *Machine) recordLife() {
	m.newborn = false
	m.record(recordFormat, nil, codec.AppendUint(nil, recordSchema))
	m.bornAt = m.record(recordLife, nil, append(codec.AppendFixed64(nil, uint64(m.founder.Life)), m.founder.Key[:]...))
}

func (m *Machine) recordAddresses() {
	value := codec.AppendUint(nil, uint64(len(m.config.View)))
	for _, address := range m.config.View {
		value = codec.AppendString(value, address)
	}
	m.record(recordAddresses, nil, value)
}

func (m *Machine) recordPledge(f view.Founding) Position {
	return m.record(recordPledge, nil, view.AppendFounding(nil, f))
}

// recordRaft puts the records of the configuration log on record.
func (m *Machine) recordRaft(records []consensus.Record) {
	for _, r := range records {
		m.record(recordLog, r.Key, r.Value)
	}
}

// recordState persists have and the clock's floor; without the floor a restart with a slow clock
// would write below a version that is kept elsewhere.
func (m *Machine) recordState() {
	if m.config.Volatile {
		m.change()
		return
	}
	m.scratch = codec.AppendUint(m.scratch[:0], uint64(m.clock.Highest()))
	m.scratch = shard.AppendSet(m.scratch, &m.based)
	m.scratch = causal.AppendCoverage(m.scratch, m.store.Have())
	m.record(recordState, nil, m.scratch)
}

// recordDropped removes the record of a key that this node gave up.
func (m *Machine) recordDropped(key string) {
	m.change()
	m.out.Records = append(m.out.Records, Record{Key: append([]byte{recordVersion}, key...)})
}

func (m *Machine) recordVersion(v *store.Version) {
	if m.config.Volatile {
		m.change()
		return
	}
	m.scratch = store.AppendVersion(m.scratch[:0], v)
	m.record(recordVersion, []byte(v.Key), m.scratch)
}

// recorder puts versions on record, nil where nothing is: many keys then change in no time.
func (m *Machine) recorder() func(*store.Version) {
	if m.config.Volatile {
		return nil
	}
	return m.recordVersion
}

// dropper is to recordDropped what recorder is to recordVersion.
func (m *Machine) dropper() func(key string) {
	if m.config.Volatile {
		return nil
	}
	return m.recordDropped
}

func (m *Machine) recordCounters(ceiling uint64) Position {
	return m.record(recordCounters, nil, codec.AppendUint(nil, ceiling))
}

// recordExecuted puts on record that a forward was taken. It replaces the record of the counter that
// shares its place in the window and is too old by it.
func (m *Machine) recordExecuted(life view.LifeID, counter uint64) Position {
	if m.config.Volatile {
		return m.change()
	}
	id := codec.AppendUint(codec.AppendFixed64(nil, uint64(life)), counter%executedWindow)
	return m.record(recordExecuted, id, codec.AppendUint(nil, counter))
}

// restore applies the records of earlier boots.
func (m *Machine) restore(records []Record) error {
	m.newborn = len(records) == 0
	if m.newborn != (m.position == 0) {
		return fmt.Errorf("%w: %d records at position %d", ErrDamaged, len(records), m.position)
	}
	if m.newborn {
		return nil
	}
	last := lastOfKeys(records)
	versions := 0
	for i := range records {
		if len(records[i].Key) > 0 && records[i].Key[0] == recordVersion {
			versions++
		}
	}
	var have causal.Coverage
	var log []consensus.Record
	m.newborn = true // unless there is more than imports
	for i := range records {
		if last != nil && last[string(records[i].Key)] != i || len(records[i].Value) == 0 && len(records[i].Key) > 0 {
			continue // replaced or removed later
		}
		if err := m.restoreRecord(&records[i], &have, &log); err != nil {
			return err
		}
		if records[i].Key[0] == recordState { // on a disk before all versions
			held := have.Slots()
			m.store.Expect(versions / max(held.Len(), 1))
		}
		m.newborn = m.newborn && (records[i].Key[0] == recordFormat || records[i].Key[0] == recordImport)
	}
	m.newborn = m.newborn && m.imports.whole
	m.store.Restored(have)
	m.claimed, m.claimedAt = have.Clone(), m.position
	m.counter = m.reserved
	if err := m.checkRestored(); err != nil || m.restored == nil {
		return err
	}
	return m.openLog(nil, log)
}

// lastOfKeys finds the last record of each key; nil if no key is there twice, as in what is read from a disk, by key.
func lastOfKeys(records []Record) map[string]int {
	distinct := 1
	for distinct < len(records) && bytes.Compare(records[distinct-1].Key, records[distinct].Key) < 0 {
		distinct++
	}
	if distinct == len(records) {
		return nil
	}
	last := make(map[string]int, len(records))
	for i := range records {
		last[string(records[i].Key)] = i
	}
	return last
}

// checkRestored compares what is on record with how this node was started.
func (m *Machine) checkRestored() error {
	own := view.Founder{Address: m.config.Address, Life: m.founder.Life, Key: m.founder.Key}
	switch {
	case len(m.imports.pending) > 0 && !m.imports.whole:
		return fmt.Errorf("%w: a restore that made them was cut short; restore into an empty directory again", ErrRecords)
	case m.newborn:
	case m.founder.Life == 0:
		return fmt.Errorf("%w: no life among them", ErrDamaged)
	case m.restored != nil && !m.ownAddress(m.restored):
		return fmt.Errorf("%w: they are those of %s in store %016x, and this node is %s: give it a directory of its own, or start it at that address",
			ErrRecords, m.recordedAddress(), uint64(m.restored.Cluster), m.config.Address)
	case m.restored == nil && len(m.pledgeOnRecord.Founders) > 0:
		// Otherwise the old list could form among the others while this node pledges a new one.
		addresses := make([]string, len(m.pledgeOnRecord.Founders))
		for i, f := range m.pledgeOnRecord.Founders {
			addresses[i] = f.Address
		}
		count := m.pledgeOnRecord.ShardCount
		if !slices.Equal(addresses, m.config.View) || !slices.Contains(m.pledgeOnRecord.Founders, own) ||
			m.config.ShardCount != 0 && m.config.ShardCount != count {
			return fmt.Errorf("%w: this node, %s, has agreed to form a store of %s with VIEW=%s; start it so, or without its records",
				ErrRecords, m.config.Address, counted(count, "shard"), strings.Join(addresses, ","))
		}
	}
	return nil
}

// ownAddress tells whether a configuration knows this life at its address, or not any more at all.
func (m *Machine) ownAddress(c *view.Configuration) bool {
	i := c.MemberOf(m.founder.Life)
	return i < 0 && c.HasEnded(m.founder.Life) || i >= 0 && c.Members[i].Address == m.config.Address
}

// recordedAddress is where the store on record knows this life.
func (m *Machine) recordedAddress() string {
	if i := m.restored.MemberOf(m.founder.Life); i >= 0 {
		return m.restored.Members[i].Address
	}
	return "a node that is no member"
}

func (m *Machine) restoreRecord(record *Record, have *causal.Coverage, log *[]consensus.Record) error {
	if len(record.Key) == 0 {
		return fmt.Errorf("%w: empty key", ErrDamaged)
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
	case recordAddresses:
		addresses := make([]string, r.Count(1))
		for i := range addresses {
			addresses[i] = r.String()
		}
		m.config.ask(addresses)
	case recordPledge:
		m.pledgeOnRecord = view.ReadFounding(&r)
	case recordConfiguration:
		m.restored, m.adoptedAt = view.ReadConfiguration(&r), m.position
	case recordLog:
		*log = append(*log, consensus.Record{Key: record.Key[1:], Value: record.Value})
		r, id = codec.NewReader(nil), codec.NewReader(nil)
	case recordState:
		m.clock.Observe(hlc.Time(r.Uint()))
		m.based = shard.ReadSet(&r)
		*have = causal.ReadCoverage(&r)
	case recordCounters:
		m.reserved = r.Uint()
	case recordExecuted:
		life := view.LifeID(id.Fixed64())
		id.Uint() // the place in the window
		m.executedBy(life).take(r.Uint())
	case recordImport:
		if len(record.Key) == 1 {
			m.imports.whole, m.imports.total = true, r.Uint()
		} else {
			m.imports.pending = append(m.imports.pending, pendingImport{number: id.Fixed64(), Saved: ReadSaved(&r)})
		}
	case recordVersion:
		v := store.ReadVersion(&r)
		m.store.Offer(&v, uint64(m.position))
		id = codec.NewReader(nil)
	default:
		return fmt.Errorf("%w: unknown kind %q", ErrDamaged, record.Key[0])
	}
	if r.Close() != nil || id.Close() != nil {
		return fmt.Errorf("%w: malformed record of kind %q", ErrDamaged, record.Key[0])
	}
	return nil
}

// AppendState appends a canonical rendering of the state that matters to others: for digests, and
// for comparing machines.
func (m *Machine) AppendState(buf []byte) []byte {
	buf = codec.AppendFixed64(buf, uint64(m.founder.Life))
	if m.configuration != nil {
		buf = view.AppendConfiguration(buf, m.configuration)
	}
	buf = codec.AppendUint(buf, uint64(m.position))
	buf = codec.AppendUint(buf, uint64(m.clock.Highest()))
	buf = causal.AppendCoverage(buf, m.store.Have())
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
