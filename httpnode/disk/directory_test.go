package disk

import (
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/sequitur-kv/sequitur/core"
)

// filled is a data directory with a few records, some of them in a table, and what they are.
func filled(t *testing.T) (fs *vfs.MemFS, want map[string]string) {
	t.Helper()
	fs, want = vfs.NewCrashableMem(), map[string]string{}
	position := core.Position(0)
	for range 2 {
		log, _, _ := open(t, fs)
		for range 40 {
			position++
			key, value := "k"+string(rune('0'+position)), strings.Repeat("value", 30)
			want[key] = value
			log.Append(false, []core.Record{{Key: []byte(key), Value: []byte(value)}}, position)
			if err := log.wait(position); err != nil {
				t.Fatal(err)
			}
		}
		shut(t, log)
	}
	return fs, want
}

// copied is the same file system once more.
func copied(fs *vfs.MemFS) *vfs.MemFS {
	return fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(0, 0))})
}

func read(t *testing.T, fs vfs.FS, path string) []byte {
	t.Helper()
	f, err := fs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return text
}

func write(t *testing.T, fs vfs.FS, path string, text []byte) {
	t.Helper()
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(slices.Clone(text)) // a file may change what it is given
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// restore is what somebody gets who opens the directory.
func restore(options Options) (map[string]string, error) {
	log, err := Open(dir, options)
	if err != nil {
		return nil, err
	}
	records, _, err := log.Restore()
	got := map[string]string{}
	for _, r := range records {
		got[string(r.Key)] = string(r.Value)
	}
	return got, errors.Join(err, log.Close())
}

// files are the names in the directory of the store.
func files(t *testing.T, fs vfs.FS, dir string) []string {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// TestDamage changes one byte, in many places, in each file of a store: what is restored is right or it is
// refused, and then nothing is changed, or the data is set aside.
func TestDamage(t *testing.T) {
	fs, want := filled(t)
	refused := 0
	for _, name := range files(t, fs, dir+"/"+storeName) {
		path := dir + "/" + storeName + "/" + name
		text := read(t, fs, path)
		step := max(1, len(text)/5)
		for at := 0; at < len(text); at += step {
			fs := copied(fs)
			damaged := slices.Clone(text)
			damaged[at] ^= 0x55
			write(t, fs, path, damaged)
			got, err := restore(Options{FS: fs})
			if err == nil {
				if !maps.Equal(got, want) {
					t.Errorf("%s, byte %d of %d: %d of %d records are restored", name, at, len(text), len(got), len(want))
				}
				continue
			}
			refused++
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "--replace-corrupt") {
				t.Errorf("%s, byte %d of %d: %v", name, at, len(text), err)
			}
			if !slices.Equal(read(t, fs, path), damaged) {
				t.Errorf("%s, byte %d: the file is not left as it was", name, at)
			}
			if got, err := restore(Options{FS: fs, SetAside: true}); err != nil || len(got) != 0 {
				t.Errorf("%s, byte %d: set aside: %d records, %v", name, at, len(got), err)
			}
			aside := slices.DeleteFunc(files(t, fs, dir), func(name string) bool { return !strings.HasPrefix(name, asidePart) })
			if len(aside) != 1 || !slices.Contains(files(t, fs, dir+"/"+aside[0]), name) {
				t.Errorf("%s, byte %d: set aside: %v", name, at, aside)
			}
		}
	}
	if refused == 0 {
		t.Error("no damage was noticed")
	}
}

// TestNoStoreDirectory has a file where the store should be.
func TestNoStoreDirectory(t *testing.T) {
	fs, _ := filled(t)
	path := dir + "/" + storeName
	must(t, fs.RemoveAll(path))
	write(t, fs, path, []byte("text"))
	if _, err := restore(Options{FS: fs}); !errors.Is(err, ErrCorrupt) || string(read(t, fs, path)) != "text" {
		t.Errorf("%v, and then the file is %q", err, read(t, fs, path))
	}
	if got, err := restore(Options{FS: fs, SetAside: true}); err != nil || len(got) != 0 {
		t.Errorf("set aside: %d records, %v", len(got), err)
	}
}

// TestSetAsideDurably cuts the power when damaged data was set aside and the node has gone on: the mark of what was set
// aside does not come back.
func TestSetAsideDurably(t *testing.T) {
	fs, _ := filled(t)
	fs = copied(fs) // all of it is synced
	for _, name := range files(t, fs, dir+"/"+storeName) {
		if strings.HasSuffix(name, ".log") {
			write(t, fs, dir+"/"+storeName+"/"+name, nil)
		}
	}
	log, err := Open(dir, Options{FS: fs, SetAside: true})
	must(t, err)
	a, state, position := begin(t, log)
	if len(state) != 0 || position != 0 {
		t.Fatalf("%v at %d is not set aside", state, position)
	}
	a.Append(false, []core.Record{{Key: []byte("k"), Value: []byte("v")}}, 1)
	must(t, a.wait(1))
	crashed := fs.CrashClone(vfs.CrashCloneCfg{})
	shut(t, a)
	if got, err := restore(Options{FS: crashed}); err != nil || !maps.Equal(got, map[string]string{"k": "v"}) {
		t.Errorf("after a power cut: %v, %v", got, err)
	}
}

// TestLostMarks loses what says which manifest counts, and how far the log was durable: what else is there is no
// directory to begin in.
func TestLostMarks(t *testing.T) {
	fs, _ := filled(t)
	inner := dir + "/" + storeName + "/"
	must(t, fs.Remove(dir+"/"+watermarkName))
	for _, name := range files(t, fs, inner) {
		if strings.HasPrefix(name, "marker.manifest") {
			must(t, fs.Remove(inner+name))
		}
	}
	before := files(t, fs, inner)
	if got, err := restore(Options{FS: fs}); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "no manifest") {
		t.Errorf("%d records are restored, %v", len(got), err)
	}
	if after := files(t, fs, inner); !slices.Equal(before, after) {
		t.Errorf("there were %v, and are %v", before, after)
	}
}

