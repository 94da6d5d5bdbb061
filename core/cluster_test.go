package core_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// cluster runs machines over a network and disks that a test controls by hand. Nothing moves by
// itself: messages wait in their links until they are delivered, and time passes only in advance.
type cluster struct {
	t        testing.TB
	names    []string
	nodes    map[string]*node
	now      time.Duration
	inflight []envelope
	held     map[string]bool // links "n1->n2", or "n1->n2 batch", whose messages stay until released
	cut      map[string]bool // likewise, whose messages are lost when sent
	replies  map[core.RequestID]core.Response
	tokens   map[core.RequestID]string
	probes   map[core.Probe]int
	lives    map[view.LifeID]string // n1#2: born in the second boot of n1
	accepted []core.Accepted
	request  core.RequestID
	output   core.Output
	observe  func(format string, args ...any)
	watch    watch
}

// watch is told what happens; absent functions are not called.
type watch struct {
	delivered func(e envelope, m *wire.Message, lost bool)
	probed    func(name string, p core.Probe)
	replied   func(name string, r core.Response, token string)
	refused   func(name string, err error) // by New
}

type node struct {
	name     string
	config   core.Config
	machine  *core.Machine // nil while down
	boots    byte
	skew     time.Duration
	wake     time.Duration
	manual   bool // syncs only when told to
	paused   bool // neither wakes nor receives
	full     bool // its disk has no room for anything new
	log      [][]core.Record
	durable  core.Position
	sends    []core.Send // waiting for durability
	waiting  []core.Response
	waitText []string
}

type envelope struct {
	from, to string
	kind     string // batch, pull, …
	data     []byte
}

func (e envelope) link() string { return e.from + "->" + e.to }

// in tells whether a set of links, or of links and kinds, contains the envelope. Links may have "*"
// for a name.
func (e envelope) in(links map[string]bool) bool {
	if len(links) == 0 {
		return false
	}
	for _, link := range []string{e.link(), e.from + "->*", "*->" + e.to, "*->*"} {
		if links[link] || links[link+" "+e.kind] {
			return true
		}
	}
	return false
}

func kindOf(body wire.Body) string {
	return strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", body), "*wire."))
}

const epochMillis = 1_700_000_000_000

func newCluster(t testing.TB, count, shards int, adapt func(*core.Config)) *cluster {
	c := &cluster{
		t: t, nodes: map[string]*node{}, held: map[string]bool{}, cut: map[string]bool{}, replies: map[core.RequestID]core.Response{},
		tokens: map[core.RequestID]string{}, probes: map[core.Probe]int{},
		lives: map[view.LifeID]string{}, observe: func(string, ...any) {},
	}
	for i := range count {
		c.names = append(c.names, fmt.Sprintf("n%d", i+1))
	}
	for _, name := range c.names {
		config := core.Config{Address: name, View: c.names, ShardCount: shards}
		if adapt != nil {
			adapt(&config)
		}
		c.nodes[name] = &node{name: name, config: config}
		c.boot(name, nil, 0)
	}
	return c
}

// boot starts a node with what is given as durable.
func (c *cluster) boot(name string, log [][]core.Record, durable core.Position) {
	n := c.nodes[name]
	n.boots++
	n.config.Entropy[0], n.config.Entropy[1] = name[1], n.boots
	var records []core.Record
	for _, unit := range log {
		records = append(records, unit...)
	}
	machine, err := core.New(n.config, records, durable)
	if err != nil && c.watch.refused != nil {
		c.watch.refused(name, err)
		return
	}
	if err != nil {
		c.t.Fatalf("boot %s: %v", name, err)
	}
	n.machine, n.log, n.durable = machine, log, durable
	n.sends, n.waiting, n.waitText = nil, nil, nil
	if c.lives[machine.Life()] == "" {
		c.lives[machine.Life()] = fmt.Sprintf("%s#%d", name, n.boots)
	}
	c.step(name, core.Input{Kind: core.InputWake})
}

func (c *cluster) crash(name string) {
	n := c.nodes[name]
	n.machine = nil
	n.log = n.log[:n.durable]
}

func (c *cluster) restart(name string) { c.boot(name, c.nodes[name].log, c.nodes[name].durable) }

func (c *cluster) wipe(name string) { c.boot(name, nil, 0) }

