package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Names within a data directory.
const (
	markerName    = "SEQUITUR"   // says that this is one, and of which format
	lockName      = "LOCK"       // locked by the process that uses it
	storeName     = "store"      // of Pebble
	watermarkName = "POSITION"   // see watermark
	freshSuffix   = ".new"       // of a file that is not whole yet
	asidePart     = "set-aside-" // and the time: damaged data that was moved out of the way
)

// format is the version of what the directory consists of; the records have one of their own.
const format = 1

// What the marker of a directory says in which everything is that should be.
const (
	markerText = "Data directory of a Sequitur node, format "
	wholeText  = markerText + "1\n"
)

// Why a directory cannot be used. The text that wraps them names the directory and says what to do.
var (
	ErrForeign  = errors.New("disk: not the data directory of a node")
	ErrNewer    = errors.New("disk: written by a newer release")
	ErrInUse    = errors.New("disk: in use by another process")
	ErrPartial  = errors.New("disk: half a restore")
	ErrOccupied = errors.New("disk: occupied")
	ErrCorrupt  = errors.New("disk: damaged")
)

// claim makes the directory if there is none, locks it, and checks that it is one of ours or empty.
func (l *Log) claim() (err error) {
	if err := makeDirectory(l.fs, l.dir); err != nil {
		return l.refusal("cannot be made", err)
	}
	names, err := l.fs.List(l.dir)
	if err != nil {
		return l.refusal("cannot be read", err)
	}
	if l.fills {
		if err := Vacant(l.fs, l.dir); err != nil {
			return err
		}
	} else if !slices.Contains(names, markerName) {
		if other := foreign(names); other != "" {
			return fmt.Errorf("%w: %s holds %s; name a new or empty directory", ErrForeign, l.dir, other)
		}
	}
	if l.lock, err = l.fs.Lock(l.path(lockName)); err != nil {
		// The lock itself fails with EAGAIN, or, within one process, with no error of the operating system.
		if reason := syscall.Errno(0); errors.As(err, &reason) && reason != syscall.EAGAIN {
			return l.refusal("cannot be written", err)
		}
		return fmt.Errorf("%w: %s; each node needs a directory of its own (%w)", ErrInUse, l.dir, err)
	}
	switch {
	case l.fills:
		err = l.vacate()
	case !slices.Contains(names, markerName):
		err = l.mark(wholeText)
	default:
		err = l.checkMarker()
	}
	if err != nil {
		return errors.Join(err, l.lock.Close())
	}
	return nil
}

// makeDirectory makes a directory and those it is in, so that they outlive a power cut.
func makeDirectory(fs vfs.FS, dir string) error {
	if info, err := fs.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := fs.PathDir(dir)
	if parent != dir {
		if err := makeDirectory(fs, parent); err != nil {
			return err
		}
	}
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncDirectory(fs, parent)
}

func syncDirectory(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (l *Log) path(name string) string { return l.fs.PathJoin(l.dir, name) }

func (l *Log) refusal(what string, err error) error {
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("disk: the data directory %s %s by user %d: give it to that user, or name another one (%w)", l.dir, what, os.Getuid(), err)
	}
	return fmt.Errorf("disk: the data directory %s %s: %w", l.dir, what, err)
}

// foreign names something that no new data directory contains; "" if there is nothing. An attempt that
// was interrupted leaves a lock and half a marker behind, some file systems have a lost+found.
func foreign(names []string) string {
	for _, name := range names {
		if name != lockName && name != markerName+freshSuffix && name != "lost+found" {
			return strconv.Quote(name)
		}
	}
	return ""
}

// mark writes the marker; something is there before anything else.
func (l *Log) mark(text string) error {
	if err := writeFile(l.fs, l.path(markerName), []byte(text)); err != nil {
		return l.refusal("cannot be written", err)
	}
	return nil
}

// writeFile makes text the durable content of a file, in one step.
func writeFile(fs vfs.FS, path string, text []byte) error {
	f, err := fs.Create(path+freshSuffix, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := fs.Rename(path+freshSuffix, path); err != nil {
		return err
	}
	return syncDirectory(fs, fs.PathDir(path))
}

func (l *Log) checkMarker() error {
	text, err := readFile(l.fs, l.path(markerName))
	if err != nil {
		return l.refusal("cannot be read", err)
	}
	if string(text) == partText {
		return fmt.Errorf("%w: that into %s is not done or was interrupted; run kvnode restore again, which begins anew there, or name an empty directory", ErrPartial, l.dir)
	}
	number, found := bytes.CutPrefix(text, []byte(markerText))
	version, err := strconv.Atoi(strings.TrimSpace(string(number)))
	switch {
	case !found || err != nil || version < 1:
		return fmt.Errorf("%w: %s says %q where it should name its format; if it is no data directory, name another one", ErrForeign, l.path(markerName), clip(text))
	case version > format:
		return fmt.Errorf("%w: %s has format %d, this release reads format %d; start the newer release again", ErrNewer, l.dir, version, format)
	}
	return nil
}

func readFile(fs vfs.FS, path string) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(f)
	return text, errors.Join(err, f.Close())
}

func clip(text []byte) []byte { return text[:min(len(text), 64)] }

// setAside renames the store, so that somebody can look into it, and makes room for an empty one.
func (l *Log) setAside() (path string, err error) {
	path = l.path(asidePart + time.Now().UTC().Format("20060102T150405.000"))
	if err := l.fs.Rename(l.path(storeName), path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", l.refusal("cannot be tidied", err)
	}
	if err := syncDirectory(l.fs, l.dir); err != nil {
		return "", l.refusal("cannot be tidied", err)
	}
	return path, nil
}
