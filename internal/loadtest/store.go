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
	"path/filepath"
	"strings"
	"time"
)

const (
	keysPath  = "/key-value-store/"
	startTime = 20 * time.Second
)

// store is nodes, and perhaps the ceiling beside them, a process each.
type store struct {
	kvnode    string
	data      string   // directory of all data, "" for none
	addresses []string // of the nodes
	nodes     []*exec.Cmd
	ceiling   *exec.Cmd // nil: none
	debug     string    // of the first node's profiles, "" for none
	client    http.Client
}

// startStore starts a store and waits until it serves.
func startStore(o options, nodes, shards int) (*store, error) {
	addresses, err := freeAddresses(nodes + 1)
	if err != nil {
		return nil, err
	}
	s := &store{kvnode: o.kvnode, data: o.data, addresses: addresses[:nodes]}
	s.client.Timeout = time.Minute // some answers come when data is copied
	if o.profile != "" {
		s.debug = addresses[nodes]
	}
	for i := range nodes {
		node, err := s.startNode(i, "--shard-count", fmt.Sprint(shards))
		if err != nil {
			return nil, errors.Join(err, s.stop())
		}
		s.nodes = append(s.nodes, node)
	}
	if err := s.wait(s.addresses...); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// startNode starts the node that has address i.
func (s *store) startNode(i int, args ...string) (*exec.Cmd, error) {
	args = append(args, "--socket-address", s.addresses[i], "--view", strings.Join(s.addresses, ","), "--log-level", "error")
	if s.data == "" {
		args = append(args, "--in-memory")
	} else {
		args = append(args, "--data-dir", filepath.Join(s.data, fmt.Sprint(i)))
	}
	if i == 0 && s.debug != "" {
		args = append(args, "--debug-address", s.debug)
	}
	return start(s.kvnode, args...)
}

// startCeiling starts the ceiling and tells its address.
func (s *store) startCeiling() (address string, err error) {
	addresses, err := freeAddresses(1)
	if err != nil {
		return "", err
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	if s.ceiling, err = start(self, ceilingCommand, addresses[0]); err != nil {
		return "", err
	}
	return addresses[0], s.wait(addresses[0])
}

func start(program string, args ...string) (*exec.Cmd, error) {
	command := exec.Command(program, args...)
	command.Stderr = os.Stderr
	return command, command.Start()
}

// stop ends every process that was started.
func (s *store) stop() (err error) {
	for _, p := range append(s.nodes, s.ceiling) {
		if p != nil {
			err = errors.Join(err, kill(p))
		}
	}
	s.client.CloseIdleConnections()
	return err
}

func kill(p *exec.Cmd) error {
	err := p.Process.Kill()
	_ = p.Wait() // it says that the process was killed
	return err
}

// wait returns when all addresses serve.
func (s *store) wait(addresses ...string) error {
	deadline := time.Now().Add(startTime)
	for _, address := range addresses {
		for {
			status, _, err := s.ask(http.MethodGet, address, keysPath+"x", "")
			if err == nil && status < http.StatusInternalServerError {
				break
			}
			if time.Now().After(deadline) {
				return errors.Join(fmt.Errorf("%s does not serve after %v: status %d", address, startTime, status), err)
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
