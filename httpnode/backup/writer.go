package backup

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"

	"github.com/sequitur-kv/sequitur/core"
)

// Writer writes a backup. Make one with NewWriter.
type Writer struct {
	to      io.Writer
	sum     *xxhash.Digest
	block   []byte // that is being filled: room for its length, and its payload
	summary Summary
}

// NewWriter begins a backup. Each block is one call of to.Write.
func NewWriter(to io.Writer, header Header) (*Writer, error) {
	w := &Writer{to: to, sum: xxhash.New()}
	first := fmt.Appendf(nil, "%s%d\n", title, Format)
	_, _ = w.sum.Write(first)
	if _, err := to.Write(first); err != nil {
		return nil, err
	}
	if err := w.encode(headerBlock, header); err != nil {
		return nil, err
	}
	w.begin(entriesBlock)
	return w, nil
}

// Add appends an entry.
func (w *Writer) Add(s *core.Saved) error {
	w.block = core.AppendSaved(w.block, s)
	if s.Deleted {
		w.summary.Deletions++
	} else {
		w.summary.Keys++
	}
	if len(w.block) < blockSize {
		return nil
	}
	if err := w.flush(); err != nil {
		return err
	}
	w.begin(entriesBlock)
	return nil
}

// Close writes the rest, without which the backup is not whole. It does not close what it writes to.
func (w *Writer) Close() error {
	if err := w.flush(); err != nil {
		return err
	}
	return w.encode(summaryBlock, w.summary)
}

func (w *Writer) encode(kind byte, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	w.begin(kind)
	w.block = append(w.block, text...)
	return w.flush()
}

func (w *Writer) begin(kind byte) { w.block = append(w.block[:0], 0, 0, 0, 0, kind) }

// flush writes the block.
func (w *Writer) flush() error {
	binary.BigEndian.PutUint32(w.block, uint32(len(w.block)-4))
	_, _ = w.sum.Write(w.block) // never fails
	sum := w.sum.Sum64()
	w.block = binary.BigEndian.AppendUint64(w.block, sum)
	_, _ = w.sum.Write(w.block[len(w.block)-8:])
	_, err := w.to.Write(w.block)
	return err
}
