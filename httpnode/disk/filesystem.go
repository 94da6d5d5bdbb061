package disk

import (
	"io"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// fileSystem is what Pebble works on.
type fileSystem struct {
	vfs.FS
	store *store
}

// Lock locks nothing: the log has locked the directory around the store, and a database that cannot be
// closed would not let go of a lock.
func (fileSystem) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

// OpenDir opens a directory, in order to sync it.
func (fs fileSystem) OpenDir(name string) (vfs.File, error) {
	d, err := fs.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return directory{d, fs.store}, nil
}

// Create notes what is written to a manifest.
func (fs fileSystem) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.Create(name, category)
	if base := fs.PathBase(name); err == nil && strings.HasPrefix(base, "MANIFEST-") {
		return &manifest{File: f, watermark: fs.store.watermark, name: base, sum: xxhash.New()}, nil
	}
	return fs.guard(name, f, err)
}

// ReuseForWrite makes a file of one that is not needed any more.
func (fs fileSystem) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.ReuseForWrite(old, name, category)
	return fs.guard(name, f, err)
}

// guard looks after a file of the write-ahead log, from its beginning on.
func (fs fileSystem) guard(name string, f vfs.File, err error) (vfs.File, error) {
	if !strings.HasSuffix(name, ".log") {
		return f, err
	}
	if err = fs.store.check(err); err != nil {
		return nil, err
	}
	return writeAhead{f, fs.store}, nil
}

// check does not return when the write-ahead log cannot be written: where Pebble goes from one of its files to the
// next it would panic in a place where the whole process ends, whoever recovers.
func (s *store) check(err error) error {
	if err != nil && s.ready.Load() {
		s.strand(err)
	}
	return err
}

// writeAhead is a file of the write-ahead log.
type writeAhead struct {
	vfs.File
	store *store
}

func (w writeAhead) Write(p []byte) (int, error) {
	n, err := w.File.Write(p)
	return n, w.store.check(err)
}

func (w writeAhead) Sync() error { return w.store.check(w.File.Sync()) }

func (w writeAhead) SyncData() error { return w.store.check(w.File.SyncData()) }

func (w writeAhead) SyncTo(length int64) (bool, error) {
	full, err := w.File.SyncTo(length)
	return full, w.store.check(err)
}

func (w writeAhead) Preallocate(offset, length int64) error {
	return w.store.check(w.File.Preallocate(offset, length))
}

// Unwrap is for Pebble, which asks what it really works on.
func (fs fileSystem) Unwrap() vfs.FS { return fs.FS }

// directory is an open directory. Pebble panics when it cannot be synced.
type directory struct {
	vfs.File
	store *store
}

func (d directory) Sync() error {
	err := d.File.Sync()
	if err != nil {
		d.store.strand(err)
	}
	return nil
}

// manifest is the file in which Pebble lists its tables, from one goroutine at a time.
type manifest struct {
	vfs.File
	watermark *watermark
	name      string
	size      int
	sum       *xxhash.Digest
}

func (m *manifest) Write(p []byte) (int, error) {
	_, _ = m.sum.Write(p) // never fails
	m.size += len(p)
	return m.File.Write(p)
}

func (m *manifest) Sync() error {
	if err := m.File.Sync(); err != nil {
		return err
	}
	return m.watermark.update(func(to *mark) { to.manifest, to.size, to.sum = m.name, m.size, m.sum.Sum64() })
}
