package kvsim

import (
	"fmt"

	"github.com/sequitur-kv/sequitur/checker"
	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/wire"
	"github.com/sequitur-kv/sequitur/netsim"
)

// run is the state of one run outside of its nodes. It is reset and used again for the next seed.
type run struct {
	scenario   *Scenario
	names      []string
	keys       []string
	invariants [moments][]invariant
	waitLimit  int

	world    *netsim.World[Packet]
	seed     netsim.Seed
	plan     []Operation // the workload, then the audit
	repairs  int32       // where in plan the world has healed
	audits   int32       // where the audit begins in plan
	fates    []fate      // by operation
	servers  []*server   // the current boots
	clients  []client
	removing []bool // by server: a deletion of it was asked for and not declined
	ruinous  bool   // the faults take something away for good
	stuck    bool   // too much is lost for good to decide anything, as the audit found
	repaired bool   // somebody deletes the nodes that never come back

	ghost          ghost
	history        []checker.Operation
	historyOf      []int32      // by entry of history: the operation
	versions       []causal.Dot // by entry of history: the version that it names
	sessions       []string
	administration []int32  // requests of those who run the store that have ended
	collected      []int32  // operations whose tokens the audit may use
	settled        bool     // the audit has begun
	live           []uint64 // by shard: keys that are not deleted, as the audit found them
	failure        *Failure // the first one
	betrayed       bool     // a crash took back what a disk had called durable
	betrayedAt     netsim.Time
	tells          bool // keep what a story needs
	arrivals       []arrival
	forwards       map[forward]core.Op
	matters        netsim.Time // the story tells where writes were at this time
	down           []string    // situations of the configuration that were met while a node was down
	goesOn         bool        // the failure does not stop the run: what the sessions see next tells it better

	// Working memory.
	observed       observation
	output         core.Output
	received       *wire.Message // by the server that makes a step, nil for other input
	arena          arena
	scratch        []byte
	scratchContext causal.Context
	tokenScratch   []byte
	tokenSpare     causal.Vector
	hashScratch    []byte
}

// newRun prepares what all seeds of a scenario share.
func newRun(s *Scenario) *run {
	r := &run{
		scenario: s, forwards: make(map[forward]core.Op), names: append(s.names(), "repairer"), keys: Keys(s.Workload.Keys), invariants: invariants(),
		servers: make([]*server, s.Servers), removing: make([]bool, s.Servers),
		clients:   make([]client, s.Workload.Clients+max(1, s.Administration.Clients)),
		waitLimit: 2 * s.Core.MaxWaiting, // for dependencies, and for other nodes
	}
	if r.waitLimit == 0 {
		r.waitLimit = 2 * 10_000 // the default of core.Config
	}
	return r
}

// reset makes the run ready for a seed and its faults. A nil plan means the one that the seed draws.
func (r *run) reset(seed netsim.Seed, plan []Operation, schedule netsim.Schedule) {
	r.seed, r.world = seed, nil
	r.ruinous = ruinous(schedule)
	r.repaired = r.scenario.Administration.Clients > 0 || takes(schedule, netsim.Kill)
	if plan == nil {
		r.plan = r.scenario.Plan(seed, r.plan[:0])
	} else {
		r.plan = append(r.plan[:0], plan...)
	}
	r.repairs = int32(len(r.plan))
	r.plan = r.planRepairs(r.plan)
	r.audits = int32(len(r.plan))
	r.plan = r.planAudit(r.plan)
	r.fates = resize(r.fates, len(r.plan))
	for i := range r.fates {
		need, got := r.fates[i].need.Vector[:0], r.fates[i].got.Vector[:0]
		r.fates[i] = fate{}
		r.fates[i].need.Vector, r.fates[i].got.Vector = need, got
	}
	clear(r.servers)
	clear(r.removing)
	for i := range r.clients {
		r.clients[i] = client{run: r, index: i, operations: r.clients[i].operations[:0], session: i, last: -1, before: -1}
	}
	for number := range r.plan {
		c := &r.clients[r.plan[number].Client]
		c.operations = append(c.operations, int32(number))
	}
	r.ghost.reset(r.scenario.Servers, len(r.keys), len(r.plan))
	clear(r.history)
	r.history, r.historyOf, r.versions = r.history[:0], r.historyOf[:0], r.versions[:0]
	r.administration = r.administration[:0]
	clear(r.forwards)
	r.sessions = r.sessions[:0]
	for i := range r.scenario.Workload.Clients {
		r.sessions = append(r.sessions, clientName(i))
	}
	r.collected, r.arrivals, r.down = r.collected[:0], r.arrivals[:0], r.down[:0]
	r.stuck, r.betrayed, r.betrayedAt = false, false, 0
	r.settled, r.failure, r.goesOn, r.received = false, nil, false, nil
	r.arena.release()
}

