package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/sequitur-kv/sequitur/core"
)

// toFill is what tests fill a directory with: a few units.
func toFill() (records []core.Record, want map[string]string) {
	want = map[string]string{}
	for i := range 8 {
		key, value := fmt.Sprint("key", i), bytes.Repeat([]byte{byte('a' + i)}, 350)
		records = append(records, core.Record{Key: []byte(key), Value: value})
		want[key] = string(value)
	}
	return records, want
}

// fill is a restore from its beginning to its end.
func fill(fs vfs.FS, records []core.Record) error {
	f, err := Fill(dir, Options{FS: fs})
	if err != nil {
		return err
	}
	f.enough = 1000
	for _, r := range records {
		if err = f.Add(r); err != nil {
			break
		}
	}
	if err == nil {
		err = f.Complete()
	}
	return errors.Join(err, f.Close())
}

// begun tells whether anything is in a directory that a new one has not.
func begun(fs vfs.FS) bool {
	names, err := fs.List(dir)
	return err == nil && foreign(names) != ""
}

// TestFillInterrupted ends a restore at each of its writes, with any part of what was not synced: nothing is left, or
// all of it, or a directory that is refused, and that a restore fills anew.
func TestFillInterrupted(t *testing.T) {
	records, want := toFill()
	memory := vfs.NewCrashableMem()
	var mu sync.Mutex // Pebble has goroutines of its own
	var left []*vfs.MemFS
	crash := func(errorfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		for _, percent := range []int{0, 50, 100} {
			left = append(left, memory.CrashClone(vfs.CrashCloneCfg{
				UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(uint64(len(left)), 0)),
			}))
		}
		return nil
	}
	must(t, fill(onWrites(memory, crash), records))
	must(t, crash(errorfs.Op{}))
	nothing, refused, whole := 0, 0, 0
	for i, fs := range left {
		something := begun(fs)
		got, err := restore(Options{FS: copied(fs), SetAside: true})
		switch {
		case err == nil && !something && len(got) == 0:
			nothing++
		case errors.Is(err, ErrPartial) && strings.Contains(err.Error(), dir) && strings.Contains(err.Error(), "run kvnode restore again"):
			refused++
		case err == nil && maps.Equal(got, want):
			whole++
			if err := fill(fs, records); !errors.Is(err, ErrOccupied) {
				t.Errorf("moment %d: a whole directory is filled again: %v", i, err)
			}
			continue
		default:
			t.Errorf("moment %d: a node starts with %d of %d records: %v; something is there: %t", i, len(got), len(want), err, something)
		}
		if err := Vacant(fs, dir); err != nil {
			t.Errorf("moment %d: %v", i, err)
		}
		if err := fill(fs, records[:3]); err != nil {
			t.Errorf("moment %d: filled again: %v", i, err)
		}
		if got, err := restore(Options{FS: fs}); err != nil || len(got) != 3 {
			t.Errorf("moment %d: filled again with 3 records: %d, %v", i, len(got), err)
		}
	}
	if nothing == 0 || refused < 30 || whole == 0 {
		t.Errorf("of %d moments %d left nothing, %d half a restore, and %d all of it", len(left), nothing, refused, whole)
	}
}

// TestFillFails has the file system refuse every write from the n-th on: the restore says so, and no node starts.
func TestFillFails(t *testing.T) {
	records, want := toFill()
	failing := func(n int64) (fs *vfs.MemFS, err error) {
		fs = vfs.NewMem()
		var done atomic.Int64
		return fs, fill(onWrites(fs, func(errorfs.Op) error {
			if done.Add(1) > n {
				return syscall.ENOSPC
			}
			return nil
		}), records)
	}
	atOnce(80, func(n int64) {
		fs, err := failing(n)
		something := begun(fs)
		got, start := restore(Options{FS: fs})
		switch {
		case err == nil:
			if start != nil || !maps.Equal(got, want) {
				t.Errorf("from write %d on: %d records, %v", n, len(got), start)
			}
			return
		case !errors.Is(err, syscall.ENOSPC) || strings.Contains(err.Error(), "start"):
			t.Errorf("from write %d on: %v", n, err)
		}
		if whole := start == nil && maps.Equal(got, want); !errors.Is(start, ErrPartial) && !whole && (something || start != nil || len(got) > 0) {
			t.Errorf("from write %d on: a node starts with %d records: %v", n, len(got), start)
		}
	})
	if _, err := failing(80); err != nil {
		t.Errorf("80 writes are not all: %v", err)
	}
}

// TestVacant are directories that are not filled; nothing in them changes.
func TestVacant(t *testing.T) {
	records, _ := toFill()
	half := vfs.NewCrashableMem()
	f, err := Fill(dir, Options{FS: half})
	must(t, err)
	must(t, errors.Join(f.Add(records[0]), f.Close()))
	other := copied(half)
	write(t, other, dir+"/thesis", nil)
	used, _ := filled(t)
	foreign := vfs.NewMem()
	must(t, foreign.MkdirAll(dir, 0o700))
	write(t, foreign, dir+"/thesis", nil)
	for _, tt := range []struct {
		name    string
		fs      *vfs.MemFS
		explain string
	}{
		{"foreign", foreign, `/data is not empty (it holds "thesis"); restore into a new or empty directory`},
		{"used", used, `/data is not empty (it holds "`},
		{"half and something else", other, `/data is not empty (it holds "thesis")`},
		{"half", half, ""},
		{"none", vfs.NewMem(), ""},
	} {
		before := tt.fs.String()
		err := Vacant(tt.fs, dir)
		if tt.explain == "" && err != nil || tt.explain != "" && (!errors.Is(err, ErrOccupied) || !strings.Contains(err.Error(), tt.explain)) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if tt.explain != "" {
			if err := fill(tt.fs, records); !errors.Is(err, ErrOccupied) {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
		if after := tt.fs.String(); after != before {
			t.Errorf("%s: before %v\nafter %v", tt.name, before, after)
		}
	}
}

// TestFillInUse wants one restore at a time in a directory, and no node meanwhile.
func TestFillInUse(t *testing.T) {
	dir := t.TempDir()
	first, err := Fill(dir, Options{})
	must(t, err)
	for name, begin := range map[string]func() (io.Closer, error){
		"restore": func() (io.Closer, error) { return Fill(dir, Options{}) },
		"node":    func() (io.Closer, error) { return Open(dir, Options{}) },
	} {
		if _, err := begin(); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, errors.Join(first.Complete(), first.Close()))
	if _, err := Fill(dir, Options{}); !errors.Is(err, ErrOccupied) {
		t.Errorf("%v", err)
	}
	l, err := Open(dir, Options{})
	must(t, err)
	shut(t, l)
}
