package core_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/hlc"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// rapidTB lets rapid see, and shrink, what a cluster finds fatal.
type rapidTB struct {
	testing.TB
	t *rapid.T
}

func (r rapidTB) Fatalf(format string, args ...any) { r.t.Fatalf(format, args...) }

// rank is the place of a version among those of its key.
type rank struct {
	clock hlc.Time
	dot   causal.Dot
}

func (r rank) below(o rank) bool {
	if r.clock != o.clock {
		return r.clock < o.clock
	}
	if r.dot.Replica != o.dot.Replica {
		return r.dot.Replica < o.dot.Replica
	}
	return r.dot.Seq < o.dot.Seq
}

// past is the newest version of each key that somebody may have known.
type past map[string]rank

func (p past) learn(other past) {
	for key, r := range other {
		if p[key].below(r) {
			p[key] = r
		}
	}
}

// asked is a request of a session and what the session knew when it asked.
type asked struct {
	session int
	key     string
	knew    past
}

// model drives machines at rapid's choice and holds them to what their sessions may see: causal
// consistency, by knowledge that the sessions carry themselves instead of tokens.
type model struct {
	*cluster
	t       *rapid.T
	keys    []string
	tokens  []string // by session
	knows   []past   // by session
	busy    []core.RequestID
	asked   map[core.RequestID]asked
	newest  past // of all acknowledged writes
	replied int
}

func newModel(outer *testing.T, t *rapid.T) *model {
	count, shards := 3, 1
	if rapid.Bool().Draw(t, "two shards") {
		count, shards = 4, 2
	}
	chunk := rapid.SampledFrom([]int{1, 1 << 10}).Draw(t, "chunk")
	m := &model{t: t, keys: []string{"a", "b", "c"}, asked: map[core.RequestID]asked{}, newest: past{}}
	m.cluster = newCluster(rapidTB{outer, t}, count, shards, func(c *core.Config) {
		c.ChunkBytes, c.MaxBuffered = chunk, 3
	})
	m.advance(5 * time.Second)
	if m.nodes["n1"].machine.Configuration() == nil {
		t.Fatalf("the store does not form: %s", m.nodes["n1"].machine.Obstacle())
	}
	m.held["*->*"] = true
	m.watch.replied = m.reply
	for range 3 {
		m.tokens, m.knows, m.busy = append(m.tokens, ""), append(m.knows, past{}), append(m.busy, 0)
	}
	return m
}

// pastOf is what a version brings along: its writer's knowledge when it asked, and itself.
func (m *model) pastOf(key string, r rank) past {
	p := past{}
	for _, a := range slices.Backward(m.accepted) { // the last: a crash may have undone an earlier one
		if a.Dot == r.dot {
			p.learn(m.asked[a.Request].knew)
			p.learn(past{key: r})
			return p
		}
	}
	m.t.Fatalf("an answer names %v, which nobody wrote", r.dot)
	return nil
}

// reply takes the answer to a session's request.
func (m *model) reply(name string, r core.Response, token string) {
	a, known := m.asked[r.ID]
	if !known {
		return
	}
	given := rank{r.Clock, r.Dot}
	switch r.Status {
	case wire.StatusFound, wire.StatusNotFound:
		if given.below(a.knew[a.key]) {
			m.t.Fatalf("%s answers a read of %s with %v, its session knew %v", name, a.key, given, a.knew[a.key])
		}
	case wire.StatusCreated, wire.StatusReplaced, wire.StatusDeleted:
		if !a.knew[a.key].below(given) {
			m.t.Fatalf("%s writes %s as %v, its session knew %v", name, a.key, given, a.knew[a.key])
		}
		m.newest.learn(past{a.key: given})
	case wire.StatusBadToken:
		m.t.Fatalf("%s refuses an honest token: %s", name, r.Reason)
	}
	if !r.Status.Succeeded() || m.busy[a.session] != r.ID {
		if m.busy[a.session] == r.ID {
			m.busy[a.session] = 0
		}
		return
	}
	m.replied++
	m.busy[a.session], m.tokens[a.session] = 0, token
	if r.Dot.Seq != 0 {
		m.knows[a.session].learn(m.pastOf(a.key, given))
	}
}

func (m *model) node() string { return rapid.SampledFrom(m.names).Draw(m.t, "node") }

func (m *model) running() string {
	name := m.node()
	if m.nodes[name].machine == nil {
		m.t.SkipNow()
	}
	return name
}