// boot makes the process of a node of the world.
func (r *run) boot(boot netsim.Boot[Packet]) netsim.Node[Packet] {
	if int(boot.ID) < r.scenario.Servers {
		return r.bootServer(boot)
	}
	return &r.clients[int(boot.ID)-r.scenario.Servers]
}

// inhabitants names the nodes of the world: those of the scenario, and who repairs the store if its faults
// ask for that and nobody administers it anyway.
func (r *run) inhabitants() []string {
	if count := len(r.names) - 1; !r.repaired || r.scenario.Administration.Clients > 0 {
		return r.names[:count]
	}
	return r.names
}

func (r *run) clientNode(client int) netsim.NodeID {
	return netsim.NodeID(r.scenario.Servers + client)
}

func (r *run) serverAt(address string) netsim.NodeID {
	for i, name := range r.names[:r.scenario.Servers] {
		if name == address {
			return netsim.NodeID(i)
		}
	}
	panic(fmt.Errorf("a message is addressed to %q, which is no node", address))
}

func (r *run) keyIndex(key string) int {
	for i, k := range r.keys {
		if k == key {
			return i
		}
	}
	panic(fmt.Errorf("key %q is not one of the scenario's", key))
}

// judge applies the invariants of a moment; false: the run is to stop.
func (r *run) judge(when moment, o observation) bool {
	if r.failure != nil {
		return r.goesOn
	}
	r.observed = o
	for i := range r.invariants[when] {
		if r.betrayed && trusting[r.invariants[when][i].name] {
			continue
		}
		if err := r.invariants[when][i].check(r, &r.observed); err != nil {
			r.fail(r.invariants[when][i].name, err.Error())
			r.goesOn = r.invariants[when][i].goesOn
			return r.goesOn
		}
	}
	return true
}

// booted notes whose process it is that a server runs from now on.
func (r *run) booted(s *server, wiped bool) {
	g := &r.ghost
	if s.betrayed {
		if !r.betrayed {
			r.betrayed, r.betrayedAt = true, r.world.Now()
		}
		g.unsee(s.index)
	}
	if wiped { // a new life by intention: nothing of the old one is demanded of it
		g.unsee(s.index)
		if r.forgotten() && !r.gone() {
			g.founded = false // who heard of the store could make nothing of it
		}
	}
	if r.judge(atBoot, observation{server: s}) {
		r.ghost.born(s.life, s.index)
	}
	if wiped {
		r.noteDestroyed()
	}
}

// reborn notes that a machine has begun a new life, with an empty memory: its old one had been ended by
// the store.
func (r *run) reborn(s *server) {
	r.ghost.unsee(s.index)
	s.life = s.machine.Life()
	r.ghost.born(s.life, s.index)
	s.have = s.machine.Have().CopyInto(s.have)
	s.adopted = nil
	r.noteDestroyed()
}

// restored compares what a process went on with, in its first step, with what the world saw of the one
// before it.
func (r *run) restored(s *server) {
	if !r.judge(atRestored, observation{server: s}) {
		return
	}
	c, have := s.machine.Configuration(), s.machine.Have()
	if g := &r.ghost; c == nil && s.index == g.founder && !g.witnessed {
		g.founded = false // nobody knows of the store that it founded
	}
	for id := range r.ghost.replicas {
		own := causal.ReplicaID(id)
		if r.ghost.replicas[id].life != s.machine.Life() || c != nil && own < c.NextReplica && c.Assignment(own) == nil {
			continue
		}
		kept := uint64(0)
		if c != nil && own < c.NextReplica {
			kept, _ = leastOf(have, c.Assignment(own))
		}
		r.ghost.forget(own, max(kept, r.ghost.replicas[id].shown)) // of a life that has ended others may know more
	}
}

// minted notes a write that a step made.
func (r *run) minted(s *server, a core.Accepted) {
	o := observation{server: s, accepted: a}
	o.minted.at = s.position
	if number := int(a.Request) - 1; number >= 0 && number < len(r.plan) {
		o.minted.operation, o.minted.key = int32(number), r.plan[number].Key
		o.minted.slot = shard.SlotOf(o.minted.key)
		o.minted.context, o.minted.order = mintedVersion(s.machine, &r.output, a.Dot, o.minted.key)
	}
	if !r.judge(atMint, o) {
		return
	}
	if err := r.ghost.mint(a.Dot, o.minted, r.keyIndex(o.minted.key)); err != nil {
		if !r.betrayed {
			r.fail("dot.is_new", err.Error())
		}
		return
	}
	r.ghost.dotOf[o.minted.operation] = a.Dot
}

