package core

import (
	"time"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/heap"
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
	shard   shard.ID       // owner of the key, or the shard asked about

	// Who is answered.
	request RequestID // of an own client; zero for a forwarded call
	from    int       // member that forwarded it
	life    view.LifeID
	counter uint64
	origin  uint64 // the client's request at from
	final   bool   // answer from what is here

	// While it waits.
	deadline time.Duration
	due      time.Duration // of its next step: deadline, or another try
	timer    int           // place in Machine.timers, -1: none
	missing  causal.Dot    // what it is parked for
	place    int           // place in the wait list of missing.Replica, -1: not parked
	attempts []attempt     // forwards under way: any of them may bring the answer
	tries    int           // forwards made
}

// attempt is one forward of a call.
type attempt struct {
	counter uint64
	target  int // member that it went to
}

// latest is the member that the call was forwarded to last, -1 for none.
func (c *call) latest() int {
	if len(c.attempts) == 0 {
		return -1
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

func newWaitList(replica causal.ReplicaID) waitList {
	return waitList{replica: replica, calls: heap.New(
		func(a, b *call) bool { return a.missing.Seq < b.missing.Seq },
		func(c *call) *int { return &c.place },
	)}
}

func (m *Machine) waitListOf(replica causal.ReplicaID) *waitList {
	for i := range m.parked {
		if m.parked[i].replica == replica {
			return &m.parked[i]
		}
	}
	panic("core: parked for a replica of another shard")
}

// result is what a call comes to.
type result struct {
	status  Status
	value   []byte
	context causal.Packed // of the version read, written or deleted
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
	r := result{status: status, context: v.Context, dot: v.Dot, after: after}
	if status == wire.StatusFound {
		r.value = v.Value
	}
	return r
}

// load counts waiting calls and the bytes of their keys and values.
type load struct{ calls, size int }

// loadOf is the count that a call belongs to: what waits for writes of this shard and what waits for
// other nodes do not take each other's room.
func (m *Machine) loadOf(c *call) *load {
	if c.shard == m.home.ID {
		return &m.parkedLoad
	}
	return &m.forwardedLoad
}

// keep moves a call that is about to wait, for at most wait and acting first after next, out of the
// working memory. It answers and returns nil when too many wait already.
func (m *Machine) keep(c *call, wait, next time.Duration) *call {
	load := m.loadOf(c)
	if load.calls >= m.config.MaxWaiting || load.size+c.size() > m.config.MaxWaitingBytes {
		m.probe(ProbeOverloaded)
		m.answer(c, result{status: wire.StatusOverloaded})
		return nil
	}
	kept := new(call)
	*kept = *c
	kept.context = c.context.Clone()
	kept.place = -1
	kept.deadline = m.mono + wait
	kept.due = m.mono + min(wait, next)
	m.timers.Push(kept)
	load.calls++
	load.size += kept.size()
	if kept.request != 0 {
		m.calls[kept.request] = kept
	}
	return kept
}

// release takes a call out of everything that it waits in.
func (m *Machine) release(c *call) {
	if c == &m.current {
		return
	}
	if c.timer >= 0 {
		m.timers.Remove(c.timer)
		load := m.loadOf(c)
		load.calls--
		load.size -= c.size()
	}
	m.unpark(c)
	m.recall(c)
	if c.request != 0 {
		delete(m.calls, c.request)
	}
}

func (m *Machine) unpark(c *call) {
	if c.place >= 0 {
		m.waitListOf(c.missing.Replica).calls.Remove(c.place)
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

// cancel forgets a request whose client is gone, unless it has taken effect already.
func (m *Machine) cancel(id RequestID) {
	if c := m.calls[id]; c != nil {
		m.release(c)
	}
}

// answer ends a call.
func (m *Machine) answer(c *call, r result) {
	m.release(c)
	r.after = max(r.after, m.formedAt)
	if c.request == 0 {
		m.answerForward(c, r)
		return
	}
	response := Response{
		ID: c.request, After: r.after, Status: r.status, Value: r.value, Shard: c.shard,
		Dot: r.dot, Count: r.count, Reason: r.reason, Clock: r.context.Clock(),
	}
	if r.status.Succeeded() && c.op.OnKey() {
		response.Token = m.token(c.context, r.context)
	}
	m.out.Replies = append(m.out.Replies, response)
}

// token is the text of the union of what a request depended on and what it met.
func (m *Machine) token(request causal.Context, met causal.Packed) []byte {
	m.reply.Epoch, m.reply.Clock, m.reply.Vector = 0, 0, m.reply.Vector[:0]
	m.reply.Merge(request)
	met.MergeInto(&m.reply)
	start := len(m.out.text)
	m.out.text, m.scratch = m.configuration.Tokens.Append(m.out.text, m.scratch, m.reply)
	return m.out.text[start:len(m.out.text):len(m.out.text)]
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
	case c.shard == m.home.ID:
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
	case c.shard == m.home.ID:
		m.pull(c.missing, -1)
		m.proxy(c)
	case !c.op.Writes():
		m.forwardElsewhere(c)
	}
}
