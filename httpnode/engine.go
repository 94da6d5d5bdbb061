package httpnode

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// machine is the part of core.Machine that the shell uses.
type machine interface {
	Step(input core.Input, output *core.Output)
	Configuration() *view.Configuration
	Obstacle() string

	// For figures.
	Life() view.LifeID
	Replica() causal.ReplicaID
	Shard() shard.ID
	Have() causal.Coverage
	Figures() core.Figures
	Up(member int) bool
	Silent(member int) time.Duration
	Unconfirmed(member int) uint64
	Full(member int) bool
}

// engine steps a machine: it serializes the inputs, reads the clocks, arms the timer, and lets no
// output out before the log is durable up to its After position.
type engine struct {
	log    Log
	logger *slog.Logger
	send   func(to string, message *wire.Message) // must not block
	flush  func()                                 // nothing more follows send for now; must not block
	follow func(members []string)                 // the configuration has other members now; must not block

	mu      sync.Mutex
	machine machine
	output  core.Output

	configuration *view.Configuration // that is followed
	origin        time.Time           // of the machine's monotonic clock
	lastID        core.RequestID
	current       *call // the request that is being stepped: not in calls yet
	calls         map[core.RequestID]*call
	pool          callPool

	position core.Position // of the machine's state
	durable  core.Position // of the log
	held     held
	room     room

	figures  engineFigures
	requests requestFigures // not guarded by the mutex
	debug    bool           // log which request minted a dot

	timer   *time.Timer
	armed   time.Duration // monotonic time at which the timer fires; 0: not armed
	started bool
	closed  bool
	fault   error // why the machine must not be stepped any more

	ready  chan struct{} // closed when the node first serves
	served bool
	halted chan struct{} // closed when fault is set

	ended   chan struct{} // closed by close
	watched chan struct{} // closed when nobody looks at the free space any more; nil: nobody did
}

func newEngine(log Log, logger *slog.Logger, send func(string, *wire.Message)) *engine {
	return &engine{
		log: log, logger: logger, send: send, flush: func() {}, follow: func([]string) {}, calls: make(map[core.RequestID]*call),
		figures: newEngineFigures(), ready: make(chan struct{}), halted: make(chan struct{}), ended: make(chan struct{}),
		debug: logger.Enabled(context.Background(), slog.LevelDebug),
	}
}

// start gives the engine its machine, restored up to position, and boots it.
func (e *engine) start(m machine, position core.Position) {
	e.log.Start(e.advanced)
	if log, bounded := e.log.(Bounded); bounded {
		e.room.log = log
		e.look()
		e.watched = make(chan struct{})
		go e.watchRoom()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.machine, e.position, e.durable = m, position, position
	e.origin = time.Now()
	e.started = true
	e.timer = time.AfterFunc(time.Hour, e.wake)
	e.step(core.Input{Kind: core.InputWake})
}

// close ends all stepping. Requests that wait are not answered any more.
func (e *engine) close() {
	e.mu.Lock()
	if !e.closed {
		e.closed = true
		close(e.ended)
	}
	if e.timer != nil {
		e.timer.Stop()
	}
	e.mu.Unlock()
	if e.watched != nil {
		<-e.watched
	}
}

// ask has the machine answer a request. When ctx ends first the machine is told to forget the
// request, and the response has status zero. The caller releases the call.
func (e *engine) ask(ctx context.Context, request core.Request) *call {
	begin := time.Now()
	c := e.pool.take()
	e.exchange(ctx, c, request)
	e.requests.end(request.Op, c, time.Since(begin))
	return c
}

func (e *engine) exchange(ctx context.Context, c *call, request core.Request) {
	e.mu.Lock()
	e.lastID++
	c.id, request.ID = e.lastID, e.lastID
	e.current = c
	c.accepted = e.runs()
	e.step(core.Input{Kind: core.InputRequest, Request: request})
	e.current = nil
	if c.answered || !e.runs() {
		e.mu.Unlock()
		return
	}
	e.calls[c.id] = c
	e.mu.Unlock()

	select {
	case <-c.done:
	case <-ctx.Done():
		e.cancel(c)
	case <-e.halted:
		e.forget(c)
	}
}

func (e *engine) cancel(c *call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !c.answered {
		e.step(core.Input{Kind: core.InputCancel, Request: core.Request{ID: c.id}})
	}
	e.detach(c)
}

func (e *engine) forget(c *call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.detach(c)
}

// detach makes sure that nobody touches c after it.
func (e *engine) detach(c *call) {
	delete(e.calls, c.id)
	select {
	case <-c.done:
	default:
	}
}

// receive feeds messages of a peer, one after the other. What they make this node send leaves
// together. The error is that of err.
func (e *engine) receive(messages []*wire.Message) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, message := range messages {
		e.feed(core.Input{Kind: core.InputMessage, Message: message})
	}
	e.flush()
	return e.why()
}

