package disk

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/sequitur-kv/sequitur/core"
)

// partText is what the marker says as long as a directory is being filled. Releases that do not know it refuse the
// directory as well, since it names no format.
const partText = "Data directory of a Sequitur node, not whole: a restore is under way or was interrupted\n"

// unitSize is how many bytes become durable together, at least.
const unitSize = 1 << 20

// Filling is a data directory that is being filled with records, as by a restore. Until it is complete, Open refuses
// the directory with ErrPartial, whenever this process ends, and whatever a power cut leaves. Use it from one goroutine.
type Filling struct {
	log      *Log
	position core.Position
	unit     []core.Record
	size     int        // of the records of unit, in bytes
	enough   int        // of them, in bytes, to become durable together
	reached  chan error // one element for each position, or one if there will be no more
}

// Vacant tells whether Fill can have a directory: there is none, or nothing is in it but what another Filling left
// that was never complete. A nil fs stands for that of the operating system. Errors: ErrOccupied, or those of the
// operating system.
func Vacant(fs vfs.FS, dir string) error {
	if fs == nil {
		fs = vfs.Default
	}
	names, err := fs.List(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("disk: the data directory %s cannot be read: %w", dir, err)
	}
	if partial(fs, dir) {
		names = slices.DeleteFunc(names, func(name string) bool {
			return name == markerName || name == storeName || name == watermarkName
		})
	}
	if other := foreign(names); other != "" {
		return fmt.Errorf("%w: %s is not empty (it holds %s); restore into a new or empty directory", ErrOccupied, dir, other)
	}
	return nil
}

// partial tells whether the marker says that a directory is not whole.
func partial(fs vfs.FS, dir string) bool {
	text, err := readFile(fs, fs.PathJoin(dir, markerName))
	return err == nil && string(text) == partText
}

// Fill begins to fill a directory, which is made if there is none. Errors: those of Vacant, ErrInUse. The caller
// closes the result.
func Fill(dir string, options Options) (*Filling, error) {
	l := newLog(dir, options)
	l.fills = true
	if err := l.open(); err != nil {
		return nil, err
	}
	f := &Filling{log: l, enough: unitSize, reached: make(chan error, 1)}
	if _, _, err := l.Restore(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.Start(func(_ core.Position, err error) { f.reached <- err })
	return f, nil
}

// vacate marks a directory as one that is being filled, before anything is in it, and removes what another Filling
// left there. Nobody else gets at the directory any more, but somebody may have had it since it was looked at.
func (l *Log) vacate() error {
	if err := Vacant(l.fs, l.dir); err != nil {
		return err
	}
	err := l.mark(partText)
	if err == nil {
		err = l.fs.RemoveAll(l.path(storeName))
	}
	if err == nil {
		if err = l.fs.Remove(l.path(watermarkName)); errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	return l.explain(err)
}

// Add adds a record; it may wait until those before it are durable. No key may be there twice.
func (f *Filling) Add(r core.Record) error {
	f.unit = append(f.unit, r)
	if f.size += len(r.Key) + len(r.Value); f.size < f.enough {
		return nil
	}
	return f.flush()
}

// flush makes a unit durable.
func (f *Filling) flush() error {
	f.position++
	f.log.Append(false, f.unit, f.position)
	f.unit, f.size = f.unit[:0], 0
	return <-f.reached
}

// Complete makes all of it durable and ends the filling: from now on the directory is one like any other.
func (f *Filling) Complete() error {
	if err := f.flush(); err != nil {
		return err
	}
	if err := errors.Join(f.log.closeStore(), f.log.store.err()); err != nil {
		return f.log.explain(err)
	}
	return f.log.mark(wholeText)
}

// Close frees everything.
func (f *Filling) Close() error { return f.log.Close() }
