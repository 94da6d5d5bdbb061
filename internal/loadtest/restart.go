package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// maxRestart is how long a node with a million small keys may take to serve again.
const maxRestart = 5 * time.Second

const restartRounds = 3

// whileRestarting measures how soon a node with many keys serves again, and then a backup of it, and a node that restores that.
func whileRestarting(o options, w io.Writer) (err error) {
	s, err := startStore(o, 1, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	clients, err := s.connectAll(reshardClients)
	if err == nil {
		err = newKeyspace(o.keys).load(clients)
	}
	closeAll(clients)
	if err != nil {
		return err
	}
	best := time.Duration(0)
	for range restartRounds {
		took, err := s.restart()
		if err != nil {
			return err
		}
		if best == 0 || took < best {
			best = took
		}
		fmt.Fprintf(w, "a node with %d keys serves %.1f s after its start, of which %.1f s of processor time; memory %v\n",
			o.keys, took.Seconds(), s.cpuTime().Seconds(), s.memory())
	}
	if err := s.counted(o.keys); err != nil {
		return err
	}
	if err := s.backUp(o, w); err != nil {
		return err
	}
	if best > maxRestart && o.strict {
		return errors.New("a bar is missed")
	}
	return nil
}

// restart kills the node, and starts it again.
func (s *store) restart() (took time.Duration, err error) {
	if err := kill(s.nodes[0]); err != nil {
		return 0, err
	}
	begin := time.Now()
	if s.nodes[0], err = s.startNode(0); err != nil {
		return 0, err
	}
	err = s.wait(s.addresses[0])
	return time.Since(begin), err
}

// backUp saves the node, makes a new data directory of that, and has a new node bring it into a new store.
func (s *store) backUp(o options, w io.Writer) error {
	file, dir := filepath.Join(s.data, "backup"), filepath.Join(s.data, "restored")
	begin := time.Now()
	if output, err := exec.Command(s.kvnode, "backup", s.addresses[0], file).CombinedOutput(); err != nil {
		return fmt.Errorf("backup: %w\n%s", err, output)
	}
	saved := time.Now()
	if output, err := exec.Command(s.kvnode, "restore", "--data-dir", dir, file).CombinedOutput(); err != nil {
		return fmt.Errorf("restore: %w\n%s", err, output)
	}
	restored := time.Now()
	if err := kill(s.nodes[0]); err != nil {
		return err
	}
	own := filepath.Join(s.data, "0")
	if err := errors.Join(os.RemoveAll(own), os.Rename(dir, own)); err != nil {
		return err
	}
	started := time.Now()
	var err error
	if s.nodes[0], err = s.startNode(0); err != nil {
		return err
	}
	if err := s.ready(s.addresses[0]); err != nil {
		return err
	}
	fmt.Fprintf(w, "backup %.1f s, restore %.1f s, all keys in a new store %.1f s after its start (%.1f s of processor time); memory %v\n",
		saved.Sub(begin).Seconds(), restored.Sub(saved).Seconds(), time.Since(started).Seconds(), s.cpuTime().Seconds(), s.memory())
	return s.counted(o.keys)
}

// ready returns when a node has brought what it restores into the store.
func (s *store) ready(address string) error {
	for deadline := time.Now().Add(reshardTime); ; time.Sleep(20 * time.Millisecond) {
		status, text, err := s.ask(http.MethodGet, address, "/readyz", "")
		if err == nil && status == http.StatusOK {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not ready: %s, %w", address, text, err)
		}
	}
}
