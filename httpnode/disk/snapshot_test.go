package disk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/sequitur-kv/sequitur/core"
)

// TestSnapshot reads a log while it is written: each snapshot is what was there at its position, which is durable.
func TestSnapshot(t *testing.T) {
	fs := vfs.NewCrashableMem()
	log, _, _ := open(t, fs)
	var mu sync.Mutex
	states := []map[string]string{{}} // by position
	stop := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		for position := core.Position(1); ; position++ {
			select {
			case <-stop:
				return
			default:
			}
			key, value := fmt.Sprint("key", position%50), fmt.Sprint(position)
			mu.Lock()
			next := maps.Clone(states[position-1])
			next[key] = value
			states = append(states, next)
			mu.Unlock()
			log.Append(false, []core.Record{{Key: []byte(key), Value: []byte(value)}}, position)
			if position%7 == 0 {
				if err := log.wait(position); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	last := core.Position(0)
	for range 8 {
		position, got := core.Position(0), map[string]string{}
		err := log.Snapshot(context.Background(), func(at core.Position) error {
			position = at
			crashed, _, durable := open(t, fs.CrashClone(vfs.CrashCloneCfg{}))
			if durable < at {
				t.Errorf("a snapshot shows position %d, durable is %d", at, durable)
			}
			return crashed.Close()
		}, func(r core.Record) error {
			got[string(r.Key)] = string(r.Value)
			return nil
		})
		mu.Lock()
		if err != nil || position < last || !maps.Equal(got, states[position]) {
			t.Errorf("position %d after %d: %v, want %v; %v", position, last, got, states[position], err)
		}
		mu.Unlock()
		last = position
	}
	close(stop)
	writing.Wait()
	shut(t, log)
}

// TestSnapshotIsDurable has a sync take its time: what it makes durable is in no snapshot before.
func TestSnapshotIsDurable(t *testing.T) {
	var slow, done atomic.Bool
	entered, release := make(chan struct{}), make(chan struct{})
	log, _, _ := open(t, errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasSuffix(op.Path, ".log") && slow.Load() && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
			slow.Store(false)
			close(entered)
			<-release
			done.Store(true)
		}
		return nil
	})))
	slow.Store(true)
	log.Append(false, []core.Record{{Key: []byte("k"), Value: []byte("v")}}, 1)
	<-entered
	result := make(chan error)
	go func() {
		result <- log.Snapshot(context.Background(), func(at core.Position) error {
			if at > 0 && !done.Load() {
				t.Errorf("a snapshot shows position %d, which is not synced", at)
			}
			return nil
		}, func(core.Record) error { return nil })
	}()
	for range 1000 {
		runtime.Gosched()
	}
	close(release)
	if err := <-result; err != nil {
		t.Error(err)
	}
	shut(t, log)
}

// TestSnapshotEnds ends snapshots before they are whole.
func TestSnapshotEnds(t *testing.T) {
	fs := vfs.NewMem()
	log, _, _ := open(t, fs)
	var records []core.Record
	for i := range 3 * readAhead {
		records = append(records, core.Record{Key: fmt.Append(nil, i), Value: []byte("v")})
	}
	log.Append(false, records, 1)
	if err := log.wait(1); err != nil {
		t.Fatal(err)
	}
	begin := func(core.Position) error { return nil }
	stopped := errors.New("stopped")
	if err := log.Snapshot(t.Context(), func(core.Position) error { return stopped }, nil); !errors.Is(err, stopped) {
		t.Error(err)
	}
	if err := log.Snapshot(t.Context(), begin, func(core.Record) error { return stopped }); !errors.Is(err, stopped) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := log.Snapshot(ctx, begin, func(core.Record) error {
		cancel()
		return nil
	}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	closed := make(chan error, 1)
	started := make(chan struct{})
	if err := log.Snapshot(t.Context(), func(core.Position) error {
		go func() {
			close(started)
			closed <- log.Close()
		}()
		<-started
		for !log.isClosing() {
			runtime.Gosched()
		}
		return nil
	}, func(core.Record) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := log.Snapshot(t.Context(), begin, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("of a closed log: %v", err)
	}
}