// inspect calls f with the machine, which f must only look at.
func (e *engine) inspect(f func(machine)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.runs() {
		f(e.machine)
	}
}

// err is why the engine does not run: not started, closed, or halted; nil when it runs.
func (e *engine) err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.why()
}

// why is err for who holds the mutex.
func (e *engine) why() error {
	switch {
	case e.fault != nil:
		return e.fault
	case e.closed:
		return errClosed
	case !e.started:
		return e.starting()
	default:
		return nil
	}
}

// starting says that the node is, and how far it is with reading back what it had stored.
func (e *engine) starting() error {
	if log, ok := e.log.(interface{ Restored() uint64 }); ok {
		if n := log.Restored(); n > 0 {
			return fmt.Errorf("%w: %s records are read back", errNotStarted, grouped(n))
		}
	}
	return errNotStarted
}

func (e *engine) wake() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.armed = 0
	e.step(core.Input{Kind: core.InputWake})
}

// advanced is called by the log.
func (e *engine) advanced(durable core.Position, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		e.halt(fmt.Errorf("httpnode: the log cannot be written, so nothing more is accepted: %w", err))
		return
	}
	e.advance(durable)
	e.step(core.Input{Kind: core.InputWake})
}

func (e *engine) runs() bool { return e.started && !e.closed && e.fault == nil }

// step is feed with the messages on their way when it returns.
func (e *engine) step(input core.Input) {
	e.feed(input)
	e.flush()
}

// feed feeds one input and acts on the output. The caller holds the mutex.
func (e *engine) feed(input core.Input) {
	if !e.runs() {
		return
	}
	// A machine that panicked is in no state to go on from; the process may still say so.
	defer func() {
		if p := recover(); p != nil {
			e.logger.Error("the machine panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			e.halt(fmt.Errorf("%w: %v", ErrPanic, p))
		}
	}()
	now := time.Now()
	input.Wall = now.UnixMilli()
	input.Mono = now.Sub(e.origin) + time.Nanosecond // never zero
	input.Durable, input.Full = e.durable, e.room.full
	out := &e.output
	e.machine.Step(input, out)
	e.watch()

	if out.Position != e.position {
		e.position = out.Position
		e.room.spend(out.Records)
		e.advance(e.log.Append(out.Forget, out.Records, out.Position))
	}
	e.figures.observe(out)
	if e.debug {
		for i := range out.Accepted {
			logAccepted(e.logger, &out.Accepted[i])
		}
	}
	for i := range out.Replies {
		e.reply(&out.Replies[i])
	}
	for i := range out.Sends {
		if s := &out.Sends[i]; s.After <= e.durable {
			e.send(s.To, s.Message)
		} else {
			e.held.addSend(*s)
		}
	}
	for _, line := range out.Alarms {
		e.logger.Error(line)
	}
	for _, line := range out.Logs {
		e.logger.Info(line)
	}
	if !e.served && e.machine.Obstacle() == "" {
		e.served = true
		close(e.ready)
	}
	e.arm(input.Mono, out.WakeAt)
	if e.room.log != nil && e.room.left < 0 {
		e.setFull(true)
	}
}

// watch tells when a step has put another configuration in force. Sends of the same step are for its
// members.
func (e *engine) watch() {
	configuration := e.machine.Configuration()
	if configuration == nil || configuration == e.configuration {
		return
	}
	e.configuration = configuration
	members := make([]string, len(configuration.Members))
	for i := range members {
		members[i] = configuration.Members[i].Address
	}
	e.follow(members)
}

func (e *engine) reply(response *core.Response) {
	c := e.current
	if c == nil || c.id != response.ID {
		if c = e.calls[response.ID]; c == nil {
			return // its client is gone
		}
	}
	if response.After > e.durable {
		e.held.addReply(response)
		return
	}
	c.answer(response)
	if c != e.current {
		delete(e.calls, c.id)
		c.done <- struct{}{}
	}
}

// advance lets out what waited for the log.
func (e *engine) advance(durable core.Position) {
	if durable <= e.durable {
		return
	}
	e.durable = durable
	e.held.release(durable, e.reply, func(s *core.Send) { e.send(s.To, s.Message) })
}

// arm makes sure that the timer fires at wakeAt or before. A timer that fires too early costs one
// step that does nothing; moving it at every step would cost more.
func (e *engine) arm(now, wakeAt time.Duration) {
	if e.armed != 0 && e.armed <= wakeAt {
		return
	}
	e.armed = max(wakeAt, now+time.Microsecond)
	e.timer.Reset(e.armed - now)
}

func (e *engine) halt(err error) {
	if e.fault == nil {
		e.fault = err
		close(e.halted)
		e.logger.Error(err.Error())
	}
}
