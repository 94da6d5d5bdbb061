package core

import (
	"time"

	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// How much of a restore is done at a time, for the sake of clients.
const (
	importBatch  = 64 // begun in one Step, and then not before what they did here is durable
	importWindow = 64 // with other nodes
)

// importMark tells the request of an import from those of clients; the rest is the number of the import.
const importMark RequestID = 1 << 63

// imports is what this node brings from a backup into the store that it belongs to. Each is a write of
// its own: an owner of the key makes it under the time of the original, unless it has a version that is as new.
// So the order makes no difference, nor how often one is made, and nothing new is overwritten.
type imports struct {
	whole   bool   // the restore that put them on record was not cut short, and not all are done
	total   uint64 // that were on record then
	pending []pendingImport
	failed  []pendingImport // to be tried again
	active  int             // with other nodes
	paced   Position        // no more before this one is durable
	resume  time.Duration   // when those that failed are tried again
}

// pendingImport is an import under its number.
type pendingImport struct {
	number uint64
	Saved
}

// left counts what is not known to be durable at an owner.
func (i *imports) left() uint64 { return uint64(len(i.pending) + len(i.failed) + i.active) }

// importSome begins imports, as many as clients do not notice, once this node belongs to a store.
func (m *Machine) importSome() {
	i := &m.imports
	if !i.whole || m.configuration == nil || m.refusal != "" || m.durable < i.paced || m.noRoom {
		return
	}
	if len(i.pending) == 0 && len(i.failed) > 0 && m.mono >= i.resume {
		i.pending, i.failed = i.failed, nil
	}
	for range importBatch {
		if len(i.pending) == 0 || i.active >= importWindow {
			break
		}
		next := i.pending[0]
		i.pending[0] = pendingImport{}
		i.pending = i.pending[1:]
		i.active++
		m.current = call{op: wire.OpPut, key: next.Key, value: next.Value, time: next.Time, request: importMark | RequestID(next.number), timer: -1, place: -1}
		if next.Deleted {
			m.current.op = wire.OpDelete
		}
		m.current.slot = shard.SlotOf(next.Key)
		m.route(&m.current)
	}
	if m.dirty {
		i.paced = m.position + 1
	}
	if i.left() == 0 {
		m.record(recordImport, nil, nil)
		m.log("the restore is done: the store has all %d keys of it, or newer versions", i.total)
		m.imports = imports{}
	}
}

// importsDue is when importSome may have something to do that no other input tells of.
func (m *Machine) importsDue() (due time.Duration, ok bool) {
	i := &m.imports
	switch {
	case !i.whole || m.configuration == nil || m.refusal != "" || m.durable < i.paced || m.noRoom || i.active >= importWindow:
		return 0, false
	case len(i.pending) > 0:
		return m.mono, true
	case len(i.failed) > 0:
		return i.resume, true
	default:
		return 0, false
	}
}

// imported takes how an import ended. When it did not, it is made again: nothing is lost by that if it was made all
// the same.
func (m *Machine) imported(c *call, r result) {
	i := &m.imports
	number := uint64(c.request &^ importMark)
	i.active--
	if r.status.Succeeded() && !m.noRoom { // else it cannot be put on record that it is done
		m.record(recordImport, codec.AppendFixed64(nil, number), nil)
		return
	}
	m.probe(ProbeImportFailed)
	i.resume = m.mono + m.config.RetryInterval
	i.failed = append(i.failed, pendingImport{number, Saved{Key: c.key, Value: c.value, Deleted: c.op == wire.OpDelete, Time: c.time}})
}

// recordImports puts those that are not done on record once more, for a new life.
func (m *Machine) recordImports() {
	i := &m.imports
	if !i.whole {
		return
	}
	i.pending, i.failed = append(i.pending, i.failed...), nil
	for _, p := range i.pending {
		r := ImportRecord(p.number, &p.Saved)
		m.record(recordImport, r.Key[1:], r.Value)
	}
	m.record(recordImport, nil, codec.AppendUint(nil, i.total))
}
