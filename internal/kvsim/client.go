package kvsim

import (
	"strconv"

	"github.com/sequitur-kv/sequitur/checker"
	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
	"github.com/sequitur-kv/sequitur/netsim"
)

// ending says how an operation ended for its client. The zero value: not yet.
type ending uint8

const (
	pending ending = iota
	succeeded
	refused  // nothing happened, and nothing will
	unknown  // the answer says that the outcome is unknown
	expired  // the client gave up waiting
	withheld // never asked: the client thought better of it
)

// fate is what became of an operation of the plan.
type fate struct {
	asked     bool
	delivered bool
	replies   int
	forwarded bool   // sent on to an owner of the key
	asks      int32  // the server that is asked
	about     string // address that an administrative request is about
	proxied   bool   // a read that an owner passed to a sibling
	waited    bool   // parked until its dependencies came

	server int         // that got the request
	life   view.LifeID // of that server then

	invoked, returned netsim.Time
	ending            ending
	status            wire.Status
	result            view.Result    // of an administrative request
	index             uint64         // of the entry of the log that decided it, as its answer says
	since, known      uint64         // index of the newest configuration when it was asked, and when it was answered
	dot               causal.Dot     // that the answer names
	need              causal.Context // what the tokens of the request meant
	token             string         // of the answer
	got               causal.Context // what that token means
}

// client is one client of the store: a sequence of sessions, one operation after the other. Faults do
// not reach it.
type client struct {
	run        *run
	index      int
	operations []int32 // of run.plan, in order
	next       int     // in operations
	waiting    bool    // for the answer to operations[next]
	deadline   netsim.Time

	session      int   // of the history
	last, before int32 // operations whose tokens it keeps, -1 for none
}

var _ netsim.Node[Packet] = (*client)(nil)

// Start implements netsim.Node.
func (c *client) Start(now netsim.Clock, out *netsim.Outbox[Packet]) { c.proceed(now, out) }

// Wake implements netsim.Node.
func (c *client) Wake(now netsim.Clock, out *netsim.Outbox[Packet]) { c.proceed(now, out) }

// Receive implements netsim.Node.
func (c *client) Receive(now netsim.Clock, from netsim.NodeID, packet Packet, out *netsim.Outbox[Packet]) {
	response := &packet.answer.response
	if !c.waiting || core.RequestID(c.operations[c.next]+1) != response.ID {
		return // the client gave up waiting for this one
	}
	c.conclude(now, int(from), packet.answer)
	c.proceed(now, out)
}

// proceed does what is due and sets the timer for what comes next.
func (c *client) proceed(now netsim.Clock, out *netsim.Outbox[Packet]) {
	if c.waiting && now.Mono >= c.deadline {
		c.expire(now)
	}
	if !c.waiting && c.next < len(c.operations) {
		if due := c.run.plan[c.operations[c.next]].At; due > now.Mono {
			out.WakeAt(due)
			return
		}
		if !c.ask(now, out) {
			out.WakeAt(now.Mono)
			return
		}
	}
	if c.waiting {
		out.WakeAt(c.deadline)
	}
}

