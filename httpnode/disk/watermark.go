package disk

import (
	"encoding/binary"
	"errors"
	"os"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/sequitur-kv/sequitur/core"
)

// mark is what is known to be durable: everything up to a position, and that a file of Pebble, its manifest,
// begins with so many bytes of this checksum.
type mark struct {
	position core.Position
	manifest string // name; "": none
	size     int
	sum      uint64 // xxhash
}

// A watermark keeps a mark in a file of its own. Where a store, or its manifest, ends before the mark it has
// been damaged: Pebble takes damage at an end for a write that a crash tore, and goes on with what is before.
// The file is written after each sync and not synced itself, which costs next to nothing: it
// survives the end of the process, and after a power cut it may only be too low.
type watermark struct {
	file vfs.File

	mu   sync.Mutex
	mark mark
}

// openWatermark returns the mark that was there as well; zero: none, or none that can be read.
func openWatermark(fs vfs.FS, path string) (*watermark, mark, error) {
	text, err := readFile(fs, path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, mark{}, err
	}
	file, err := fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, mark{}, err
	}
	found := decodeMark(text)
	return &watermark{file: file, mark: found}, found, nil
}

// update changes the mark.
func (w *watermark) update(change func(*mark)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.mark)
	_, err := w.file.WriteAt(w.mark.encode(), 0)
	return err
}

func (w *watermark) reach(position core.Position) error {
	return w.update(func(m *mark) { m.position = position })
}

// clear begins anew with an empty store. This is synced: the mark of the old one, if it came back after a power cut, would
// say that the new one is damaged.
func (w *watermark) clear() error {
	if err := w.update(func(m *mark) { *m = mark{} }); err != nil {
		return err
	}
	return w.file.Sync()
}

func (w *watermark) close() error { return w.file.Close() }

// markSize is the size of a mark that is encoded, in bytes: checksum, position, size, sum, and a name that is
// filled up with zeros. A write of one sector is not torn.
const markSize = 4*8 + 32

func (m *mark) encode() []byte {
	text := make([]byte, markSize)
	binary.BigEndian.PutUint64(text[8:], uint64(m.position))
	binary.BigEndian.PutUint64(text[16:], uint64(m.size))
	binary.BigEndian.PutUint64(text[24:], m.sum)
	copy(text[32:], m.manifest)
	binary.BigEndian.PutUint64(text, xxhash.Sum64(text[8:]))
	return text
}

func decodeMark(text []byte) (m mark) {
	if len(text) != markSize || binary.BigEndian.Uint64(text) != xxhash.Sum64(text[8:]) {
		return mark{}
	}
	name := text[32:]
	for len(name) > 0 && name[len(name)-1] == 0 {
		name = name[:len(name)-1]
	}
	return mark{
		position: core.Position(binary.BigEndian.Uint64(text[8:])), size: int(binary.BigEndian.Uint64(text[16:])),
		sum: binary.BigEndian.Uint64(text[24:]), manifest: string(name),
	}
}

// holds tells whether the manifest that a mark names, if it is still there, begins as it should.
func (m *mark) holds(fs vfs.FS, store string) (bool, error) {
	if m.manifest == "" {
		return true, nil
	}
	text, err := readFile(fs, fs.PathJoin(store, m.manifest))
	if errors.Is(err, os.ErrNotExist) {
		return true, nil // Pebble has begun another one
	}
	return len(text) >= m.size && xxhash.Sum64(text[:m.size]) == m.sum, err
}
