package netsim

import (
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// World is a run: nodes, links, disks, clocks, faults and the queue of what
// happens next. It belongs to one goroutine; separate worlds share nothing.
type World[M any] struct {
	config   Config[M]
	epoch    int64
	chaosEnd Time

	now    Time
	count  uint64
	spin   uint64
	queue  queue
	events []event[M]
	free   []int32
	nodes  []process[M]
	links  []link

	faults []runningFault
	begun  uint64
	// waitingFaults are those whose situation has not been met yet.
	waitingFaults []int32
	// The faults in effect, by what they reach, as indices of faults.
	linkFaults, handlingFaults, crashFaults, clockFaults, diskFaults []int32

	keys struct{ boot, sync, write, tear, start Seed }

	hash       xxhash.Digest
	scratch    []byte
	probes     []ProbeCount
	probeIndex map[string]int

	killed    NodeSet
	tracing   bool
	healed    bool
	over      bool
	violation *Violation
}

// New makes a world at time zero: all nodes are booted, none has started. The
// error says what is wrong with the configuration.
func New[M any](c Config[M]) (*World[M], error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	w := &World[M]{
		config:   c,
		epoch:    c.Epoch,
		chaosEnd: c.ChaosEnd,
		nodes:    make([]process[M], len(c.Names)),
		links:    make([]link, len(c.Names)*len(c.Names)),
		events:   make([]event[M], 0, 64),
		free:     make([]int32, 0, 64),
		tracing:  c.Trace != nil,

		probeIndex: make(map[string]int),
	}
	w.queue.entries = make([]entry, 0, 64)
	w.hash.Reset()
	if w.epoch == 0 {
		w.epoch = DefaultEpoch
	}
	if w.chaosEnd == 0 {
		w.chaosEnd = c.End
	}
	w.keys.boot, w.keys.sync, w.keys.start = c.Seed.Key("boot"), c.Seed.Key("sync"), c.Seed.Key("start")
	w.keys.write, w.keys.tear = c.Seed.Key("write"), c.Seed.Key("tear")
	w.makeLinks()
	w.scheduleFaults()
	return w, w.bootAll()
}

func (w *World[M]) makeLinks() {
	key := w.config.Seed.Key("link")
	for i := range w.links {
		l := &w.links[i]
		// Keyed by the two nodes, not by i: one more node leaves the others alone.
		l.key = Seed(key.At(uint64(i/len(w.nodes)), uint64(i%len(w.nodes))))
		l.base = w.config.Network.Latency.pick(l.key.At(drawBase))
	}
}

func (w *World[M]) bootAll() (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("netsim: Config.Boot panicked: %v", cause)
		}
	}()
	for i := range w.nodes {
		p := &w.nodes[i]
		p.id = NodeID(i)
		p.out = Outbox[M]{world: w, id: p.id}
		w.bootNode(p)
		at := Range{0, w.config.StartWithin}.pick(w.keys.start.At(uint64(i)))
		if i < len(w.config.StartAt) && w.config.StartAt[i] != 0 {
			p.startAt = w.config.StartAt[i]
			at = p.startAt
		}
		w.queue.push(at, w.newSlot(event[M]{kind: eventStart, node: p.id}))
	}
	return nil
}

// Step lets one event happen: a start, a delivery, a wake-up, a sync, or the
// beginning or end of a fault. False: the run is over, because End is reached,
// nothing is left to happen, a violation was found or Stop was called.
func (w *World[M]) Step() bool {
	for !w.over {
		next, ok := w.queue.next()
		if !ok || next.at > w.config.End {
			w.now = w.config.End
			w.over = true
			return false
		}
		w.queue.pop()
		if next.at > w.now { // else it is late: something was chosen before it
			w.now, w.spin = next.at, 0
		}
		if w.perform(next.slot) {
			return !w.over
		}
	}
	return false
}

// perform runs one entry of the queue; the panics of the machine end here.
func (w *World[M]) perform(slot int32) bool {
	defer w.catch(slot)
	switch w.dispatch(slot) {
	case requeued:
		return false
	case vanished:
		w.release(slot)
		return false
	case happened:
	}
	w.count++
	w.spin++
	w.flush()
	if w.config.Invariant != nil && !w.over {
		if err := w.config.Invariant(w); err != nil {
			w.fail(slot, err, nil)
		}
	}
	if w.spin > spinLimit {
		w.fail(slot, ErrSpinning, nil)
	}
	w.release(slot) // only now: a violation describes the event
	return true
}

// Run steps until the run is over and returns the *Violation, nil if there is
// none.
func (w *World[M]) Run() error {
	for w.Step() {
	}
	return w.Violation()
}

// Violation is the *Violation that ended the run, nil if none did.
func (w *World[M]) Violation() error {
	if w.violation == nil {
		return nil
	}
	return w.violation
}

// Stop ends the run; Step returns false from now on.
func (w *World[M]) Stop() { w.over = true }

// Now is the virtual time of the latest event; End when the run is over.
func (w *World[M]) Now() Time { return w.now }

// Len is the number of nodes.
func (w *World[M]) Len() int { return len(w.nodes) }

// Name is the name of a node.
func (w *World[M]) Name(id NodeID) string { return w.config.Names[id] }

// Node is the machine of a node; of a crashed one, as it died.
func (w *World[M]) Node(id NodeID) Node[M] { return w.nodes[id].node }

// Up reports whether the process of a node runs. A paused one does.
func (w *World[M]) Up(id NodeID) bool { return w.nodes[id].up }

// Killed are the nodes that a Kill has hit: they are down for good, also after
// the chaos.
func (w *World[M]) Killed() NodeSet { return w.killed }

// Durable is the position up to which the log of a node survives a crash, as its
// disk says: false syncs included.
func (w *World[M]) Durable(id NodeID) Position { return w.nodes[id].disk.durable }

// Appended is the position up to which a node has appended.
func (w *World[M]) Appended(id NodeID) Position { return w.nodes[id].disk.appended() }

// Healed reports whether the chaos phase is over.
func (w *World[M]) Healed() bool { return w.healed }

// Events is the number of events so far.
func (w *World[M]) Events() uint64 { return w.count }

// Names are the names of all nodes; do not change them.
func (w *World[M]) Names() []string { return w.config.Names }
