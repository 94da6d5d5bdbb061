// Package disk keeps what a node must not lose in a directory: the records of its machine, in Pebble.
// It knows of a record only that it has a key, and replaces the earlier one with the same key.
package disk

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

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

	// MinFree is how many bytes of the file system are to be left free: with less nothing new is begun. 0 stands for
	// DefaultMinFree, or a twentieth of the file system if that is less.
	MinFree uint64

	Logger *slog.Logger // nil: discard
	FS     vfs.FS       // nil: that of the operating system; Pebble's others are for tests
}

// Log is the log of one node, as httpnode.Log wants it. Make one with Open.
type Log struct {
	dir       string
	fs        vfs.FS
	logger    *slog.Logger
	setsAside bool
	fills     bool // see Filling
	minFree   uint64
	lock      io.Closer // on the directory

	watermark *watermark
	known     mark // where the watermark was
	store     *store
	shut      bool // the store is closed
	advanced  func(core.Position, error)
	written   chan struct{} // closed when the writer has ended; nil before Start

	committing chan struct{}  // holds an element while something is written that is not synced yet
	reading    sync.WaitGroup // snapshots that are open

	restored atomic.Uint64 // records that were read back
	told     time.Time     // when a log line said so

	mu      sync.Mutex
	work    sync.Cond     // signalled when there is more to write, or nothing more will come
	pending group         // appended, and not being written yet
	end     core.Position // of what was appended
	durable core.Position
	closing bool
}

// Open claims the directory, which is made if there is none. It changes nothing in a directory that it
// refuses. Errors: ErrForeign, ErrPartial, ErrNewer, ErrInUse, or those of the operating system, with a text that says what
// to do. The caller closes the log.
func Open(dir string, options Options) (*Log, error) {
	l := newLog(dir, options)
	if err := l.open(); err != nil {
		return nil, err
	}
	return l, nil
}

func newLog(dir string, options Options) *Log {
	l := &Log{dir: dir, fs: options.FS, logger: options.Logger, setsAside: options.SetAside, minFree: options.MinFree, committing: make(chan struct{}, 1)}
	l.work.L = &l.mu
	if l.fs == nil {
		l.fs = vfs.Default
	}
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
	return l
}

func (l *Log) open() (err error) {
	if err := l.claim(); err != nil {
		return err
	}
	if l.watermark, l.known, err = openWatermark(l.fs, l.path(watermarkName)); err != nil {
		return errors.Join(l.explain(err), l.lock.Close())
	}
	return nil
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
	switch info, err := l.fs.Stat(l.path(storeName)); {
	case errors.Is(err, os.ErrNotExist) && l.known.position == 0:
		return nil, 0, nil
	case err != nil:
		return nil, 0, l.explain(err)
	case !info.IsDir():
		return nil, 0, l.explain(fmt.Errorf("%s is no directory", l.path(storeName)))
	}
	if whole, err := l.known.holds(l.fs, l.path(storeName)); err != nil || !whole {
		return nil, 0, l.explain(cmp.Or(err, fmt.Errorf("%s is not as it was", l.known.manifest)))
	}
	s, err := l.openStore(forReading)
	switch {
	case errors.Is(err, pebble.ErrDBDoesNotExist) && l.known.position == 0:
		return nil, 0, l.unmade()
	case err != nil:
		return nil, 0, err
	}
	records, position, err := s.read(l.found)
	if err == nil && position < l.known.position {
		err = fmt.Errorf("it ends at position %d, and was durable up to %d", position, l.known.position)
	}
	return records, position, l.explain(errors.Join(err, s.close()))
}

// unmade checks a store that has no manifest, and of which nothing was durable as far as is known: the first start
// ended before Pebble had made it, and then nothing was written either.
func (l *Log) unmade() error {
	names, err := l.fs.List(l.path(storeName))
	if err != nil {
		return l.explain(err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") && !strings.HasSuffix(name, ".log") {
			continue
		}
		info, err := l.fs.Stat(l.fs.PathJoin(l.path(storeName), name))
		if err != nil {
			return l.explain(err)
		}
		if info.Size() > 0 { // Pebble makes a first log before its manifest counts, and writes to it afterwards
			return l.explain(fmt.Errorf("it has %s and no manifest", name))
		}
	}
	return nil
}

