package netsim

import "iter"

// runningFault is a fault of the schedule and what became of it.
type runningFault struct {
	// Fault is that of the schedule, or what it became when it was triggered.
	Fault
	// met is who met the situation, NoNode before and for a fault of a time;
	// situation is its name then.
	met       NodeID
	situation string
	// skipped counts how often the situation was met in vain.
	skipped uint32
	// until is when it ends: cut short by the end of chaos.
	until Time
	// number counts the faults that began, from 1; zero: not yet.
	number       uint64
	began, ended Time
	// felled are the nodes whose process a failing disk has ended.
	felled  NodeSet
	touched uint64
}

// FaultReport says what a fault did.
type FaultReport struct {
	// Fault is that of the schedule.
	Fault Fault
	// Effect is what began: Fault, or the fault of a time and of known nodes that it
	// became when its situation was met. Its Kind is zero while nothing has begun.
	Effect Fault
	// Met is the node that met the situation; NoNode if none did or Fault does not
	// wait for one.
	Met NodeID
	// Began and Ended are zero while that has not happened; a Kill never ends.
	Began, Ended Time
	// Touched is the number of messages, handlings, syncs, looks at a clock or at a
	// full disk, and processes that it really changed. A fault with zero tested nothing.
	Touched uint64
}

// Faults reports on every fault, in the order of the schedule.
func (w *World[M]) Faults() []FaultReport {
	reports := make([]FaultReport, len(w.faults))
	for i := range w.faults {
		f := &w.faults[i]
		reports[i] = FaultReport{Fault: w.config.Schedule[i], Met: f.met, Began: f.began, Ended: f.ended, Touched: f.touched}
		if f.number != 0 {
			reports[i].Effect = f.Fault
		}
	}
	return reports
}

// scheduleFaults queues the beginnings and ends. They come first in the queue:
// at equal times a fault changes the world before anything happens in it.
func (w *World[M]) scheduleFaults() {
	w.faults = make([]runningFault, len(w.config.Schedule))
	for i, fault := range w.config.Schedule {
		w.faults[i] = runningFault{Fault: fault, met: NoNode}
		switch {
		case fault.triggered():
			w.waitingFaults = append(w.waitingFaults, int32(i))
		case fault.At < w.chaosEnd:
			w.queueFault(int32(i), w.queue.push)
		}
	}
	w.queue.push(w.chaosEnd, w.newSlot(event[M]{kind: eventHeal, node: NoNode}))
}

// queueFault queues the beginning and the end of a fault that begins during the
// chaos.
func (w *World[M]) queueFault(index int32, push func(at Time, slot int32)) {
	push(w.faults[index].At, w.newSlot(event[M]{kind: eventBegin, node: NoNode, index: uint64(index)}))
	w.queueEnd(index, push)
}

// queueEnd queues the end of a fault, if it has one.
func (w *World[M]) queueEnd(index int32, push func(at Time, slot int32)) {
	f := &w.faults[index]
	if f.Kind == Kill {
		f.until = w.config.End
		return
	}
	f.until = min(f.At+min(f.For, w.chaosEnd), w.chaosEnd)
	push(f.until, w.newSlot(event[M]{kind: eventEnd, node: NoNode, index: uint64(index)}))
}

// active is the list of faults in effect that a kind belongs to.
func (w *World[M]) active(kind FaultKind) *[]int32 {
	switch kind {
	case Pause, Slow:
		return &w.handlingFaults
	case Crash, Wipe, Tear, Kill:
		return &w.crashFaults
	case Skew, Jump, Freeze:
		return &w.clockFaults
	case SlowSync, FailDisk, FillDisk, FalseSync:
		return &w.diskFaults
	default:
		return &w.linkFaults
	}
}

// announce puts the beginning or the end of a fault into the digest and the trace.
func (w *World[M]) announce(kind eventKind, f *runningFault, word string) {
	w.noteFault(kind, f)
	if w.tracing {
		w.traceText(word + w.faultText(f))
	}
}

// named yields the nodes that a fault names, the first one first.
func (w *World[M]) named(f *runningFault) iter.Seq[*process[M]] {
	return func(yield func(*process[M]) bool) {
		for i := range w.nodes {
			if p := &w.nodes[i]; f.Nodes.Has(p.id) && !yield(p) {
				return
			}
		}
	}
}

func (w *World[M]) begin(index int32) {
	f := &w.faults[index]
	w.begun++
	f.number = w.begun
	f.began = w.now
	w.announce(eventBegin, f, "begins: ")
	for p := range w.named(f) {
		switch f.Kind {
		case Crash, Wipe, Tear:
			if w.crash(p, f.Kind) {
				f.touched++
			}
		case Kill:
			if w.kill(p) {
				f.touched++
			}
		case Freeze:
			if p.frozen == 0 {
				p.frozenWall = w.clock(p).Wall
			}
			p.frozen++
		default: // it acts on single messages, handlings, readings or syncs
		}
	}
	list := w.active(f.Kind)
	*list = append(*list, index)
}

func (w *World[M]) end(index int32) {
	f := &w.faults[index]
	f.ended = w.now
	w.announce(eventEnd, f, "ends: ")
	list := w.active(f.Kind)
	kept := (*list)[:0]
	for _, other := range *list {
		if other != index {
			kept = append(kept, other)
		}
	}
	*list = kept
	for p := range w.named(f) {
		switch f.Kind {
		case Crash, Wipe, Tear:
			w.restart(p)
		case FailDisk:
			if f.felled.Has(p.id) {
				w.restart(p)
			}
		case Freeze:
			p.frozen--
		default:
		}
	}
}
