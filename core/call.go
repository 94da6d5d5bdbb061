package core

import (
	"slices"
	"time"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/heap"
	"github.com/sequitur-kv/sequitur/core/hlc"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/store"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// call is one request on its way through this node. A call that is answered at once never leaves
// the machine's working memory; one that waits moves to the heap.
type call struct {
	op      Op
	key     string
	value   []byte
	context causal.Context // what the request depends on
	time    hlc.Time       // of an import: that of the write that it repeats; else zero
	slot    shard.Slot     // of the key
	shard   shard.ID       // owner of the key, or the shard asked about
	state   callState

	// Who is answered.
	request RequestID   // of an own client; zero for a forwarded call
	life    view.LifeID // of the member that forwarded it
	counter uint64
	origin  uint64 // the client's request at that member
	final   bool   // answer from what is here

	// While it waits.
	deadline time.Duration
	due      time.Duration // of its next step: deadline, or another try
	timer    int           // place in Machine.timers, -1: none
	missing  causal.Dot    // what it is parked for; zero: a newer configuration
	place    int           // place in the wait list of missing.Replica, -1: in none
	epoch    uint64        // of the configuration that it needs at least
	attempts []attempt     // forwards under way: any of them may bring the answer
	tries    int           // forwards made
}

// callState says where a call is.
type callState uint8

const (
	callRunning   callState = iota // in the machine's working memory
	callParked                     // here, waiting for what it depends on
	callForwarded                  // with other nodes
)

// attempt is one forward of a call.
type attempt struct {
	counter uint64
	target  view.LifeID // that it went to
}

// latest is the life that the call was forwarded to last, zero for none.
func (c *call) latest() view.LifeID {
	if len(c.attempts) == 0 {
		return 0
	}
	return c.attempts[len(c.attempts)-1].target
}

func (c *call) size() int { return len(c.key) + len(c.value) }

func callBefore(a, b *call) bool { return a.due < b.due }

func callTimer(c *call) *int { return &c.timer }

// waitList holds the calls that wait for writes of one replica, the lowest number first.
type waitList struct {
	replica causal.ReplicaID
	calls   heap.Heap[*call]
}

func newWaitList(replica causal.ReplicaID) *waitList {
	return &waitList{replica: replica, calls: heap.New(
		func(a, b *call) bool { return a.missing.Seq < b.missing.Seq },
		func(c *call) *int { return &c.place },
	)}
}

func (m *Machine) waitListOf(replica causal.ReplicaID) *waitList {
	for _, list := range m.parked {
		if list.replica == replica {
			return list
		}
	}
	m.parked = append(m.parked, newWaitList(replica))
	return m.parked[len(m.parked)-1]
}

// result is what a call comes to.
type result struct {
	status  Status
	value   []byte
	context causal.Packed // of the version read, written or deleted
	merged  bool          // context is that of the request and the version already
	clock   hlc.Time      // of the version
	dot     causal.Dot    // likewise
	count   uint64
	after   Position // of all state that the result reveals
	reason  string
}

// resultOf describes a version with a status.
func resultOf(status Status, v *store.Version, after Position) result {
	if v == nil {
		return result{status: status, after: after}
	}
	r := result{status: status, context: v.Context, clock: v.Clock(), dot: v.Dot, after: after}
	if status == wire.StatusFound {
		r.value = v.Value
	}
	return r
}

// load counts waiting calls and the bytes of their keys and values.
type load struct{ calls, size int }

// loadOf is the count that a state belongs to: what waits for dependencies and what waits for other
// nodes do not take each other's room.
func (m *Machine) loadOf(state callState) *load {
	if state == callParked {
		return &m.parkedLoad
	}
	return &m.forwardedLoad
}

// keep moves a call that is about to wait in a state, for at most wait and acting first after next, out
// of the working memory; one that waited elsewhere before keeps its deadline. It answers and returns
// nil when too many wait already.
func (m *Machine) keep(c *call, state callState, wait, next time.Duration) *call {
	if c != &m.current {
		m.unpark(c)
		m.count(c, -1)
		c.state = state
		m.count(c, 1)
		m.reschedule(c, m.mono+next)
		return c
	}
	load := m.loadOf(state)
	if load.calls >= m.config.MaxWaiting || load.size+c.size() > m.config.MaxWaitingBytes {
		m.probe(ProbeOverloaded)
		m.answer(c, result{status: wire.StatusOverloaded})
		return nil
	}
	kept := new(call)
	*kept = *c
	kept.context = c.context.Clone()
	kept.place, kept.state = -1, state
	kept.deadline = m.mono + wait
	kept.due = m.mono + min(wait, next)
	m.timers.Push(kept)
	m.count(kept, 1)
	if kept.request != 0 {
		m.calls[kept.request] = kept
	}
	return kept
}

// count adds a call to those that wait in its state, or takes it away (-1).
func (m *Machine) count(c *call, change int) {
	load := m.loadOf(c.state)
	load.calls += change
	load.size += change * c.size()
}

// release takes a call out of everything that it waits in.
func (m *Machine) release(c *call) {
	if c == &m.current {
		return
	}
	if c.timer >= 0 {
		m.timers.Remove(c.timer)
		m.count(c, -1)
	}
	m.unpark(c)
	m.recall(c)
	if c.request != 0 {
		delete(m.calls, c.request)
	}
}

func (m *Machine) unpark(c *call) {
	switch {
	case c.place >= 0:
		m.waitListOf(c.missing.Replica).calls.Remove(c.place)
	case c.state == callParked:
		m.ahead = slices.DeleteFunc(m.ahead, func(other *call) bool { return other == c })
	}
}

// recall forgets the forwards of a call: a late reply finds nothing.
func (m *Machine) recall(c *call) {
	for _, a := range c.attempts {
		delete(m.outstanding, a.counter)
	}
	c.attempts = nil
}

// reschedule sets when a waiting call acts next.
func (m *Machine) reschedule(c *call, due time.Duration) {
	c.due = min(due, c.deadline)
	m.timers.Fix(c.timer)
}

// cancel forgets a request whose client is gone. A write that is parked here has run nowhere, and never will: it
// is answered, so that nobody takes its outcome for unknown.
func (m *Machine) cancel(id RequestID) {
	c := m.calls[id]
	switch {
	case c == nil:
	case c.state == callParked && c.op.Writes():
		m.answer(c, result{status: wire.StatusUnsatisfied})
	default:
		m.release(c)
	}
}

// answer ends a call.
func (m *Machine) answer(c *call, r result) {
	m.release(c)
	r.after = max(r.after, m.adoptedAt)
	switch {
	case c.request == 0:
		m.answerForward(c, r)
		return
	case c.request&importMark != 0:
		m.imported(c, r)
		return
	}
	response := Response{
		ID: c.request, After: r.after, Status: r.status, Value: r.value, Shard: c.shard,
		Dot: r.dot, Count: r.count, Reason: r.reason, Clock: r.clock,
	}
	if r.status.Succeeded() && c.op.OnKey() {
		response.Token = m.token(c, r)
	}
	m.out.Replies = append(m.out.Replies, response)
}

// token is the text of the union of what a request depended on and what it met.
func (m *Machine) token(c *call, r result) []byte {
	start := len(m.out.text)
	if r.isUnion(c) {
		m.out.text, m.scratch = m.configuration.Tokens.AppendPacked(m.out.text, m.scratch, r.context)
	} else {
		m.meet(c, r)
		m.out.text, m.scratch = m.configuration.Tokens.Append(m.out.text, m.scratch, m.reply)
	}
	return m.out.text[start:len(m.out.text):len(m.out.text)]
}

// isUnion tells whether the context of a result has what the call depended on, and is trimmed: the owner that the
// call was passed on to did that, who may know a newer epoch than this node, or there was nothing to add to a write.
func (r *result) isUnion(c *call) bool { return r.merged || c.context.IsZero() }

// meet makes m.reply the union of what a request depended on and what it met, without what had retired
// at its epoch. The owner does this, who knows that epoch; the node that asked it may not yet.
func (m *Machine) meet(c *call, r result) {
	m.reply.Epoch, m.reply.Clock, m.reply.Vector = 0, 0, m.reply.Vector[:0]
	m.reply.Merge(c.context)
	r.context.MergeInto(&m.reply)
	m.reply.Vector = m.configuration.Trim(m.reply.Vector, m.reply.Epoch)
}

// expireCalls acts on the calls whose time has come.
func (m *Machine) expireCalls() {
	for len(m.timers.Items()) > 0 && m.timers.Items()[0].due <= m.mono {
		c := m.timers.Items()[0]
		if m.mono >= c.deadline {
			m.giveUp(c)
		} else {
			m.tryAgain(c)
		}
	}
}

// giveUp answers a call that waited long enough. What is parked here leaves in this step, so that
// it can never run.
func (m *Machine) giveUp(c *call) {
	switch {
	case c.state == callParked:
		m.probe(ProbeUnsatisfied)
		m.answer(c, result{status: wire.StatusUnsatisfied})
	case c.op.Writes():
		m.probe(ProbeForwardUnknown)
		m.answer(c, result{status: wire.StatusUnknown})
	default:
		m.answer(c, result{status: wire.StatusNoAnswer})
	}
}

// tryAgain repeats what may help a waiting call: a pull and a proxied read for one that is parked,
// another owner for a forwarded read. A forwarded write is never tried elsewhere.
func (m *Machine) tryAgain(c *call) {
	m.reschedule(c, m.mono+m.config.RetryInterval)
	switch {
	case c.state == callParked && c.missing == causal.Dot{}:
		m.behind()
	case c.state == callParked:
		m.pull(c.missing, c.slot, -1)
		m.proxy(c)
	case !c.op.Writes():
		m.forwardElsewhere(c)
	}
}
