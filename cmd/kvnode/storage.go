package main

import (
	"errors"
	"log/slog"
	"math"
	"path/filepath"
	"strings"

	"github.com/sequitur-kv/sequitur/httpnode"
	"github.com/sequitur-kv/sequitur/httpnode/disk"
)

// dataRoot is where the data directories are of nodes that are not told another place.
const dataRoot = "sequitur-data"

// storage is where a node keeps what it must not lose.
type storage struct {
	dir      string // "": nowhere
	setAside bool   // damaged data
	minFree  uint64 // bytes; 0: not given
}

// storage reads where the node at an address keeps its data.
func (s source) storage(address string) (storage, error) {
	memory, err := s.yes(inMemory)
	if err != nil {
		return storage{}, err
	}
	setAside, err := s.yes(replace)
	if err != nil {
		return storage{}, err
	}
	free, err := s.atMost(math.MaxUint64, minFree)
	if err != nil {
		return storage{}, err
	}
	dir, name := s.text(dataDir)
	switch {
	case memory && strings.HasPrefix(name, "--") && dir != "":
		return storage{}, usagef("--data-dir is given to a node that keeps nothing on disk; leave one of --data-dir and --in-memory out")
	case memory:
		return storage{}, nil
	case dir == "":
		dir = filepath.Join(dataRoot, directoryOf(address))
	}
	return storage{dir, setAside, free}, nil
}

// localStorage reads where the nodes of one process keep their data: nowhere if nothing is said, because
// such a store is for trying out.
func (s source) localStorage() (storage, error) {
	if dir, _ := s.text(dataDir); dir == "" {
		return storage{}, nil
	}
	return s.storage("")
}

// of is the part of the storage for the node at an address.
func (s storage) of(address string) storage {
	if s.dir != "" {
		s.dir = filepath.Join(s.dir, directoryOf(address))
	}
	return s
}

// directoryOf is an address as the name of a directory.
func directoryOf(address string) string {
	return strings.NewReplacer(":", "-", "[", "", "]", "").Replace(address)
}

// open opens the log of a node, which closes it; nil: none.
func (s storage) open(logger *slog.Logger) (httpnode.Log, error) {
	if s.dir == "" {
		return nil, nil
	}
	dir, err := filepath.Abs(s.dir) // so that messages name it wherever they are read
	if err != nil {
		return nil, usageError{err}
	}
	log, err := disk.Open(dir, disk.Options{SetAside: s.setAside, MinFree: s.minFree, Logger: logger})
	if err != nil {
		return nil, misplaced(err)
	}
	return log, nil
}

// misplaced tells errors of who started the node from those of its disk.
func misplaced(err error) error {
	for _, misplacement := range []error{disk.ErrForeign, disk.ErrOccupied, disk.ErrPartial, disk.ErrNewer, disk.ErrInUse} {
		if errors.Is(err, misplacement) {
			return usageError{err}
		}
	}
	return err
}
