package disk

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core"
)

const dir = "/data"

// fataler is what tests and rapid's have in common.
type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// appender is an open log whose progress can be waited for.
type appender struct {
	*Log
	mu       sync.Mutex
	changed  sync.Cond
	position core.Position
	advances int // how often it was told of a position
	err      error
}

func open(t fataler, fs vfs.FS) (*appender, map[string]string, core.Position) {
	t.Helper()
	log, err := Open(dir, Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	return begin(t, log)
}

func begin(t fataler, log *Log) (*appender, map[string]string, core.Position) {
	t.Helper()
	records, position, err := log.Restore()
	if err != nil {
		t.Fatal(err)
	}
	a := &appender{Log: log, position: position}
	a.changed.L = &a.mu
	log.Start(func(position core.Position, err error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if err == nil {
			a.position = position
			a.advances++
		} else if a.err == nil {
			a.err = err
		}
		a.changed.Broadcast()
	})
	return a, content(t, records), position
}

// wait returns once everything up to a position is durable, or why it will not be.
func (a *appender) wait(position core.Position) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.position < position && a.err == nil {
		a.changed.Wait()
	}
	return a.err
}

func (a *appender) reached() core.Position {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.position
}

func content(t fataler, records []core.Record) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, r := range records {
		if _, twice := all[string(r.Key)]; twice {
			t.Fatalf("record %q is there twice", r.Key)
		}
		all[string(r.Key)] = string(r.Value)
	}
	return all
}

func shut(t fataler, log interface{ Close() error }) {
	t.Helper()
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCrash is a state machine: after a crash that keeps any part of what was not synced, the log is what it was
// at one of the positions since the last one that it called durable.
func TestCrash(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fs := vfs.NewCrashableMem()
		log, state, position := open(t, fs)
		states := []map[string]string{state} // by position
		last := func() map[string]string { return states[len(states)-1] }
		reopen := func(on *vfs.MemFS, from core.Position) {
			fs = on
			log, state, position = open(t, fs)
			if position < from || int(position) >= len(states) || !maps.Equal(state, states[position]) {
				t.Fatalf("durable up to %d, restored %v at %d of %v", from, state, position, states)
			}
			states = states[:position+1]
		}
		key := rapid.SampledFrom([]string{"a", "b", "c", "cc", "d", "dd", "\xFE"})
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				next := maps.Clone(last())
				forget := rapid.IntRange(0, 4).Draw(t, "forget") == 0
				if forget {
					next = map[string]string{}
				}
				var records []core.Record
				for range rapid.IntRange(0, 4).Draw(t, "records") {
					key, value := key.Draw(t, "key"), strings.Repeat("v", rapid.IntRange(0, 3).Draw(t, "size"))
					records = append(records, core.Record{Key: []byte(key), Value: []byte(value)})
					if next[key] = value; value == "" {
						delete(next, key)
					}
				}
				states = append(states, next)
				position++
				log.Append(forget, records, position)
			},
			"wait": func(t *rapid.T) {
				if err := log.wait(position); err != nil {
					t.Fatal(err)
				}
			},
			"crash": func(t *rapid.T) {
				durable := log.reached()
				crashed := fs.CrashClone(vfs.CrashCloneCfg{
					UnsyncedDataPercent: rapid.SampledFrom([]int{0, 50, 100}).Draw(t, "percent"),
					RNG:                 rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)),
				})
				shut(t, log)
				reopen(crashed, durable)
			},
			"restart": func(t *rapid.T) {
				shut(t, log)
				reopen(fs, position)
			},
		})
		shut(t, log)
	})
}

// TestFailure has the file system refuse every write from the n-th on: the log says so, keeps what it called
// durable, and can be closed.
func TestFailure(t *testing.T) {
	for i, cause := range []error{syscall.ENOSPC, syscall.EIO, syscall.EACCES} {
		for n := int64(i); n < 40; n += 3 { // every place, for one cause
			memory := vfs.NewMem()
			log, _, _ := open(t, memory)
			log.Append(false, []core.Record{{Key: []byte("1"), Value: []byte("1")}}, 1)
			shut(t, log)

			var done atomic.Int64
			durable, err := appendUntilFailure(t, onWrites(memory, func(errorfs.Op) error {
				if done.Add(1) > n {
					return cause
				}
				return nil
			}), 1)
			if !errors.Is(err, cause) || errors.Is(err, ErrCorrupt) {
				t.Errorf("from write %d on %v: %v", n, cause, err)
			}
			log, state, position := open(t, memory)
			if position < durable || len(state) != int(position) {
				t.Errorf("from write %d on %v: durable up to %d, restored %d records at %d", n, cause, durable, len(state), position)
			}
			shut(t, log)
		}
	}
}

// onWrites calls f before each change of a file system.
func onWrites(fs vfs.FS, f func(op errorfs.Op) error) vfs.FS {
	return errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && op.Kind != errorfs.OpFileClose {
			return f(op)
		}
		return nil
	}))
}

// atOnce calls f with each number below n; a store that fails is waited for.
func atOnce(n int64, f func(i int64)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}

// TestFailureBetweenFiles has the file system refuse every write from the n-th on, until Pebble has gone from one file
// of its log to the next.
func TestFailureBetweenFiles(t *testing.T) {
	const writes = 90
	var between atomic.Int64 // attempts that ended after another file was begun
	atOnce(writes, func(n int64) {
		memory := vfs.NewMem()
		var done, logs atomic.Int64
		durable, err := appendUntilFailure(t, onWrites(memory, func(op errorfs.Op) error {
			if done.Add(1) > n {
				return syscall.ENOSPC
			}
			if (op.Kind == errorfs.OpCreate || op.Kind == errorfs.OpReuseForWrite) && strings.HasSuffix(op.Path, ".log") {
				logs.Add(1)
			}
			return nil
		}), 64<<10)
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("from write %d on: %v", n, err)
		}
		if logs.Load() > 1 {
			between.Add(1)
		}
		if state, err := restore(Options{FS: memory}); err != nil || len(state) < int(durable) {
			t.Errorf("from write %d on: durable up to %d, restored %d records: %v", n, durable, len(state), err)
		}
	})
	if n := between.Load(); n == 0 || n == writes {
		t.Errorf("%d of %d attempts ended in a second file", n, writes)
	}
}

// appendUntilFailure opens a log and appends values of some size.
func appendUntilFailure(t *testing.T, fs vfs.FS, size int) (durable core.Position, err error) {
	t.Helper()
	log, err := Open(dir, Options{FS: fs})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	if _, durable, err = log.Restore(); err != nil {
		return 0, err
	}
	advanced := make(chan error)
	log.Start(func(_ core.Position, err error) { advanced <- err })
	for {
		log.Append(false, []core.Record{{Key: fmt.Append(nil, durable+1), Value: bytes.Repeat([]byte{'1'}, size)}}, durable+1)
		if err := <-advanced; err != nil {
			return durable, err
		}
		durable++
	}
}