func (c *cluster) step(name string, input core.Input) {
	n := c.nodes[name]
	if n == nil || n.machine == nil {
		return
	}
	input.Mono = c.now
	input.Wall = epochMillis + (c.now + n.skew).Milliseconds()
	input.Durable, input.Full = n.durable, n.full
	n.machine.Step(input, &c.output)
	out := &c.output
	if n.full && (len(out.Records) > 0 || out.Forget || out.Position != core.Position(len(n.log))) {
		c.t.Fatalf("%s has no room and makes %d records, from position %d to %d", name, len(out.Records), len(n.log), out.Position)
	}
	n.wake = out.WakeAt
	for _, p := range out.Probes {
		c.probes[p]++
		if c.watch.probed != nil {
			c.watch.probed(name, p)
		}
	}
	c.accepted = append(c.accepted, out.Accepted...)
	for _, line := range out.Logs {
		c.observe("%s log: %s\n", name, line)
	}
	for _, line := range out.Alarms {
		c.observe("%s alarm: %s\n", name, line)
	}
	if out.Forget {
		for i := range n.log {
			n.log[i] = nil
		}
		c.lives[n.machine.Life()] = name + "'"
	}
	if len(out.Records) > 0 || n.config.Volatile && core.Position(len(n.log)) < out.Position {
		n.log = append(n.log, slices.Clone(out.Records))
	}
	if core.Position(len(n.log)) != out.Position {
		c.t.Fatalf("%s is at position %d after %d units", name, out.Position, len(n.log))
	}
	n.sends = append(n.sends, out.Sends...)
	for _, r := range out.Replies {
		n.waiting = append(n.waiting, r)
		n.waitText = append(n.waitText, string(r.Token))
	}
	if !n.manual {
		n.durable = out.Position
	}
	c.flush(n)
}

// sync makes everything written so far durable and releases what waited for it.
func (c *cluster) sync(name string) {
	n := c.nodes[name]
	n.durable = core.Position(len(n.log))
	c.flush(n)
	c.step(name, core.Input{Kind: core.InputWake})
}

func (c *cluster) flush(n *node) {
	kept := n.sends[:0]
	for _, s := range n.sends {
		if s.After > n.durable {
			kept = append(kept, s)
			continue
		}
		e := envelope{from: n.name, to: s.To, kind: kindOf(s.Message.Body), data: wire.Append(nil, s.Message)}
		if !e.in(c.cut) {
			c.inflight = append(c.inflight, e)
		}
	}
	n.sends = kept
	var waiting []core.Response
	var texts []string
	for i, r := range n.waiting {
		if r.After > n.durable {
			waiting, texts = append(waiting, r), append(texts, n.waitText[i])
			continue
		}
		if _, twice := c.replies[r.ID]; twice {
			c.t.Fatalf("%s answers request %d for the second time: %v", n.name, r.ID, r.Status)
		}
		c.replies[r.ID], c.tokens[r.ID] = r, n.waitText[i]
		if c.watch.replied != nil {
			c.watch.replied(n.name, r, n.waitText[i])
		}
	}
	n.waiting, n.waitText = waiting, texts
}

// deliver delivers one message.
func (c *cluster) deliver(e envelope) {
	m, err := wire.Decode(e.data)
	if err != nil {
		c.t.Fatalf("%s: %v", e.link(), err)
	}
	if c.watch.delivered != nil {
		c.watch.delivered(e, m, c.nodes[e.to] == nil || c.nodes[e.to].machine == nil)
	}
	c.step(e.to, core.Input{Kind: core.InputMessage, Message: m})
}

// settle delivers messages, in the order of sending, until none is under way but those on held links.
func (c *cluster) settle() {
	delivered := 0
	for i := 0; i < len(c.inflight); {
		e := c.inflight[i]
		if n := c.nodes[e.to]; e.in(c.held) || n != nil && n.paused {
			i++
			continue
		}
		if delivered++; delivered > 20_000 {
			c.t.Fatalf("messages go round for ever, as this one does: %s %s", e.link(), e.kind)
		}
		c.inflight = slices.Delete(c.inflight, i, i+1)
		c.deliver(e)
	}
}

// advance lets time pass, with every node waking when it wants to and messages taking no time.
func (c *cluster) advance(d time.Duration) {
	end := c.now + d
	c.settle()
	for {
		next, who := end, ""
		for _, name := range c.names {
			if n := c.nodes[name]; n.machine != nil && !n.paused && n.wake <= next {
				next, who = max(n.wake, c.now), name
			}
		}
		if who == "" {
			break
		}
		c.now = next
		c.step(who, core.Input{Kind: core.InputWake})
		c.settle()
		if c.now == end && c.nodes[who].wake > end {
			if !slices.ContainsFunc(c.names, func(name string) bool { n := c.nodes[name]; return n.machine != nil && !n.paused && n.wake <= end }) {
				break
			}
		}
	}
	c.now = end
}

func (c *cluster) do(name string, r core.Request) core.RequestID {
	c.request++
	r.ID = c.request
	c.step(name, core.Input{Kind: core.InputRequest, Request: r})
	return r.ID
}

func (c *cluster) put(name, key, value, token string) core.RequestID {
	return c.do(name, core.Request{Op: wire.OpPut, Key: key, Value: []byte(value), Tokens: token})
}

func (c *cluster) get(name, key, token string) core.RequestID {
	return c.do(name, core.Request{Op: wire.OpGet, Key: key, Tokens: token})
}

// answer describes the reply to a request, "waiting" when there is none yet.
func (c *cluster) answer(id core.RequestID) string {
	r, ok := c.replies[id]
	if !ok {
		return "waiting"
	}
	text := r.Status.String()
	if len(r.Value) > 0 {
		text += " " + string(r.Value)
	}
	if r.Dot.Seq > 0 {
		text += " (" + r.Dot.String() + ")"
	}
	if len(r.Members) > 0 {
		text += " " + strings.Join(r.Members, ",")
	}
	if r.Reason != "" {
		text += ": " + r.Reason
	}
	return text
}
