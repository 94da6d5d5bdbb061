package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/sequitur-kv/sequitur/core"
)

// Sizes of Pebble, in bytes. A node reads its records only when it starts, so there is no use for a cache.
const (
	memTableSize = 16 << 20
	cacheSize    = 1 << 20
)

// store is Pebble, opened once.
type store struct {
	db        *pebble.DB
	logger    *slog.Logger
	watermark *watermark
	failed    chan struct{} // closed when Pebble cannot go on

	once  sync.Once
	fault error       // why; set before failed is closed
	stuck atomic.Bool // a goroutine of Pebble was left behind: it cannot be closed any more
	ready atomic.Bool // it is open
}

// What a store is opened for. Reading changes nothing in the directory.
const (
	forReading = true
	forWriting = false
)

// openStore opens the database in a directory, which it makes.
func openStore(fs vfs.FS, dir string, logger *slog.Logger, watermark *watermark, readOnly bool) (*store, error) {
	s := &store{logger: logger, watermark: watermark, failed: make(chan struct{})}
	err := s.guard(func() (err error) {
		s.db, err = pebble.Open(dir, s.options(fs, readOnly))
		return err
	})
	if err != nil {
		return nil, err // Pebble has closed what it had opened
	}
	s.ready.Store(true)
	return s, nil
}

// guard calls f. If Pebble finds meanwhile that it cannot go on, f may never return: then it is left behind, and
// the database with it.
func (s *store) guard(f func() error) error {
	result := make(chan error, 1)
	go func() { result <- f() }()
	select {
	case err := <-result:
		return err
	case <-s.failed:
	}
	select {
	case err := <-result: // of damage, say, which f saw as well
		return errors.Join(s.fault, err)
	case <-time.After(time.Second):
		s.stuck.Store(true)
		return s.fault
	}
}

// slabSize is how much memory for records is made at a time: a call for each takes longer than reading it.
const slabSize = 256 << 10

// read returns all records, and the position up to which they are there. It calls found with every one.
func (s *store) read(found func()) (records []core.Record, position core.Position, err error) {
	err = s.guard(func() error {
		var slab []byte
		iterator, err := s.db.NewIter(nil)
		if err != nil {
			return err
		}
		for valid := iterator.First(); valid && err == nil; valid = iterator.Next() {
			var value []byte
			if value, err = iterator.ValueAndErr(); err != nil {
				break
			}
			switch key := iterator.Key(); {
			case len(key) > 0 && key[0] != positionKey[0]:
				if size := len(key) + len(value); size > cap(slab)-len(slab) {
					slab = make([]byte, 0, max(size, slabSize))
				}
				begin, middle := len(slab), len(slab)+len(key)
				slab = append(append(slab, key...), value...)
				records = append(records, core.Record{Key: slab[begin:middle:middle], Value: slab[middle:len(slab):len(slab)]})
				found()
			case len(key) == 1 && len(value) == 8:
				position = core.Position(binary.BigEndian.Uint64(value))
			default:
				err = fmt.Errorf("no node writes a record with the key %x", key)
			}
		}
		return errors.Join(err, iterator.Close())
	})
	if err != nil {
		return nil, 0, err // what was read may still be written to
	}
	return records, position, nil
}

func (s *store) options(fs vfs.FS, readOnly bool) *pebble.Options {
	return &pebble.Options{
		FS: fileSystem{fs, s}, ReadOnly: readOnly, Logger: s, CacheSize: cacheSize, MemTableSize: memTableSize,
		// WAL chunks that tell a torn end from damage, so that damage is never taken for the end.
		FormatMajorVersion: pebble.FormatWALSyncChunks,
		EventListener: &pebble.EventListener{
			BackgroundError: s.troubled,
			DiskSlow:        func(info pebble.DiskSlowInfo) { s.logger.Warn("the disk is slow", "what", info.String()) },
			DataCorruption: func(info pebble.DataCorruptionInfo) {
				s.fail(fmt.Errorf("%s: %w", info.Path, info.Details))
			},
		},
	}
}

// troubled hears of a flush or a compaction that failed. Pebble tries again, and opening waits for that.
func (s *store) troubled(err error) {
	if s.ready.Load() {
		s.logger.Warn("the data directory cannot be tidied, for now", "error", err)
	} else {
		s.fail(err)
	}
}

// fail notes that nothing can be written any more. The first one says why.
func (s *store) fail(err error) {
	s.once.Do(func() {
		s.fault = err
		close(s.failed)
	})
}

// err is why nothing can be written any more; nil if it can.
func (s *store) err() error {
	select {
	case <-s.failed:
		return s.fault
	default:
		return nil
	}
}

// close closes the database, if it can be closed.
func (s *store) close() error {
	if s.stuck.Load() {
		return nil
	}
	return s.guard(s.db.Close)
}

// Infof, Errorf and Fatalf are Pebble's way to talk.
func (s *store) Infof(format string, args ...any) {
	s.logger.Debug("pebble: " + fmt.Sprintf(format, args...))
}

func (s *store) Errorf(format string, args ...any) {
	s.logger.Warn("pebble: " + fmt.Sprintf(format, args...))
}

// Fatalf must not return. Who waits for the goroutine learns why from failed.
func (s *store) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	for _, arg := range args { // the text alone would not tell what kind it is
		if cause, ok := arg.(error); ok {
			err = cause
		}
	}
	s.strand(err)
}

// strand leaves a goroutine of Pebble behind, which cannot go on. It must not even end: what it defers would unlock
// what is not locked, and that ends the process.
func (s *store) strand(err error) {
	s.stuck.Store(true)
	s.fail(err)
	select {}
}

// explain says what an error of Pebble means to who runs the node.
func (l *Log) explain(err error) error {
	switch {
	case err == nil, errors.Is(err, ErrCorrupt):
		return err
	case errors.Is(err, syscall.ENOSPC) && l.fills:
		return fmt.Errorf("disk: no space left for the data directory %s: make room (%w)", l.dir, err)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("disk: no space left for the data directory %s: make room and start the node again, nothing that was acknowledged is lost (%w)", l.dir, err)
	case errors.Is(err, os.ErrPermission):
		return l.refusal("cannot be written", err)
	case l.fills, errors.As(err, new(syscall.Errno)) && !errors.Is(err, syscall.ENOENT):
		return fmt.Errorf("disk: the data directory %s: %w", l.dir, err)
	default: // what is no trouble of the operating system is one of the content
		return fmt.Errorf("%w: the data in %s cannot be trusted any more; the other nodes have copies: start with --replace-corrupt to set it aside and return without memory (%w)", ErrCorrupt, l.dir, err)
	}
}
