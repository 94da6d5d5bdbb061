package netsim

import (
	"encoding/binary"
	"errors"

	"github.com/cespare/xxhash/v2"
)

// ErrMessageChanged is the violation of a node that changed a message after it
// sent it; Config.Clone prevents that.
var ErrMessageChanged = errors.New("netsim: the message changed between send and delivery; set Config.Clone, or do not touch what was sent")

// The digest is one stream of bytes with fixed widths. Everything that one event
// does is gathered in w.scratch and hashed at once.

func (w *World[M]) note(kind eventKind, id NodeID) {
	w.scratch = binary.LittleEndian.AppendUint64(w.scratch, uint64(w.now))
	w.scratch = append(w.scratch, byte(kind), byte(id))
}

func (w *World[M]) noteNumber(x uint64) {
	w.scratch = binary.LittleEndian.AppendUint64(w.scratch, x)
}

// noteMessage adds the encoded message and returns the hash of its bytes.
func (w *World[M]) noteMessage(m M) uint64 {
	if w.config.Encode == nil {
		return 0
	}
	start := len(w.scratch)
	w.scratch = w.config.Encode(w.scratch, m)
	return xxhash.Sum64(w.scratch[start:])
}

func (w *World[M]) noteSend(from, to NodeID, m M, after Position) uint64 {
	w.note(outputSend, from)
	w.scratch = append(w.scratch, byte(to))
	w.noteNumber(uint64(after))
	return w.noteMessage(m)
}

// noteDelivery adds the message as it is now, and stops the run when that is not
// what was sent.
func (w *World[M]) noteDelivery(e *event[M]) {
	w.note(eventDeliver, e.node)
	w.scratch = append(w.scratch, byte(e.from))
	if w.noteMessage(e.message) != e.sum {
		panic(ErrMessageChanged)
	}
}

func (w *World[M]) noteFault(kind eventKind, f *runningFault) {
	w.note(kind, NoNode)
	w.scratch = append(w.scratch, byte(f.Kind))
	w.noteNumber(f.touched)
}

// flush hashes what was noted since the last call.
func (w *World[M]) flush() {
	_, _ = w.hash.Write(w.scratch) // a hash never fails
	w.scratch = w.scratch[:0]
}

// Digest identifies the run so far: time, node, kind and contents of every event
// and output, the number of events, and the present state of each node that is a
// Stater. The same configuration gives the same digest on every platform.
func (w *World[M]) Digest() uint64 {
	hash := w.hash
	buf := binary.LittleEndian.AppendUint64(nil, w.count)
	buf = binary.LittleEndian.AppendUint64(buf, uint64(w.now))
	for i := range w.nodes {
		if stater, ok := w.nodes[i].node.(Stater); ok {
			start := len(buf)
			buf = stater.AppendState(buf)
			buf = binary.LittleEndian.AppendUint64(buf, uint64(len(buf)-start))
		}
	}
	_, _ = hash.Write(w.scratch)
	_, _ = hash.Write(buf)
	return hash.Sum64()
}
