package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sequitur-kv/sequitur/httpnode"
)

// maxLocal bounds the nodes of one process.
const maxLocal = 64

type localOptions struct{ nodes, port int }

// runLocal runs a whole store in this process until a signal comes.
func runLocal(cmd *cobra.Command, env environment, options localOptions) error {
	settings := source{cmd, env.getenv}
	for _, s := range []setting{socketAddress, listenAddress, viewSetting} {
		if cmd.Flags().Changed(s.flag) {
			return usagef("--%s is for one node; with --local it follows from --port", s.flag)
		}
	}
	if options.nodes < 1 || options.nodes > maxLocal {
		return usagef("--local is %d; 1 to %d nodes fit into one process", options.nodes, maxLocal)
	}
	if options.port < 1 || options.port+options.nodes-1 > 65535 {
		return usagef("--port is %d; ports %d to %d would be needed", options.port, options.port, options.port+options.nodes-1)
	}
	var shared httpnode.Config
	if err := settings.shared(&shared); err != nil {
		return err
	}
	var err error
	if shared.Logger, err = newLogger(settings, env.stderr, slog.LevelWarn); err != nil {
		return err
	}
	if address, _ := settings.text(debugAddress); address != "" {
		stopDebug, err := serveDebug(address, shared.Logger)
		if err != nil {
			return err
		}
		defer stopDebug()
	}
	ctx, stop := untilSignal(cmd.Context())
	defer stop()
	begin := time.Now()
	addresses := make([]string, options.nodes)
	for i := range addresses {
		addresses[i] = localAddress(options.port + i)
	}
	root, err := settings.localStorage()
	if err != nil {
		return err
	}
	store, err := newLocalStore(shared, root, addresses)
	if err != nil {
		return err
	}
	store.run(ctx)
	if store.waitReady(ctx) {
		store.announce(env.stdout, time.Since(begin))
	}
	return store.wait()
}

// localStore is a store in one process: nodes with a listener each, that talk over HTTP.
type localStore struct {
	nodes []*httpnode.Node
	stop  []context.CancelFunc
	ended []chan error // of each node, what Run returned
}

// newLocalStore listens on every address before it makes a node, so that a port in use is found
// while nothing runs.
func newLocalStore(shared httpnode.Config, root storage, addresses []string) (*localStore, error) {
	s := &localStore{}
	var listeners []net.Listener
	fail := func(err error) (*localStore, error) {
		for _, listener := range listeners {
			listener.Close()
		}
		for _, node := range s.nodes {
			err = errors.Join(err, node.Close())
		}
		return nil, err
	}
	if err := localConfig(shared, addresses, 0).Check(); err != nil {
		return nil, usageError{err}
	}
	for _, address := range addresses {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return fail(fmt.Errorf("cannot listen on %s, try another --port: %w", address, err))
		}
		listeners = append(listeners, listener)
	}
	for i := range addresses {
		config := localConfig(shared, addresses, i)
		config.Listener = listeners[i]
		var err error
		if config.Log, err = root.of(addresses[i]).open(config.Logger); err != nil {
			return fail(err)
		}
		node, err := httpnode.New(config)
		if err != nil {
			return fail(usageError{err})
		}
		s.nodes = append(s.nodes, node)
	}
	return s, nil
}

// run starts all nodes. They stop when ctx ends.
func (s *localStore) run(ctx context.Context) {
	for _, node := range s.nodes {
		ctx, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		s.stop, s.ended = append(s.stop, stop), append(s.ended, ended)
		go func() { ended <- node.Run(ctx) }()
	}
}

// stopNode stops one node and waits for it.
func (s *localStore) stopNode(i int) error {
	s.stop[i]()
	err := <-s.ended[i]
	s.ended[i] <- nil // for wait
	return err
}

// waitReady waits until every node serves; false when ctx or a node ended before.
func (s *localStore) waitReady(ctx context.Context) bool {
	for i, node := range s.nodes {
		select {
		case <-node.Ready():
		case err := <-s.ended[i]:
			s.ended[i] <- err
			for _, stop := range s.stop {
				stop()
			}
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// wait waits for the end of all nodes. When one fails it stops the others: half a store is not
// what was asked for.
func (s *localStore) wait() error {
	failed := make(chan error, len(s.nodes))
	for _, ended := range s.ended {
		go func() { failed <- <-ended }()
	}
	var all error
	for range s.nodes {
		if err := <-failed; err != nil {
			all = errors.Join(all, err)
			for _, stop := range s.stop {
				stop()
			}
		}
	}
	return all
}

// announce prints where the store is and how to try it.
func (s *localStore) announce(w io.Writer, took time.Duration) {
	shards := s.nodes[0].Shards()
	first, last := s.nodes[0].Address(), s.nodes[max(0, len(s.nodes)-2)].Address()
	fmt.Fprintf(w, "%s, %s, in memory, ready in %.1f s           Ctrl-C stops all\n",
		plural(len(s.nodes), "node"), plural(len(shards), "shard"), took.Seconds())
	for _, shard := range shards {
		fmt.Fprintf(w, "  shard %-3s %s\n", shard.ID, strings.Join(shard.Members, "  "))
	}
	fmt.Fprintf(w, "try:\n  curl -X PUT -d '{\"value\":\"hello\",\"causal-metadata\":\"\"}' http://%s/key-value-store/greeting\n", first)
	fmt.Fprintf(w, "  curl http://%s/key-value-store/greeting\n", last)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