// found counts a record that is read back, and tells of it now and then.
func (l *Log) found() {
	const often, interval = 1 << 12, 2 * time.Second
	n := l.restored.Add(1)
	if n%often != 0 {
		return
	}
	switch now := time.Now(); {
	case l.told.IsZero():
		l.told = now
	case now.Sub(l.told) >= interval:
		l.told = now
		l.logger.Info("reading back what was stored", "records", n)
	}
}

// Restored counts the records that Restore has read back; it may be called meanwhile.
func (l *Log) Restored() uint64 { return l.restored.Load() }

// replace sets the damaged store aside, so that an empty one takes its place.
func (l *Log) replace(damage error) error {
	aside, err := l.setAside()
	if err != nil {
		return errors.Join(damage, err)
	}
	l.logger.Warn("damaged data is set aside; the node starts without memory", "directory", aside, "damage", damage)
	return l.explain(l.watermark.clear())
}

// Replace sets aside what Restore has returned, as somebody who understands it finds it damaged, if Options.SetAside
// says so. Errors: ErrCorrupt, or those of the operating system.
func (l *Log) Replace(damage error) error {
	damage = l.explain(damage)
	if !l.setsAside {
		return damage
	}
	err := l.store.close()
	l.store = nil
	if err = errors.Join(err, l.replace(damage)); err != nil {
		return err
	}
	l.end, l.durable = 0, 0
	l.store, err = l.openStore(forWriting)
	return err
}

// Start begins to write.
func (l *Log) Start(advanced func(core.Position, error)) {
	l.advanced = advanced
	l.written = make(chan struct{})
	go l.write()
	go l.watch()
}

// DefaultMinFree is Options.MinFree on a large disk: what was appended within a second, and what Pebble needs to
// tidy up, fit into it.
const DefaultMinFree = 256 << 20 // bytes

// Space tells how many bytes of the file system are free, and how many are to be left. It may block.
func (l *Log) Space() (free, least uint64, err error) {
	usage, err := l.fs.GetDiskUsage(l.dir)
	if err != nil {
		return 0, 0, fmt.Errorf("disk: the file system of %s: %w", l.dir, err)
	}
	if l.minFree > 0 {
		return usage.AvailBytes, l.minFree, nil
	}
	return usage.AvailBytes, min(DefaultMinFree, usage.TotalBytes/20), nil
}

// Append queues records. It never waits for the disk.
func (l *Log) Append(forget bool, records []core.Record, position core.Position) core.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending.add(forget, records)
	l.end = position
	l.work.Signal()
	return l.durable
}

// write writes one group after the other: what was appended while one was written makes the next.
func (l *Log) write() {
	defer close(l.written)
	batch := l.store.db.NewBatch()
	for g := new(group); ; {
		position, more := l.take(g)
		if !more {
			return
		}
		err := g.encode(batch, position)
		if err == nil {
			err = l.commit(batch, position)
		}
		if err != nil {
			l.store.fail(err)
			return
		}
		batch.Reset()
		g.reset()
		l.mu.Lock()
		l.durable = position
		l.mu.Unlock()
		l.advanced(position, nil)
	}
}

func (l *Log) commit(batch *pebble.Batch, position core.Position) error {
	l.committing <- struct{}{}
	defer func() { <-l.committing }()
	if err := batch.Commit(pebble.Sync); err != nil {
		return err
	}
	return l.watermark.reach(position)
}

// take waits for something to write, and swaps it for an empty group. There is nothing more when the log closes.
func (l *Log) take(g *group) (position core.Position, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.end == l.durable && !l.closing {
		l.work.Wait()
	}
	// Whoever is about to append something does it first, if anybody is: groups grow with the load.
	l.mu.Unlock()
	runtime.Gosched()
	l.mu.Lock()
	l.pending, *g = *g, l.pending
	return l.end, l.end != l.durable
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
	return errors.Join(l.closeStore(), l.watermark.close(), l.lock.Close())
}

// closeStore writes what was appended and closes the store, if it is open.
func (l *Log) closeStore() error {
	l.mu.Lock()
	l.closing = true
	l.work.Signal()
	l.mu.Unlock()
	if l.store == nil || l.shut {
		return nil
	}
	l.shut = true
	_ = l.store.guard(func() error { // watch tells of the error
		if l.written != nil {
			<-l.written
		}
		l.reading.Wait()
		return nil
	})
	return l.store.close()
}
