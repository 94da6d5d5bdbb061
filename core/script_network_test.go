package core_test

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// links reads LINK [KIND…], where a LINK is n1->n2, *->n2, n1->*, *->* or n1<->n2, into the form
// that envelope.in understands.
func (s *script) links(d directive) map[string]bool {
	from, to, ok := strings.Cut(d.word(0), "->")
	if !ok {
		d.fail("%q is no link", d.word(0))
	}
	links := []string{strings.TrimSuffix(from, "<") + "->" + to}
	if strings.HasSuffix(from, "<") {
		links = append(links, to+"->"+strings.TrimSuffix(from, "<"))
	}
	set := map[string]bool{}
	for _, link := range links {
		kinds := d.words()[1:]
		if len(kinds) == 0 {
			set[link] = true
		}
		for _, kind := range kinds {
			set[link+" "+kind] = true
		}
	}
	return set
}

// hold LINK [KIND…]: messages stay under way.
func (s *script) cmdHold(d directive) { maps.Copy(s.held, s.links(d)) }

// release: all messages go through again, first those that were held.
func (s *script) cmdRelease(directive) { clear(s.held) }

// cut LINK [KIND…]: messages are lost when they are sent.
func (s *script) cmdCut(d directive) { maps.Copy(s.cut, s.links(d)) }

// heal: messages are lost no more.
func (s *script) cmdHeal(directive) { clear(s.cut) }

// pick takes the messages under way on a link out of the network: all of the given kinds, or with
// nth=N only the N-th of them.
func (s *script) pick(d directive) (picked []envelope) {
	links, nth, matched := s.links(d), d.number("nth"), 0
	s.inflight = slices.DeleteFunc(s.inflight, func(e envelope) bool {
		if !e.in(links) || hidden[e.kind] && len(d.words()) == 1 {
			return false
		}
		matched++
		if nth != 0 && matched != nth {
			return false
		}
		picked = append(picked, e)
		return true
	})
	if len(picked) == 0 {
		d.fail("no such message is under way")
	}
	return picked
}

// deliver LINK [KIND…] [nth=N]: delivers messages of held links.
func (s *script) cmdDeliver(d directive) {
	for _, e := range s.pick(d) {
		s.deliver(e)
	}
}

// drop LINK [KIND…] [nth=N]: loses messages of held links.
func (s *script) cmdDrop(d directive) {
	for _, e := range s.pick(d) {
		s.print("lost: %s\n", s.describeEnvelope(e))
	}
}

// duplicate LINK [KIND…] [nth=N]: delivers messages of held links, and leaves them under way.
func (s *script) cmdDuplicate(d directive) {
	for _, e := range s.pick(d) {
		s.deliver(e)
		s.inflight = append(s.inflight, e)
	}
}

// reverse LINK [KIND…]: turns the order of messages under way around.
func (s *script) cmdReverse(d directive) {
	picked := s.pick(d)
	slices.Reverse(picked)
	s.inflight = append(s.inflight, picked...)
}

// change LINK [KIND…] [nth=N] counter=N|slots=none|to=NODE: alters messages under way, as only a faulty peer would.
func (s *script) cmdChange(d directive) {
	for _, e := range s.pick(d) {
		m, err := wire.Decode(e.data)
		if err != nil {
			d.fail("%v", err)
		}
		switch body := m.Body.(type) {
		case *wire.Forward:
			if counter := d.number("counter"); counter != 0 {
				body.Counter = uint64(counter)
			}
			if key := d.option("key"); key != "" {
				body.Key = s.key(key)
			}
		case *wire.Batch:
			body.Slots = shard.Set{}
		case *wire.Pull:
			body.Slots = shard.Set{}
		case *wire.State:
			body.To = nil
		default:
			d.fail("cannot change a %s", e.kind)
		}
		e.data = wire.Append(nil, m)
		s.inflight = append(s.inflight, e)
		s.print("%s\n", s.describeEnvelope(e))
	}
}

// inflight: the messages under way.
func (s *script) cmdInflight(directive) {
	for _, e := range s.inflight {
		if s.shows(e.kind) {
			s.print("%s\n", s.describeEnvelope(e))
		}
	}
}

// trace KIND…|off: prints deliveries that are hidden by default.
func (s *script) cmdTrace(d directive) {
	for _, kind := range d.words() {
		if kind == "off" {
			clear(s.traced)
		} else {
			s.traced[kind] = true
		}
	}
}

// hide WORD…: leaves deliveries of these kinds, these probes, or logs, out of the output. They happen all the same.
func (s *script) cmdHide(d directive) {
	for _, word := range d.words() {
		s.muted[word] = true
	}
}

// show WORD…: takes a hide back.
func (s *script) cmdShow(d directive) {
	for _, word := range d.words() {
		delete(s.muted, word)
	}
}

func (s *script) describeEnvelope(e envelope) string {
	m, err := wire.Decode(e.data)
	if err != nil {
		s.t.Fatal(err)
	}
	return e.from + " -> " + e.to + " " + s.describe(m)
}

// unsynced NODE: what waits for the disk.
func (s *script) cmdUnsynced(d directive) {
	n := s.nodes[d.word(0)]
	s.print("durable up to %d of %d\n", n.durable, len(n.log))
	for _, send := range n.sends {
		if kindOf(send.Message.Body) == "raft" && !s.traced["raft"] {
			continue
		}
		s.print("after %d: %s -> %s %s\n", send.After, n.name, send.To, s.describe(send.Message))
	}
	for i, r := range n.waiting {
		s.print("after %d: answer %s: %s\n", r.After, s.labels[r.ID], s.describeAnswer(r, n.waitText[i]))
	}
}

// waiting NODE: how many requests wait there.
func (s *script) cmdWaiting(d directive) {
	s.print("%s\n", strconv.Itoa(s.nodes[d.word(0)].machine.Waiting()))
}

// probes: everything that was met so far in this file.
func (s *script) cmdProbes(directive) {
	for _, p := range slices.Sorted(maps.Keys(s.reached)) {
		s.print("%s %d\n", p, s.reached[p])
	}
}
