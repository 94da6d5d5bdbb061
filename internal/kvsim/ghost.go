package kvsim

import (
	"cmp"
	"fmt"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/hlc"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/store"
	"github.com/sequitur-kv/sequitur/core/token"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// write is what the harness knows of a dot from the moment it was minted.
type write struct {
	operation int32 // index of the operation that asked for it
	key       string
	slot      shard.Slot // of the key
	order     order
	context   causal.Context // as stored; zero if it was overwritten in its own step, unseen
	at        core.Position  // of the step that made it, on the disk of its node
	destroyed bool           // every durable copy was, by intention
}

// order places a write among the writes of its key, as core's versions are ordered.
type order struct {
	clock hlc.Time
	dot   causal.Dot
}

func orderOf(v *store.Version) order { return order{v.Clock(), v.Dot} }

func (o order) compare(p order) int {
	return cmp.Or(
		cmp.Compare(o.clock, p.clock),
		cmp.Compare(o.dot.Replica, p.dot.Replica),
		cmp.Compare(o.dot.Seq, p.dot.Seq),
	)
}

// ghost is knowledge that no node has: all writes ever minted, and what was shown to anyone.
type ghost struct {
	writes [][]write      // by replica id, then by sequence number - 1
	byKey  [][]causal.Dot // by index of the key
	shown  []causal.Coverage
	// shown[server] is what the present life of the server claimed in messages that somebody
	// received: a crash must not take it back.
	left    []departure    // by server: slots that it was not in charge of all the time
	answers [][]causal.Dot // by server: versions of its own that its present life answered with
	dotOf   []causal.Dot   // by operation: the write it became, zero for none

	lives     []view.LifeID       // by server: the present one
	lifeShown []bool              // by server: somebody received a message of that life
	births    []birth             // of all lives, in the order in which they began
	replicas  []replica           // by replica id: every one that ever was assigned
	newest    *view.Configuration // of all that any server has put in force
	versions  []version           // of all that any server has put in force, by index
	rulings   []ruling            // in the order in which they were seen
	reshards  []reshardSeen       // changes of the last reshard, likewise
	lowered   bool                // the newest one takes back what was said of the writes of a dead replica
	founded   bool
	founder   int  // the server that was formed first
	witnessed bool // somebody else knows of the founding: a crash must not take it back
	cluster   token.ClusterID
	tokens    token.Codec
}

// departure says until when what a server says of some slots means nothing for later.
type departure struct {
	slots shard.Set
	epoch uint64
}

// birth says where a life began.
type birth struct {
	life   view.LifeID
	server int
	joined span // where the log made it a member; the zero value: nowhere, or the store was founded with it
	unseen bool // and ended it before anybody saw that, if it did at all
}

// replica is the history of a replica id.
type replica struct {
	life   view.LifeID // zero: not assigned yet
	server int         // of that life
	shown  uint64      // the last of its writes that somebody saw a sign of
	fixed  bool        // it is dead, and finals say which of its writes count
	finals []view.Extent
}

func (g *ghost) reset(servers, keys, operations int) {
	g.writes = resize(g.writes, servers+1)
	for i := range g.writes {
		clear(g.writes[i])
		g.writes[i] = g.writes[i][:0]
	}
	g.byKey = resize(g.byKey, keys)
	for i := range g.byKey {
		g.byKey[i] = g.byKey[i][:0]
	}
	g.shown = resize(g.shown, servers)
	g.answers, g.left = resize(g.answers, servers), resize(g.left, servers)
	g.lifeShown = resize(g.lifeShown, servers)
	for i := range g.shown {
		g.unsee(i)
	}
	g.dotOf = resize(g.dotOf, operations)
	clear(g.dotOf)
	g.lives = resize(g.lives, servers)
	clear(g.lives)
	g.births, g.replicas, g.newest = g.births[:0], g.replicas[:0], nil
	g.versions, g.rulings, g.reshards, g.lowered = g.versions[:0], g.rulings[:0], g.reshards[:0], false
	g.founded, g.founder, g.witnessed, g.cluster, g.tokens = false, 0, false, 0, token.Codec{}
}

// unsee forgets what a server has shown: it begins a new life.
func (g *ghost) unsee(server int) {
	g.shown[server], g.answers[server], g.lifeShown[server] = g.shown[server][:0], g.answers[server][:0], false
	g.left[server] = departure{}
}

// resize returns s with length n, old elements and their memory kept.
func resize[T any](s []T, n int) []T {
	for len(s) < n {
		var zero T
		if len(s) < cap(s) {
			s = s[:len(s)+1]
			continue
		}
		s = append(s, zero)
	}
	return s[:n]
}

// born notes that a server lives a life.
func (g *ghost) born(life view.LifeID, server int) {
	if g.lives[server] = life; g.serverOf(life) < 0 {
		g.births = append(g.births, birth{life: life, server: server})
	}
}

// serverOf is the server that lives or lived a life, -1 if there is none.
func (g *ghost) serverOf(life view.LifeID) int {
	for i := range g.births {
		if g.births[i].life == life {
			return g.births[i].server
		}
	}
	return -1
}

// adopted notes what a configuration says that a server has put in force. The error names what a
// correct store never does.
func (g *ghost) adopted(server int, c *view.Configuration) error {
	if !g.founded || server == g.founder && !g.witnessed && c.Cluster != g.cluster {
		g.founder, g.founded, g.cluster, g.tokens = server, true, c.Cluster, c.Tokens
		g.witnessed = false
		g.replicas, g.newest, g.versions = g.replicas[:0], nil, g.versions[:0]
		g.rulings, g.reshards = g.rulings[:0], g.reshards[:0]
		for i := range g.births {
			g.births[i].joined, g.births[i].unseen = span{}, false
		}
	}
	g.witnessed = g.witnessed || server != g.founder
	if c.Cluster != g.cluster || g.newest != nil && c.Index <= g.newest.Index {
		return nil
	}
	g.newest = c
	for i := range c.Assignments {
		a := &c.Assignments[i]
		for int(a.Replica) >= len(g.replicas) {
			g.replicas = append(g.replicas, replica{})
		}
		switch of := &g.replicas[a.Replica]; of.life {
		case 0:
			*of = replica{life: a.Life, server: g.serverOf(a.Life)}
		case a.Life:
		default:
			return fmt.Errorf("replica id %d was that of life %s and is given to life %s", a.Replica, of.life, a.Life)
		}
	}
	return nil
}

// replica returns the history of a replica id, nil if nobody was ever assigned it.
func (g *ghost) replica(id causal.ReplicaID) *replica {
	if int(id) >= len(g.replicas) || g.replicas[id].life == 0 {
		return nil
	}
	return &g.replicas[id]
}

// made is the number of writes that were made under a replica id.
func (g *ghost) made(id causal.ReplicaID) uint64 {
	if int(id) >= len(g.writes) {
		return 0
	}
	return uint64(len(g.writes[id]))
}

// lookup returns the write that a dot names, nil if nobody minted it.
func (g *ghost) lookup(dot causal.Dot) *write {
	if int(dot.Replica) >= len(g.writes) || dot.Seq == 0 || dot.Seq > uint64(len(g.writes[dot.Replica])) {
		return nil
	}
	return &g.writes[dot.Replica][dot.Seq-1]
}

// mint notes a write. The error names what a correct machine never does.
func (g *ghost) mint(dot causal.Dot, w write, key int) error {
	for int(dot.Replica) >= len(g.writes) {
		g.writes = append(g.writes, nil)
	}
	stream := &g.writes[dot.Replica]
	switch {
	case dot.Replica == 0 || dot.Seq == 0:
		return fmt.Errorf("a write is named %s, which is no name", dot)
	case dot.Seq <= uint64(len(*stream)):
		return fmt.Errorf("the name %s is given to two writes", dot)
	case dot.Seq != uint64(len(*stream))+1:
		return fmt.Errorf("a write is named %s, but only %s came before it", dot, counted(len(*stream), "write"))
	}
	*stream = append(*stream, w)
	g.byKey[key] = append(g.byKey[key], dot)
	return nil
}

// forget drops the writes of a replica beyond seq: a crash took them before anybody saw them.
func (g *ghost) forget(replica causal.ReplicaID, seq uint64) {
	if int(replica) >= len(g.writes) || uint64(len(g.writes[replica])) <= seq {
		return
	}
	stream := g.writes[replica]
	for _, w := range stream[seq:] {
		if g.dotOf[w.operation].Replica == replica && g.dotOf[w.operation].Seq > seq {
			g.dotOf[w.operation] = causal.Dot{}
		}
	}
	clear(stream[seq:])
	g.writes[replica] = stream[:seq]
	for key, dots := range g.byKey {
		kept := dots[:0]
		for _, dot := range dots {
			if dot.Replica != replica || dot.Seq <= seq {
				kept = append(kept, dot)
			}
		}
		g.byKey[key] = kept
	}
}

// latest is the last of the writes of a key that a vector covers; nil if it covers none.
func (g *ghost) latest(key int, covered causal.Vector) *write {
	var best *write
	for _, dot := range g.byKey[key] {
		if !covered.Covers(dot) || g.lost(dot) {
			continue
		}
		w := g.lookup(dot)
		if w != nil && (best == nil || best.order.compare(w.order) < 0) {
			best = w
		}
	}
	return best
}

// see notes what a server showed to somebody at an epoch: all that a coverage of its own covers.
func (g *ghost) see(server int, epoch uint64, claim causal.Coverage) {
	slots := claim.Slots()
	if left := &g.left[server]; epoch < left.epoch {
		if slots = slots.Minus(&left.slots); slots.IsEmpty() {
			return
		}
		claim = claim.Within(&slots)
	}
	g.shown[server] = g.shown[server].Hold(&slots).RaiseAll(claim)
}

// seeCoverage is seeContext for each part of a coverage.
func (g *ghost) seeCoverage(c causal.Coverage) {
	for i := range c {
		g.seeContext(c[i].Vector)
	}
}

// seeContext notes that somebody saw names of writes: each was durable where it was made before.
func (g *ghost) seeContext(dots causal.Vector) {
	for _, dot := range dots {
		g.seeDot(dot)
	}
}

func (g *ghost) seeDot(dot causal.Dot) {
	if of := g.replica(dot.Replica); of != nil {
		of.shown = max(of.shown, dot.Seq)
	}
}

// seePacked is seeContext for the context of a version.
func (g *ghost) seePacked(context causal.Packed) {
	for dot := range context.Dots {
		g.seeDot(dot)
	}
}

// overhear notes what a message that arrived says about its sender. One that an earlier life sent says
// nothing about the present one.
func (g *ghost) overhear(from int, m *wire.Message) {
	present := g.lives[from] == m.From
	g.lifeShown[from] = g.lifeShown[from] || present
	g.witnessed = g.witnessed || m.Cluster != 0
	switch b := m.Body.(type) {
	case *wire.Heartbeat:
		if present {
			g.see(from, m.Epoch, b.Have)
		}
		g.seeCoverage(b.Have)
	case *wire.Batch:
		g.seeDot(causal.Dot{Replica: b.Replica, Seq: b.To})
		for i := range b.Writes {
			g.seePacked(b.Writes[i].Context)
		}
	case *wire.Pull:
		g.seeContext(b.Have)
	case *wire.State:
		if present {
			g.see(from, m.Epoch, b.To)
		}
		g.seeCoverage(b.To)
		for i := range b.Versions {
			g.seePacked(b.Versions[i].Context)
		}
	case *wire.Forward:
		g.seeContext(b.Context.Vector)
	case *wire.Reply:
		g.seePacked(b.Context)
	}
}

// mintedVersion finds what a step made of a dot: stored, or overwritten within the same step and
// then perhaps among what the step sends.
func mintedVersion(m *core.Machine, out *core.Output, dot causal.Dot, key string) (causal.Context, order) {
	if v := m.Lookup(key); v != nil && v.Dot == dot {
		return v.Context.Unpack(), orderOf(v)
	}
	for i := range out.Sends {
		batch, ok := out.Sends[i].Message.Body.(*wire.Batch)
		if !ok {
			continue
		}
		for j := range batch.Writes {
			if v := &batch.Writes[j]; v.Dot == dot {
				return v.Context.Unpack(), orderOf(v)
			}
		}
	}
	for i := range out.Replies {
		if out.Replies[i].Dot == dot {
			return causal.Context{}, order{out.Replies[i].Clock, dot}
		}
	}
	for i := range out.Sends {
		if reply, ok := out.Sends[i].Message.Body.(*wire.Reply); ok && reply.Dot == dot {
			return causal.Context{}, order{reply.Clock, dot}
		}
	}
	return causal.Context{}, order{dot: dot}
}
