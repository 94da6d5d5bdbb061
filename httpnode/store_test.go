package httpnode

import (
	"context"
	"net"
	"sync"
	"testing"
)

// listen opens a free port.
func listen(t testing.TB) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// listening is a node on a listener, which does not run yet. m stands in for the real machine unless
// it is nil.
func listening(t testing.TB, listener net.Listener, m machine, config Config) *Node {
	t.Helper()
	config.Machine.Address, config.Listener = listener.Addr().String(), listener
	n, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	if m != nil {
		n.start = func() error {
			n.engine.start(m, 0)
			return nil
		}
	}
	return n
}

// newStore makes the nodes of one store, which do not run yet.
func newStore(t testing.TB, count int, config Config) (nodes []*Node) {
	t.Helper()
	listeners := make([]net.Listener, count)
	for i := range listeners {
		listeners[i] = listen(t)
		config.Machine.View = append(config.Machine.View, listeners[i].Addr().String())
	}
	for _, listener := range listeners {
		nodes = append(nodes, listening(t, listener, nil, config))
	}
	return nodes
}

// run runs nodes and returns when all of them serve. stop, which the end of the test calls if it has not
// been called, returns when they have ended; they must do so without an error.
func run(t testing.TB, nodes ...*Node) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, n := range nodes {
		running.Go(func() {
			if err := n.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(stop)
	for _, n := range nodes {
		<-n.Ready()
	}
	return stop
}

// served is a node that runs behind a real listener.
func served(t testing.TB, m machine, config Config) (n *Node, address string) {
	t.Helper()
	n = listening(t, listen(t), m, config)
	run(t, n)
	return n, n.Address()
}
