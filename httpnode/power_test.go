package httpnode

import (
	"context"
	"flag"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/httpnode/disk"
	"github.com/sequitur-kv/sequitur/internal/apitest"
)

var cuts = flag.Int("cuts", 8, "how often TestPowerCuts cuts the power of nodes")

// plugged is a log that calls nothing durable once its power is cut: what is written then is written nowhere.
type plugged struct {
	*disk.Log
	off atomic.Bool
}

func (p *plugged) Start(advanced func(core.Position, error)) {
	p.Log.Start(func(position core.Position, err error) {
		if !p.off.Load() {
			advanced(position, err)
		}
	})
}

func (p *plugged) Append(forget bool, records []core.Record, position core.Position) core.Position {
	durable := p.Log.Append(forget, records, position)
	if p.off.Load() {
		return 0
	}
	return durable
}

// identity is what a node must not lose with its power.
type identity struct {
	life    view.LifeID
	replica causal.ReplicaID
}

// computer is where one node of a store runs, again and again.
type computer struct {
	address string
	config  Config
	fs      *vfs.MemFS

	log    *plugged
	node   *Node
	server runningServer
	past   *sync.WaitGroup // what nodes whose power was cut still do, to no effect
}

// slow makes syncing take as long as on a disk: most cuts come while something is not synced.
func slow(op errorfs.Op) error {
	if op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData {
		<-time.After(5 * time.Millisecond)
	}
	return nil
}

// start starts the node on what its file system holds.
func (c *computer) start(t *testing.T) {
	t.Helper()
	log, err := disk.Open("/data", disk.Options{FS: errorfs.Wrap(c.fs, errorfs.InjectorFunc(slow))})
	if err != nil {
		t.Fatal(err)
	}
	c.log = &plugged{Log: log}
	config := c.config
	config.Machine.Address, config.Log = c.address, c.log
	if c.node, err = New(config); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", c.address)
	if err != nil {
		t.Fatal(err)
	}
	c.server = c.node.newServer()
	c.past.Go(func() { _ = c.server.Serve(listener) })
	if err := c.node.Start(); err != nil {
		t.Fatalf("%s: %v", c.address, err)
	}
}

// cut cuts the power. Of what is not synced so many percent are there afterwards.
func (c *computer) cut(t *testing.T, percent int, seed uint64) {
	c.log.off.Store(true)
	// What leaves the node from here on left it before.
	c.node.engine.close()
	c.fs = c.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(seed, 0))})
	c.stop(t)
}

func (c *computer) stop(t *testing.T) {
	node, server := c.node, c.server
	server.giveUp()
	server.Close()
	c.past.Go(func() {
		if err := node.Close(); err != nil {
			t.Errorf("%s: %v", c.address, err)
		}
	})
}

// serves returns once the node does.
func (c *computer) serves(t *testing.T) {
	t.Helper()
	select {
	case <-c.node.Ready():
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: %s", c.address, c.node.Obstacle())
	}
}

func (c *computer) identity() (id identity) {
	c.node.engine.inspect(func(m machine) { id = identity{m.Life(), m.Replica()} })
	return id
}

// TestPowerCuts cuts the power of one node, of several, or of all at once, under load.
func TestPowerCuts(t *testing.T) {
	const nodes, sessions = 4, 6
	random := rand.New(rand.NewPCG(3, 2))
	var past sync.WaitGroup
	config := Config{Machine: core.Config{ShardCount: 2}, Logger: slog.New(slog.DiscardHandler)}
	computers, urls, identities := make([]*computer, nodes), make([]string, nodes), make([]identity, nodes)
	for i := range computers {
		listener := listen(t)
		listener.Close()
		computers[i] = &computer{address: listener.Addr().String(), fs: vfs.NewCrashableMem(), past: &past}
		urls[i] = "http://" + computers[i].address
		config.Machine.View = append(config.Machine.View, computers[i].address)
	}
	for _, c := range computers {
		c.config = config
		c.start(t)
	}
	t.Cleanup(func() {
		for _, c := range computers {
			c.stop(t)
		}
		past.Wait()
	})
	for i, c := range computers {
		c.serves(t)
		identities[i] = c.identity()
	}

	patient := new(http.Transport)
	hasty := &http.Transport{ResponseHeaderTimeout: 300 * time.Millisecond} // or it would mostly wait for nodes that are down
	defer patient.CloseIdleConnections()
	defer hasty.CloseIdleConnections()
	ledgers, acknowledged := make([]*apitest.Ledger, sessions), make([]int, sessions)
	var running sync.WaitGroup
	stop := make(chan struct{})
	end := sync.OnceFunc(func() {
		close(stop)
		running.Wait()
	})
	defer end()
	for i := range ledgers {
		padding := 0
		if i == 0 {
			padding = 100_000 // so that Pebble has something to tidy up
		}
		ledgers[i] = apitest.NewLedger(i, padding)
		running.Go(func() {
			var err error
			if acknowledged[i], err = ledgers[i].Play(apitest.NewClient(context.Background(), hasty), urls, stop); err != nil {
				t.Error(err)
			}
		})
	}
	done := 0
	for done < *cuts {
		victims := random.Perm(nodes)[:[]int{1, 1, 1, 2, nodes}[random.IntN(5)]]
		for _, i := range victims {
			computers[i].cut(t, []int{0, 50, 100}[random.IntN(3)], random.Uint64())
			done++
		}
		<-time.After(time.Duration(random.IntN(200)) * time.Millisecond)
		for _, i := range victims {
			computers[i].start(t)
		}
		<-time.After(time.Duration(random.IntN(500)) * time.Millisecond)
	}
	for _, c := range computers {
		c.serves(t)
	}
	end()
	total := 0
	for i, l := range ledgers {
		if err := l.Audit(apitest.NewClient(context.Background(), patient), urls); err != nil {
			t.Error(err)
		}
		total += acknowledged[i]
	}
	t.Logf("%d writes acknowledged, %d cuts", total, done)
	if total < 10**cuts {
		t.Errorf("only %d writes were acknowledged", total)
	}
	now := make([]identity, nodes)
	for i, c := range computers {
		now[i] = c.identity()
	}
	if !slices.Equal(now, identities) {
		t.Errorf("lives and replica ids were %v, are %v: a restart is no loss of memory", identities, now)
	}
}