// ask sends the next operation; false: it is withheld.
func (c *client) ask(now netsim.Clock, out *netsim.Outbox[Packet]) bool {
	r := c.run
	number := c.operations[c.next]
	plan, f := &r.plan[number], &r.fates[number]
	node := r.target(number)
	f.asks = int32(node)
	// A client that is far behind its plan leaves the rest out; who runs a store that has healed only repairs it.
	// Where much is lost for good, nodes may wait for it longer than the client.
	wait := plan.Timeout
	if r.ruin() != "" {
		wait = max(wait, netsim.Time(r.scenario.Core.DependencyWait+r.scenario.Core.ForwardTimeout)+netsim.Second)
	}
	late := now.Mono+wait >= r.scenario.Settled || plan.Op.Administers() && now.Mono >= r.scenario.ChaosEnd
	if number < r.repairs && late {
		f.ending = withheld
		c.next++
		return false
	}
	if plan.Op.Administers() {
		return c.administer(now, number, out)
	}
	if r.isAudit(number) {
		r.beginAudit()
		c.last, c.before = r.collectedFor(number), -1
	} else if plan.Fresh && c.last >= 0 {
		c.session = len(r.sessions)
		r.sessions = append(r.sessions, sessionName(c.index, c.session))
		c.last, c.before = -1, -1
	}
	tokens := ""
	f.need.Vector = f.need.Vector[:0]
	if c.last >= 0 {
		tokens = r.fates[c.last].token
		f.need.Merge(r.fates[c.last].got)
	}
	if plan.Both && c.before >= 0 {
		tokens = r.fates[c.before].token + "," + tokens
		f.need.Merge(r.fates[c.before].got)
	}
	f.asked, f.invoked = true, now.Mono
	c.waiting, c.deadline = true, now.Mono+plan.Timeout
	request := core.Request{
		ID: core.RequestID(number + 1), Op: plan.Op, Key: plan.Key, Tokens: tokens, Shard: plan.Shard,
	}
	if plan.Op == wire.OpPut {
		request.Value = []byte(plan.Value)
	}
	out.Send(netsim.NodeID(node), Packet{ask: &ask{request: request}}, 0)
	return true
}

// administer sends an administrative request; false: it is withheld.
func (c *client) administer(now netsim.Clock, number int32, out *netsim.Outbox[Packet]) bool {
	r := c.run
	plan, f := &r.plan[number], &r.fates[number]
	address, ok := r.address(plan)
	if !ok {
		f.ending = withheld
		c.next++
		return false
	}
	if f.about = address; plan.Op == wire.OpRemove {
		r.removing[r.serverAt(address)] = true
	}
	f.asked, f.invoked, f.since = true, now.Mono, r.ghost.index()
	c.waiting, c.deadline = true, now.Mono+plan.Timeout
	out.Send(netsim.NodeID(f.asks), Packet{ask: &ask{request: core.Request{
		ID: core.RequestID(number + 1), Op: plan.Op, Member: address, Shard: plan.Shard, Count: plan.Count,
	}}}, 0)
	return true
}

// sessionName tells the sessions of one client apart by the number that the history gives them.
func sessionName(client, session int) string {
	if client == session {
		return clientName(client)
	}
	return clientName(client) + strconv.Itoa(session)
}

// expire gives up on the current operation.
func (c *client) expire(now netsim.Clock) {
	number := c.finish(now, expired)
	if c.run.isAudit(number) {
		c.run.auditExpired(number)
	} else if c.run.plan[number].Op.Writes() {
		c.run.record(c.session, number, nil, checker.Indeterminate)
	}
}

// current is the operation whose answer the client waits for.
func (c *client) current() int32 {
	if !c.waiting {
		return -1
	}
	return c.operations[c.next]
}

func (c *client) finish(now netsim.Clock, how ending) int32 {
	number := c.operations[c.next]
	f := &c.run.fates[number]
	f.ending, f.returned = how, now.Mono
	c.waiting = false
	c.next++
	return number
}

// conclude takes the answer to the current operation.
func (c *client) conclude(now netsim.Clock, server int, answer *answer) {
	r := c.run
	response := &answer.response
	how := refused
	switch {
	case response.Status.Succeeded():
		how = succeeded
	case response.Status == wire.StatusUnknown || response.Status == wire.StatusUnfinished:
		how = unknown
	}
	number := c.finish(now, how)
	if r.plan[number].Op.Administers() {
		r.administered(number, response)
		return
	}
	if !r.isAudit(number) { // before it is judged: the history tells a failure best
		switch how {
		case succeeded:
			r.record(c.session, number, response, checker.Acknowledged)
		case unknown:
			r.record(c.session, number, nil, checker.Indeterminate)
		case pending, refused, expired, withheld:
		}
	}
	r.answered(server, number, answer)
	if how == succeeded && !r.stopped() && !r.isAudit(number) {
		c.before, c.last = c.last, number
		r.collected = append(r.collected, number)
	}
}
