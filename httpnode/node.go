package httpnode

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sequitur-kv/sequitur/core"
)

// Node is one member of a store. Make one with New.
type Node struct {
	config    Config
	made      time.Time
	logger    *slog.Logger
	engine    *engine
	transport *transport
	clients   *api
	receiver  *receiver
	handler   http.Handler
	guard     atomic.Pointer[guard] // of the listener; nil until Run
	start     func() error          // boots the machine; tests replace it

	inFlight atomic.Int64 // requests of clients
	draining atomic.Bool  // refuse requests of clients
	started  atomic.Bool
}

// New makes a node, which does nothing until Run or Start. Errors say what is wrong with the configuration.
func New(config Config) (*Node, error) {
	if err := config.Check(); err != nil {
		return nil, err
	}
	config.setDefaults()
	n := &Node{config: config, made: time.Now(), logger: config.Logger.With("node", config.Machine.Address)}
	n.transport = newTransport(config.Machine.Address, n.logger)
	n.engine = newEngine(config.Log, n.logger, n.transport.queue)
	n.engine.flush = n.transport.flush
	n.engine.follow = n.transport.follow
	n.clients = &api{engine: n.engine, figures: &n.engine.requests}
	n.clients.bodies.limit = max(maxBodies, 8*int64(config.MaxValueSize))
	n.receiver = newReceiver(n.engine, n.logger)
	router := n.newRouter(n.clients, n.receiver)
	n.handler = n.track(router)
	n.start = n.boot
	return n, nil
}

// Address is the node's own host:port, as peers reach it.
func (n *Node) Address() string { return n.config.Machine.Address }

// Handler serves clients and peers. Before Start it answers 503 to everything but /healthz.
func (n *Node) Handler() http.Handler { return n.handler }

// Start boots the machine, for callers that serve Handler themselves; Run does it too. Every node that was
// started must be closed, if not by Run.
func (n *Node) Start() error {
	if n.started.Swap(true) {
		return errors.New("httpnode: the node was started before; make a new one")
	}
	return n.start()
}

func (n *Node) boot() error {
	begin := time.Now()
	records, position, err := n.config.Log.Restore()
	if err != nil {
		return fmt.Errorf("httpnode: cannot read back what the node had stored: %w", err)
	}
	machine, err := core.New(n.config.Machine, records, position)
	if log, ok := n.config.Log.(Replaceable); ok && errors.Is(err, core.ErrDamaged) {
		if err = log.Replace(err); err == nil {
			records, position = nil, 0
			machine, err = core.New(n.config.Machine, nil, 0)
		}
	}
	if err != nil {
		return fmt.Errorf("httpnode: cannot start the machine: %w", err)
	}
	n.engine.start(machine, position)
	if position > 0 {
		n.logger.Info("read back what was stored", "records", len(records), "position", position, "seconds", time.Since(begin).Seconds())
	}
	return nil
}

// Ready is closed when the store has formed and this node serves for the first time.
func (n *Node) Ready() <-chan struct{} { return n.engine.ready }

// Obstacle says why the node does not serve, "" when it does.
func (n *Node) Obstacle() string {
	if err := n.engine.err(); err != nil {
		return stopped(err)
	}
	var obstacle string
	n.engine.inspect(func(m machine) { obstacle = m.Obstacle() })
	return obstacle
}

// Close stops the machine, tries to deliver what it has sent, and closes the log.
func (n *Node) Close() error {
	n.engine.close()
	n.transport.close(flushTime)
	if err := n.config.Log.Close(); err != nil {
		return fmt.Errorf("httpnode: cannot close the log: %w", err)
	}
	return nil
}

// ballast makes the heap of a running node look larger than it is, in bytes. The collector runs when the heap
// has doubled: dozens of times a second for a small store under load, which took a tenth of its
// processor time. The memory is never touched, so it costs address space only, and at most as much garbage.
const ballast = 32 << 20

// Run listens, boots the machine and serves until ctx ends; then it finishes what is in flight and
// returns nil, within 2 s. Other errors: the address cannot be listened on, the log failed, or
// the machine panicked.
func (n *Node) Run(ctx context.Context) (err error) {
	listener := n.config.Listener
	if listener == nil {
		if listener, err = net.Listen("tcp", n.config.ListenAddress); err != nil {
			return fmt.Errorf("httpnode: cannot listen on %s: %w", n.config.ListenAddress, err)
		}
	}
	n.logger.Info("node is starting", "listen", listener.Addr().String(), "view", strings.Join(n.config.Machine.View, ","),
		"shard_count", n.config.Machine.ShardCount, "volatile", n.config.Machine.Volatile)
	defer runtime.KeepAlive(make([]byte, ballast))
	guarded := &guard{Listener: listener, limit: int64(n.config.MaxConnections)}
	n.guard.Store(guarded)
	server := n.newServer()
	served := make(chan error, 1)
	go func() {
		served <- server.Serve(guarded)
		close(served)
	}()
	// Who asks meanwhile is told that the node is starting: reading back what it had stored may take a while.
	if err = n.Start(); err == nil {
		err = n.await(ctx, served)
	}
	n.shutdown(server)
	for range served { // it is closed once serving has ended
	}
	return errors.Join(err, n.Close())
}

// await returns nil when ctx ends, or why the node cannot go on.
func (n *Node) await(ctx context.Context, served <-chan error) error {
	for ready := n.Ready(); ; {
		select {
		case <-ready:
			n.logger.Info("node is ready")
			ready = nil
		case <-ctx.Done():
			n.logger.Info("node is stopping")
			return nil
		case <-n.engine.halted:
			return n.engine.err()
		case err := <-served:
			return fmt.Errorf("httpnode: serving failed: %w", err)
		}
	}
}

// Times of a shutdown; together less than 2 s.
const (
	drainTime = 800 * time.Millisecond // for requests that wait for other nodes
	giveUp    = 300 * time.Millisecond // for answering that they were given up
	flushTime = 300 * time.Millisecond // for messages to peers
)