// ask sends a request of a session that waits for nothing.
func (m *model) ask(op core.Op) func(*rapid.T) {
	return func(t *rapid.T) {
		session := rapid.IntRange(0, len(m.tokens)-1).Draw(t, "session")
		name, key := m.running(), rapid.SampledFrom(m.keys).Draw(t, "key")
		if m.busy[session] != 0 {
			t.SkipNow()
		}
		id := m.request + 1
		m.asked[id] = asked{session, key, maps.Clone(m.knows[session])}
		m.busy[session] = id
		request := core.Request{Op: op, Key: key, Tokens: m.tokens[session]}
		if op == wire.OpPut {
			request.Value = []byte(`"v"`)
		}
		m.do(name, request)
	}
}

// take removes a message from the network.
func (m *model) take(t *rapid.T, remove bool) envelope {
	if len(m.inflight) == 0 {
		t.SkipNow()
	}
	i := rapid.IntRange(0, len(m.inflight)-1).Draw(t, "message")
	e := m.inflight[i]
	if remove {
		m.inflight = slices.Delete(m.inflight, i, i+1)
	}
	return e
}

func (m *model) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"put":       m.ask(wire.OpPut),
		"put again": m.ask(wire.OpPut), // twice as often
		"get":       m.ask(wire.OpGet),
		"get again": m.ask(wire.OpGet),
		"delete":    m.ask(wire.OpDelete),
		"deliver":   func(t *rapid.T) { m.deliver(m.take(t, true)) },
		"lose":      func(t *rapid.T) { m.take(t, true) },
		"duplicate": func(t *rapid.T) { m.deliver(m.take(t, false)) },
		"deliver all": func(*rapid.T) {
			delete(m.held, "*->*")
			m.settle()
			m.held["*->*"] = true
		},
		"give up": func(t *rapid.T) {
			m.busy[rapid.IntRange(0, len(m.busy)-1).Draw(t, "session")] = 0
		},
		"wait": func(t *rapid.T) {
			m.advance(time.Duration(rapid.IntRange(1, 3000).Draw(t, "ms")) * time.Millisecond)
			if extra := len(m.inflight) - 100; extra > 0 { // the oldest are lost
				m.inflight = slices.Delete(m.inflight, 0, extra)
			}
		},
		"jump": func(t *rapid.T) {
			m.nodes[m.node()].skew = time.Duration(rapid.IntRange(-5, 5).Draw(t, "s")) * time.Second
		},
		"disk off": func(*rapid.T) { m.nodes[m.node()].manual = true },
		"sync": func(*rapid.T) {
			name := m.running()
			m.nodes[name].manual = false
			m.sync(name)
		},
		"full":  func(*rapid.T) { m.nodes[m.node()].full = true },
		"room":  func(*rapid.T) { m.nodes[m.node()].full = false },
		"crash": func(*rapid.T) { m.crash(m.running()) },
		"restart": func(t *rapid.T) {
			name := m.node()
			if m.nodes[name].machine != nil {
				t.SkipNow()
			}
			m.restart(name)
		},
	}
}

// calm undoes everything.
func (m *model) calm() {
	clear(m.held)
	for _, name := range m.names {
		m.nodes[name].manual, m.nodes[name].full = false, false
		if m.nodes[name].machine == nil {
			m.restart(name)
		} else {
			m.sync(name)
		}
	}
}

// heal undoes everything and demands what is owed.
func (m *model) heal() {
	m.calm()
	m.advance(90 * time.Second)
	for _, name := range m.names {
		machine := m.nodes[name].machine
		if machine.Waiting() != 0 || machine.Obstacle() != "" {
			m.t.Fatalf("%s: %d requests wait, %s", name, machine.Waiting(), machine.Obstacle())
		}
		for _, other := range m.names {
			peer := m.nodes[other].machine
			if peer.Shard() == machine.Shard() && !peer.Have().Equal(machine.Have()) {
				m.t.Fatalf("%s has %s, %s has %s", name, machine.Have(), other, peer.Have())
			}
		}
	}
	for session, token := range m.tokens {
		for _, key := range m.keys {
			name := m.names[(session+int(m.request))%len(m.names)]
			m.asked[m.request+1] = asked{session, key, maps.Clone(m.knows[session])}
			m.asked[m.request+1].knew.learn(past{key: m.newest[key]})
			id := m.get(name, key, token)
			m.advance(time.Second)
			if r, ok := m.replies[id]; !ok || !r.Status.Succeeded() {
				m.t.Fatalf("%s gives no good answer to a get of %s after everything healed: %s", name, key, m.answer(id))
			}
		}
	}
}

// TestMachinesAtRandom lets rapid choose what happens to a few machines.
func TestMachinesAtRandom(t *testing.T) {
	runs, replies := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(t, rt)
		rt.Repeat(m.actions())
		m.heal()
		runs, replies = runs+1, replies+m.replied
	})
	if replies < runs {
		t.Errorf("%d answers in %d runs: the machines are hardly used", replies, runs)
	}
}
