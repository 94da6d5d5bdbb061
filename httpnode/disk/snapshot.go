package disk

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/sequitur-kv/sequitur/core"
)

// ErrClosed says that a log is closed, or not open yet.
var ErrClosed = errors.New("disk: the log is not open")

// readAhead is how many records are read before anybody looks whether to go on.
const readAhead = 256

// Snapshot calls begin with a position, and then record with all records as they were there: all of them are durable,
// and what is written meanwhile is not among them. The node goes on writing. What record is given is valid during the call. The
// first error ends it, or the end of ctx, or Close. Errors: those, ErrClosed, and those of the operating system.
func (l *Log) Snapshot(ctx context.Context, begin func(core.Position) error, record func(core.Record) error) (err error) {
	if !l.beginReading() {
		return ErrClosed
	}
	defer l.reading.Done()
	select {
	case l.committing <- struct{}{}: // nothing is written that is not synced
	case <-l.store.failed: // so that what is being written may never be
		return l.explain(l.store.err())
	}
	snapshot := l.store.db.NewSnapshot()
	<-l.committing
	defer func() { err = errors.Join(err, snapshot.Close()) }()
	if err := l.store.err(); err != nil {
		return l.explain(err)
	}
	position, err := positionOf(snapshot)
	if err != nil {
		return l.explain(err)
	}
	if err := begin(position); err != nil {
		return err
	}
	return l.each(ctx, snapshot, record)
}

// beginReading announces a snapshot, unless the log is closing.
func (l *Log) beginReading() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing || l.store == nil {
		return false
	}
	l.reading.Add(1)
	return true
}

func (l *Log) isClosing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closing
}

func positionOf(snapshot *pebble.Snapshot) (position core.Position, err error) {
	value, closer, err := snapshot.Get(positionKey)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		return 0, nil
	case err != nil:
		return 0, err
	case len(value) != 8:
		err = fmt.Errorf("the position has %d bytes", len(value))
	default:
		position = core.Position(binary.BigEndian.Uint64(value))
	}
	return position, errors.Join(err, closer.Close())
}

func (l *Log) each(ctx context.Context, snapshot *pebble.Snapshot, record func(core.Record) error) (err error) {
	iterator, err := snapshot.NewIter(&pebble.IterOptions{LowerBound: firstRecord, UpperBound: beyond})
	if err != nil {
		return l.explain(err)
	}
	defer func() {
		if closing := iterator.Close(); err == nil {
			err = l.explain(closing)
		}
	}()
	n := 0
	for valid := iterator.First(); valid; valid = iterator.Next() {
		if n++; n%readAhead == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if l.isClosing() {
				return ErrClosed
			}
		}
		value, err := iterator.ValueAndErr()
		if err != nil {
			return l.explain(err)
		}
		if err := record(core.Record{Key: iterator.Key(), Value: value}); err != nil {
			return err
		}
	}
	return nil
}
