package netsim

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// ErrSpinning is the violation of a world whose time no longer moves, such as a
// node that wakes itself at once, for ever.
var ErrSpinning = errors.New("netsim: a million events in one instant; does a node wake itself at once, or is the latency zero?")

// spinLimit is the number of events in one instant that is taken for a livelock.
const spinLimit = 1 << 20

// NoNode stands for the world itself where an event has no node.
const NoNode NodeID = -1

// Violation is why a run ended early: the invariant failed, or the machine (or
// the invariant) panicked.
type Violation struct {
	At Time
	// Node is who handled the event; NoNode when a fault began or ended.
	Node NodeID
	// Event is what happened last, in the words of a trace.
	Event string
	// Err is what the invariant returned, or the panic as an error.
	Err error
	// Panic says which; Stack is then where.
	Panic bool
	Stack []byte
}

// Error is one line: time, event, cause.
func (v *Violation) Error() string {
	verb := ""
	if v.Panic {
		verb = "panic: "
	}
	return fmt.Sprintf("%s%v (at %v: %s)", verb, v.Err, v.At, v.Event)
}

// Unwrap returns Err.
func (v *Violation) Unwrap() error { return v.Err }

// fail ends the run; the first violation stands.
func (w *World[M]) fail(slot int32, err error, stack []byte) {
	w.over = true
	if w.violation != nil {
		return
	}
	w.violation = &Violation{At: w.now, Node: w.events[slot].node, Err: err, Panic: stack != nil, Stack: stack}
	w.violation.Event = w.describeSafely(slot)
}

// describeSafely survives a Describe that panics too.
func (w *World[M]) describeSafely(slot int32) (text string) {
	defer func() {
		if recover() != nil {
			text = "an event that cannot be described"
		}
	}()
	return w.describeEvent(slot)
}

// catch, deferred around an event, turns a panic into a violation.
func (w *World[M]) catch(slot int32) {
	cause := recover()
	if cause == nil {
		return
	}
	err, ok := cause.(error)
	if !ok {
		err = fmt.Errorf("%v", cause)
	}
	w.fail(slot, err, debug.Stack())
}