// TestTruncated cuts the end off each file.
func TestTruncated(t *testing.T) {
	fs, want := filled(t)
	for _, name := range files(t, fs, dir+"/"+storeName) {
		path := dir + "/" + storeName + "/" + name
		text := read(t, fs, path)
		for _, left := range []int{0, len(text) / 2, len(text) - 1} {
			if left < 0 || left == len(text) {
				continue
			}
			fs := copied(fs)
			write(t, fs, path, text[:left])
			got, err := restore(Options{FS: fs})
			if err != nil && !errors.Is(err, ErrCorrupt) || err == nil && !maps.Equal(got, want) {
				t.Errorf("%s: %d of %d bytes: %d of %d records, %v", name, left, len(text), len(got), len(want), err)
			}
		}
	}
}

// TestRefused are directories that are not to be used; nothing in them changes.
func TestRefused(t *testing.T) {
	original, _ := filled(t)
	for _, tt := range []struct {
		name    string
		spoil   func(fs vfs.FS)
		want    error
		explain string
	}{
		{"foreign", func(fs vfs.FS) {
			must(t, errors.Join(fs.RemoveAll(dir), fs.MkdirAll(dir, 0o700)))
			write(t, fs, dir+"/thesis", nil)
		}, ErrForeign, `/data holds "thesis"; name a new or empty directory`},
		{"marker", func(fs vfs.FS) { write(t, fs, dir+"/"+markerName, []byte("hello")) }, ErrForeign, `says "hello"`},
		{"newer", func(fs vfs.FS) { write(t, fs, dir+"/"+markerName, []byte(markerText+"2\n")) }, ErrNewer, "has format 2, this release reads format 1"},
		{"missing table", func(fs vfs.FS) {
			for _, name := range files(t, fs, dir+"/"+storeName) {
				if strings.HasSuffix(name, ".sst") {
					must(t, fs.Remove(dir+"/"+storeName+"/"+name))
				}
			}
		}, ErrCorrupt, "--replace-corrupt"},
		{"a file", func(fs vfs.FS) {
			must(t, fs.RemoveAll(dir))
			write(t, fs, dir, nil)
		}, nil, "cannot be made"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fs := copied(original)
			tt.spoil(fs)
			before := fs.String()
			if _, err := restore(Options{FS: fs}); err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.explain) {
				t.Errorf("%v", err)
			}
			if after := fs.String(); after != before {
				t.Errorf("before %v\nafter %v", before, after)
			}
		})
	}
}

// TestNoLock: what keeps a directory from being locked is not taken for another process.
func TestNoLock(t *testing.T) {
	for _, cause := range []error{syscall.EROFS, syscall.ENOSPC, syscall.EIO, syscall.EACCES} {
		fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == errorfs.OpLock {
				return &os.PathError{Op: "open", Path: op.Path, Err: cause}
			}
			return nil
		}))
		if _, err := Open(dir, Options{FS: fs}); !errors.Is(err, cause) || errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), dir+" cannot be written") {
			t.Errorf("%v: %v", cause, err)
		}
	}
}

func TestInUse(t *testing.T) {
	dir := t.TempDir()
	first, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("%v", err)
	}
	shut(t, first)
	again, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	shut(t, again)
}

// TestInterrupted begins directories that an earlier attempt did not finish.
func TestInterrupted(t *testing.T) {
	for _, left := range []string{lockName, markerName + freshSuffix, storeName + "/000002.log"} {
		fs := vfs.NewMem()
		if err := fs.MkdirAll(dir+"/lost+found", 0o700); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(left, storeName) {
			must(t, fs.MkdirAll(dir+"/"+storeName, 0o700))
			write(t, fs, dir+"/"+markerName, []byte(markerText+"1\n"))
		}
		half := []byte("Data")
		if strings.HasSuffix(left, ".log") {
			half = nil // nothing is written to it before there is a manifest
		}
		write(t, fs, dir+"/"+left, half)
		if got, err := restore(Options{FS: fs}); err != nil || len(got) != 0 {
			t.Errorf("%s: %v %v", left, got, err)
		}
	}
}
