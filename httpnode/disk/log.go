// Package disk keeps what a node must not lose in a directory: the records of its machine, in Pebble.
// It knows of a record only that it has a key, and replaces the earlier one with the same key.
package disk

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/sequitur-kv/sequitur/core"
)

// Keys of Pebble. Those of records begin with a byte that is not zero.
var (
	positionKey = []byte{0} // the position up to which everything is there, 8 bytes, most significant first
	firstRecord = []byte{1}
	beyond      = []byte{0xFF}
)

// Options of Open. The zero value is ready to use.
type Options struct {
	// SetAside has damaged data moved out of the way, into a directory within, where it is left. The
	// node starts without memory then.
	SetAside bool

	Logger *slog.Logger // nil: discard
	FS     vfs.FS       // nil: that of the operating system; Pebble's others are for tests
}

// Log is the log of one node, as httpnode.Log wants it. Make one with Open.
type Log struct {
	dir       string
	fs        vfs.FS
	logger    *slog.Logger
	setsAside bool
	lock      io.Closer // on the directory

	watermark *watermark
	known     mark // where the watermark was
	store     *store
	advanced  func(core.Position, error)
	written   chan struct{} // closed when the writer has ended; nil before Start

	mu      sync.Mutex
	work    sync.Cond     // signalled when there is more to write, or nothing more will come
	pending *pebble.Batch // appended, and not being written yet; nil: nothing
	spare   *pebble.Batch // written, to be used again
	end     core.Position // of what was appended
	durable core.Position
	closing bool
	fault   error // of the first append that was refused
}

// Open claims the directory, which is made if there is none. It changes nothing in a directory that it
// refuses. Errors: ErrForeign, ErrNewer, ErrInUse, or those of the operating system, with a text that says what
// to do. The caller closes the log.
func Open(dir string, options Options) (*Log, error) {
	l := &Log{dir: dir, fs: options.FS, logger: options.Logger, setsAside: options.SetAside}
	l.work.L = &l.mu
	if l.fs == nil {
		l.fs = vfs.Default
	}
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
	if err := l.claim(); err != nil {
		return nil, err
	}
	var err error
	if l.watermark, l.known, err = openWatermark(l.fs, l.path(watermarkName)); err != nil {
		return nil, errors.Join(l.explain(err), l.lock.Close())
	}
	return l, nil
}

// Restore reads everything back, before anything is changed. Errors: ErrCorrupt, or those of the
// operating system.
func (l *Log) Restore() ([]core.Record, core.Position, error) {
	records, position, err := l.read()
	if errors.Is(err, ErrCorrupt) && l.setsAside {
		records, position, err = nil, 0, l.replace(err)
	}
	if err == nil {
		l.store, err = l.openStore(forWriting)
	}
	if err != nil {
		return nil, 0, err
	}
	l.end, l.durable = position, position
	return records, position, nil
}

func (l *Log) openStore(readOnly bool) (*store, error) {
	s, err := openStore(l.fs, l.path(storeName), l.logger, l.watermark, readOnly)
	return s, l.explain(err)
}

func (l *Log) read() ([]core.Record, core.Position, error) {
	switch _, err := l.fs.Stat(l.path(storeName)); {
	case errors.Is(err, os.ErrNotExist) && l.known.position == 0:
		return nil, 0, nil
	case err != nil:
		return nil, 0, l.explain(err)
	}
	if whole, err := l.known.holds(l.fs, l.path(storeName)); err != nil || !whole {
		return nil, 0, l.explain(cmp.Or(err, fmt.Errorf("%s is not as it was", l.known.manifest)))
	}
	s, err := l.openStore(forReading)
	switch {
	case errors.Is(err, pebble.ErrDBDoesNotExist) && l.known.position == 0:
		return nil, 0, nil // the first start ended before Pebble had made it
	case err != nil:
		return nil, 0, err
	}
	records, position, err := s.read()
	if err == nil && position < l.known.position {
		err = fmt.Errorf("it ends at position %d, and was durable up to %d", position, l.known.position)
	}
	return records, position, l.explain(errors.Join(err, s.close()))
}

// replace sets the damaged store aside, so that an empty one takes its place.
func (l *Log) replace(damage error) error {
	aside, err := l.setAside()
	if err != nil {
		return errors.Join(damage, err)
	}
	l.logger.Warn("damaged data is set aside; the node starts without memory", "directory", aside, "damage", damage)
	return l.explain(l.watermark.update(func(m *mark) { *m = mark{} }))
}

// Start begins to write.
func (l *Log) Start(advanced func(core.Position, error)) {
	l.advanced = advanced
	l.written = make(chan struct{})
	go l.write()
	go l.watch()
}

// Append queues records. It never waits for the disk.
func (l *Log) Append(forget bool, records []core.Record, position core.Position) core.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pending == nil {
		if l.pending, l.spare = l.spare, nil; l.pending == nil {
			l.pending = l.store.db.NewBatch()
		}
	}
	if err := enqueue(l.pending, forget, records); err != nil && l.fault == nil {
		l.fault = err
	}
	l.end = position
	l.work.Signal()
	return l.durable
}

func enqueue(batch *pebble.Batch, forget bool, records []core.Record) (err error) {
	if forget {
		err = batch.DeleteRange(firstRecord, beyond, nil)
	}
	for i := range records {
		if r := &records[i]; len(r.Value) == 0 {
			err = errors.Join(err, batch.Delete(r.Key, nil))
		} else {
			err = errors.Join(err, batch.Set(r.Key, r.Value, nil))
		}
	}
	return err
}

// write writes one batch after the other: what was appended while one was written makes the next.
func (l *Log) write() {
	defer close(l.written) // Pebble may end this goroutine
	for {
		batch, position, err := l.take()
		if batch == nil {
			return
		}
		if err == nil {
			var value [8]byte
			binary.BigEndian.PutUint64(value[:], uint64(position))
			if err = batch.Set(positionKey, value[:], nil); err == nil {
				err = batch.Commit(pebble.Sync)
			}
			if err == nil {
				err = l.watermark.reach(position)
			}
		}
		if err != nil {
			l.store.fail(err)
			return
		}
		batch.Reset()
		l.mu.Lock()
		l.durable, l.spare = position, batch
		l.mu.Unlock()
		l.advanced(position, nil)
	}
}

// take waits for something to write; the batch is nil when nothing more will come.
func (l *Log) take() (*pebble.Batch, core.Position, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.pending == nil && !l.closing {
		l.work.Wait()
	}
	batch := l.pending
	l.pending = nil
	return batch, l.end, l.fault
}

// watch tells of a failure: Pebble may find one with locks of its own held, so it is told from here.
func (l *Log) watch() {
	select {
	case <-l.store.failed:
	case <-l.written:
	}
	if err := l.store.err(); err != nil {
		l.advanced(0, l.explain(err))
	}
}

// Close writes what was appended and frees everything.
func (l *Log) Close() error {
	l.mu.Lock()
	l.closing = true
	l.work.Signal()
	l.mu.Unlock()
	if l.written != nil {
		<-l.written
	}
	var err error
	if l.store != nil {
		err = l.store.close()
	}
	return errors.Join(err, l.watermark.close(), l.lock.Close())
}
