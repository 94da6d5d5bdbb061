package core_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sequitur-kv/sequitur/core"
)

// cluster nodes=N shards=S [LIMIT=VALUE …]: starts all nodes at once and lets them form; none with nodes=0.
func (s *script) cmdCluster(d directive) {
	s.reset(d.t, d.number("nodes"), d.number("shards"), d.limits())
	if len(s.names) == 0 {
		return
	}
	s.cluster.advance(time.Second)
	s.out.Reset()
	for _, shard := range s.configuration().Shards {
		var members []string
		for i, m := range shard.Members {
			members = append(members, fmt.Sprintf("%s (replica %d)", s.configuration().Members[m].Address, shard.Replicas[i]))
		}
		s.print("shard %s: %s\n", shard.ID, strings.Join(members, ", "))
	}
	for _, name := range s.names {
		if o := s.nodes[name].machine.Obstacle(); o != "" {
			s.print("%s: %s\n", name, o)
		}
	}
}

// limits reads the options that change the configuration of the nodes.
func (d directive) limits() func(*core.Config) {
	return func(c *core.Config) {
		c.MaxWaiting = d.number("max-waiting")
		c.MaxWaitingBytes = d.number("max-waiting-bytes")
		c.MaxBuffered = d.number("max-buffered")
		c.MaxBufferedSize = d.number("max-buffered-size")
		c.ChunkBytes = d.number("chunk-bytes")
		c.DependencyWait = d.duration(d.option("dependency-wait"))
		c.Volatile = d.has("volatile")
	}
}

// boot NODE view=a,b,c [shards=S] [manual]: starts one node with an empty disk, which syncs only when told if manual.
func (s *script) cmdBoot(d directive) {
	name := d.word(0)
	config := core.Config{Address: name, View: strings.Split(d.option("view"), ","), ShardCount: d.number("shards")}
	d.limits()(&config)
	if !slices.Contains(s.names, name) {
		s.names = append(s.names, name)
		slices.Sort(s.names)
	}
	s.nodes[name] = &node{name: name, config: config, manual: d.has("manual")}
	s.cluster.boot(name, nil, 0)
}

// crash NODE…: what was not synced is lost.
func (s *script) cmdCrash(d directive) {
	for _, name := range d.words() {
		n := s.nodes[name]
		if lost := len(n.log) - int(n.durable); lost > 0 {
			s.print("%s loses %d log positions\n", name, lost)
		}
		s.cluster.crash(name)
	}
}

// restart NODE… [lose=N] [view=a,b,c] [shards=S] [address=a]: boots with the records on disk; after a disk that lied, without
// the last N positions of them.
func (s *script) cmdRestart(d directive) {
	for _, name := range d.words() {
		n := s.nodes[name]
		if d.option("view") != "" {
			n.config.View = strings.Split(d.option("view"), ",")
		}
		if d.option("shards") != "" {
			n.config.ShardCount = d.number("shards")
		}
		if d.option("address") != "" {
			n.config.Address = d.option("address")
		}
		n.durable -= core.Position(d.number("lose"))
		n.log = n.log[:n.durable]
		s.cluster.restart(name)
	}
}

// wipe NODE… [view=a,b,c]: boots with an empty disk, a new life.
func (s *script) cmdWipe(d directive) {
	for _, name := range d.words() {
		if d.option("view") != "" {
			s.nodes[name].config.View = strings.Split(d.option("view"), ",")
		}
		s.cluster.wipe(name)
	}
}

// disk NODE manual|auto: whether records become durable only by sync.
func (s *script) cmdDisk(d directive) { s.nodes[d.word(0)].manual = d.has("manual") }

// full NODE…: the disk has no room for anything new.
func (s *script) cmdFull(d directive) { s.setFull(d, true) }

// room NODE…: there is room again.
func (s *script) cmdRoom(d directive) { s.setFull(d, false) }

func (s *script) setFull(d directive, full bool) {
	for _, name := range d.words() {
		s.nodes[name].full = full
		s.step(name, core.Input{Kind: core.InputWake})
	}
}

// sync NODE…: everything written so far becomes durable.
func (s *script) cmdSync(d directive) {
	for _, name := range d.words() {
		s.cluster.sync(name)
	}
}

// clock NODE -10s: sets how far the wall clock of a node is off.
func (s *script) cmdClock(d directive) { s.nodes[d.word(0)].skew = d.duration(d.word(1)) }

// advance 3s: lets time pass.
func (s *script) cmdAdvance(d directive) { s.cluster.advance(d.duration(d.word(0))) }

// await LABEL: lets time pass until a request is answered, a minute at most. await NODE epoch=N: until the node has
// the configuration of an epoch. await leader: until a node leads the log.
func (s *script) cmdAwait(d directive) {
	word := d.word(0)
	for range 600 {
		switch _, answered := s.replies[s.ids[word]]; {
		case d.option("epoch") != "":
			if c := s.nodes[word].machine.Configuration(); c != nil && c.Epoch >= uint64(d.number("epoch")) {
				return
			}
		case word == "leader":
			if s.leader() != "" {
				return
			}
		case answered:
			return
		}
		s.cluster.advance(100 * time.Millisecond)
	}
	s.print("nothing happens within a minute\n")
}

// pause NODE: it neither wakes nor receives; what is sent to it stays under way.
func (s *script) cmdPause(d directive) { s.nodes[d.word(0)].paused = true }

// resume NODE: it wakes, and then receives.
func (s *script) cmdResume(d directive) {
	s.nodes[d.word(0)].paused = false
	s.step(d.word(0), core.Input{Kind: core.InputWake})
}

// eject NODE as=LABEL: it crashes, and its disk is taken out.
func (s *script) cmdEject(d directive) {
	s.cluster.crash(d.word(0))
	kept := *s.nodes[d.word(0)]
	s.ejected[d.option("as")] = &kept
}

// insert NODE LABEL [view=a,b,c]: it boots with a disk that was taken out, of whatever node.
func (s *script) cmdInsert(d directive) {
	name, disk := d.word(0), s.ejected[d.word(1)]
	if d.option("view") != "" {
		s.nodes[name].config.View = strings.Split(d.option("view"), ",")
	}
	s.cluster.boot(name, disk.log, disk.durable)
}