// noteRoute notes what a message that a server sends tells about the way of a request.
func (r *run) noteRoute(s *server, m *wire.Message) {
	switch b := m.Body.(type) {
	case *wire.Forward:
		r.forwards[forward{m.From, b.Counter}] = b.Op
		if number := int(b.Request) - 1; number >= 0 && number < len(r.fates) {
			r.fates[number].proxied = r.fates[number].proxied || b.Final
			r.fates[number].forwarded = r.fates[number].forwarded || !b.Final
		}
	case *wire.Reply:
		if b.Status != wire.StatusWaiting || r.received == nil {
			return
		}
		if f, ok := r.received.Body.(*wire.Forward); ok && f.Request > 0 && f.Request <= uint64(len(r.fates)) {
			r.fates[f.Request-1].waited = true
		}
	default:
	}
}

// answered judges an answer that its client waited for.
func (r *run) answered(server int, number int32, a *answer) {
	f, response := &r.fates[number], &a.response
	f.token, f.status, f.dot = string(response.Token), response.Status, response.Dot
	f.got.Epoch, f.got.Clock, f.got.Vector = 0, 0, f.got.Vector[:0]
	var err error
	if r.tokenScratch, r.tokenSpare, err = r.ghost.tokens.Merge(&f.got, f.token, r.tokenScratch, r.tokenSpare); err != nil {
		r.fail("token.is_readable", err.Error())
		return
	}
	if !r.judge(atAnswer, observation{response: response, number: number, token: f.got}) {
		return
	}
	if response.Status.Succeeded() { // which needs a founding
		r.ghost.witnessed = true
	}
	r.ghost.seeContext(f.got.Vector)
	if left := &r.ghost.left[server]; a.own && a.life == r.ghost.lives[server] && response.Dot.Replica != 0 &&
		(a.epoch >= left.epoch || !left.slots.Has(shard.SlotOf(r.plan[number].Key))) {
		r.ghost.answers[server] = append(r.ghost.answers[server], response.Dot)
	}
	if r.isAudit(number) {
		r.auditAnswered(number, response)
	}
}

// record adds an operation to the history.
func (r *run) record(session int, number int32, response *core.Response, outcome checker.Outcome) {
	plan, f := &r.plan[number], &r.fates[number]
	o := checker.Operation{
		Session: session, Key: plan.Key, Value: plan.Value, Outcome: outcome,
		Invoked: int64(f.invoked), Returned: int64(f.returned), Node: r.names[f.asks],
	}
	switch {
	case plan.Op == wire.OpGet || response != nil && response.Status == wire.StatusNotFound:
		o.Kind, o.Value = checker.Read, "" // deleting what does not exist is a read
	case plan.Op == wire.OpPut:
		o.Kind = checker.Write
	default:
		o.Kind = checker.Delete
	}
	if response != nil && response.Dot != (causal.Dot{}) {
		o.Version = response.Dot.String()
		o.Stamp = stampOf(order{response.Clock, response.Dot})
		if response.Status == wire.StatusFound {
			o.Value = string(response.Value)
		}
	}
	r.history = append(r.history, o)
	r.historyOf = append(r.historyOf, number)
	version := causal.Dot{}
	if response != nil {
		version = response.Dot
	}
	r.versions = append(r.versions, version)
}

// judged is the history without the writes that are lost and what read them, and up to the crash that showed a disk
// to have lied: of all else nothing is promised any more. of says which operations are left.
func (r *run) judged() (kept []checker.Operation, of []int32) {
	for i := range r.history {
		version := r.versions[i]
		if r.history[i].Outcome == checker.Indeterminate {
			version = r.ghost.dotOf[r.historyOf[i]]
		}
		o := r.history[i]
		if r.betrayed && o.Returned >= int64(r.betrayedAt) { // nothing is promised of what was seen since
			if o.Invoked >= int64(r.betrayedAt) || o.Kind == checker.Read {
				continue
			}
			o.Outcome = checker.Indeterminate
		}
		if version == (causal.Dot{}) || !r.ghost.lost(version) {
			kept, of = append(kept, o), append(of, r.historyOf[i])
		}
	}
	return kept, of
}

func stampOf(o order) checker.Stamp {
	return checker.Stamp{Clock: uint64(o.clock), Tie: uint64(o.dot.Replica)}
}

// complete names the writes of the history whose clients never learned their dots.
func (r *run) complete() {
	for i := range r.history {
		o := &r.history[i]
		if o.Outcome != checker.Indeterminate {
			continue
		}
		if w := r.ghost.lookup(r.ghost.dotOf[r.historyOf[i]]); w != nil {
			o.Version, o.Stamp = w.order.dot.String(), stampOf(w.order)
		}
	}
}
