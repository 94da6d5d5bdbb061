// Package gossip is a counter that many nodes count together, and an example of
// how to bring your own machine to netsim. Copy the folder and replace the
// counter.
//
// # How to bring your own machine
//
// 1. Choose a message type; here Counts. The world moves its values, encodes them
// for the digest and describes them in traces.
//
// 2. Write the machine as a netsim.Node: Start, Receive and Wake. It knows the
// time only from the Clock it is given, draws only on Boot.Random, and acts only
// through the Outbox. No goroutines, no locks, no maps that are ranged over.
//
// 3. Decide what it promises before it may forget it. A counter must never tell
// others of a count that it could lose in a crash, so it appends a record first
// and sends after that record's position.
//
// 4. Say how a process boots: Boot gives the records that survived.
//
// 5. Report rare situations as probes (Outbox.Probe): a sweep can demand that they
// are met, and faults can wait for them.
//
// 6. Say what must always hold (Invariant) and what must hold once the world has
// healed (Check in the test). See gossip_test.go: a sweep over seeds, each with
// its own storm of faults, is twenty lines.
package gossip

import (
	"encoding/binary"
	"fmt"

	"github.com/sequitur-kv/sequitur/netsim"
)

// Counts is the message, and what a node knows: how much each node has counted.
// Merging two is taking the larger of each: a grow-only counter (Shapiro et al.,
// A comprehensive study of convergent and commutative replicated data types,
// 2011). Loss, duplicates and any order do no harm.
type Counts []uint64

// Counter is one node.
type Counter struct {
	id     netsim.NodeID
	goal   uint64
	every  netsim.Time
	random netsim.Stream
	counts Counts
	last   netsim.Position
	// hasty plants the classic mistake, for the test that shows it is found:
	// telling others before the own disk knows.
	hasty bool
}

// New boots a counter of n nodes that counts up to goal, one step every interval,
// and gossips as often.
func New(boot netsim.Boot[Counts], n int, goal uint64, every netsim.Time) *Counter {
	c := &Counter{
		id:     boot.ID,
		goal:   goal,
		every:  every,
		random: netsim.Seed(boot.Random).Stream("gossip"),
		counts: make(Counts, n),
		last:   boot.Position,
	}
	c.counts[c.id] = uint64(len(boot.Records)) // one record per step
	return c
}

// Start sets the first step.
func (c *Counter) Start(now netsim.Clock, out *netsim.Outbox[Counts]) {
	out.WakeAt(now.Mono + c.random.Between(1, c.every))
}

// Wake counts one step and tells another node what is known.
func (c *Counter) Wake(now netsim.Clock, out *netsim.Outbox[Counts]) {
	out.WakeAt(now.Mono + c.every)
	if c.counts[c.id] < c.goal {
		c.counts[c.id]++
		c.last = out.Append([]byte{1})
		if c.counts[c.id] == c.goal {
			out.Probe("gossip.last_step") // and no later step repairs what is lost of it
		}
	}
	peer := netsim.NodeID(c.random.Below(uint64(len(c.counts))))
	if peer == c.id {
		return
	}
	after := c.last
	if c.hasty {
		after = 0
	}
	out.Send(peer, append(Counts(nil), c.counts...), after)
}

// Receive merges what another node knows.
func (c *Counter) Receive(_ netsim.Clock, _ netsim.NodeID, counts Counts, out *netsim.Outbox[Counts]) {
	news := false
	for i, count := range counts {
		if count > c.counts[i] {
			c.counts[i] = count
			news = true
		}
	}
	if !news {
		out.Probe("gossip.nothing_new")
	}
}

// AppendState lets the digest of a run cover the counts.
func (c *Counter) AppendState(buf []byte) []byte { return Encode(buf, c.counts) }

// Total is what the node believes all have counted.
func (c *Counter) Total() uint64 {
	var total uint64
	for _, count := range c.counts {
		total += count
	}
	return total
}

// Encode is for netsim.Config.Encode.
func Encode(buf []byte, counts Counts) []byte {
	for _, count := range counts {
		buf = binary.LittleEndian.AppendUint64(buf, count)
	}
	return buf
}

// Invariant holds after every event: nobody knows of a step of a node that this
// node does not know of itself.
func Invariant(w *netsim.World[Counts]) error {
	for about := range netsim.NodeID(w.Len()) {
		own := w.Node(about).(*Counter).counts[about]
		for by := range netsim.NodeID(w.Len()) {
			if known := w.Node(by).(*Counter).counts[about]; known > own {
				return fmt.Errorf("gossip: %s knows of %d steps of %s, which knows of %d itself",
					w.Name(by), known, w.Name(about), own)
			}
		}
	}
	return nil
}
