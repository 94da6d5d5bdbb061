package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

// The store that is measured.
const (
	nodes     = 6
	shards    = 2
	keysPath  = "/key-value-store/"
	startTime = 20 * time.Second
)

// store is six nodes and the ceiling, a process each.
type store struct {
	addresses []string // of the nodes; requests go to the first one
	ceiling   string
	debug     string // of the first node's profiles, "" for none
	processes []*exec.Cmd
	client    http.Client
}

func startStore(o options) (*store, error) {
	addresses, err := freeAddresses(nodes + 2)
	if err != nil {
		return nil, err
	}
	s := &store{addresses: addresses[:nodes], ceiling: addresses[nodes]}
	s.client.Timeout = 5*time.Second + o.turn // a profile takes a whole turn
	view := strings.Join(s.addresses, ",")
	for i, address := range s.addresses {
		args := []string{"--socket-address", address, "--view", view, "--shard-count", fmt.Sprint(shards), "--log-level", "error"}
		if i == 0 && o.profile != "" {
			s.debug = addresses[nodes+1]
			args = append(args, "--debug-address", s.debug)
		}
		if err := s.start(o.kvnode, args...); err != nil {
			return nil, errors.Join(err, s.stop())
		}
	}
	self, err := os.Executable()
	if err == nil {
		err = s.start(self, ceilingCommand, s.ceiling)
	}
	if err == nil {
		err = s.wait()
	}
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

func (s *store) start(program string, args ...string) error {
	command := exec.Command(program, args...)
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		return err
	}
	s.processes = append(s.processes, command)
	return nil
}

// stop ends every process that was started.
func (s *store) stop() (err error) {
	for _, p := range s.processes {
		err = errors.Join(err, p.Process.Kill())
		_ = p.Wait() // it says that the process was killed
	}
	s.client.CloseIdleConnections()
	return err
}

// wait returns when every node and the ceiling serve.
func (s *store) wait() error {
	deadline := time.Now().Add(startTime)
	for _, address := range append(s.addresses[:nodes:nodes], s.ceiling) {
		for {
			status, _, err := s.ask(http.MethodGet, address, keysPath+"x", "")
			if err == nil && status < http.StatusInternalServerError {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("%s does not serve after %v: status %d, %w", address, startTime, status, err)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	return nil
}

// ask sends one request.
func (s *store) ask(method, address, path, body string) (status int, text []byte, err error) {
	request, err := http.NewRequestWithContext(context.Background(), method, "http://"+address+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	text, err = io.ReadAll(response.Body)
	return response.StatusCode, bytes.TrimSpace(text), err
}

// freeAddresses are addresses of 127.0.0.1 that nobody listens on.
func freeAddresses(n int) ([]string, error) {
	var addresses []string
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close()
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses, nil
}
