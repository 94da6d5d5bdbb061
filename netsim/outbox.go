package netsim

import "fmt"

// Outbox is how a node acts. The world owns it; it is valid during the call that
// it was passed to. Misuse (an unknown node, a position never appended, use
// after the call) panics, which the world reports as a violation.
type Outbox[M any] struct {
	world *World[M]
	id    NodeID
	open  bool
}

// Send sends m to a node once the own disk is durable up to the position after;
// at once for zero. A crash before that loses it.
func (o *Outbox[M]) Send(to NodeID, m M, after Position) {
	w, p := o.check("Send")
	if to < 0 || int(to) >= len(w.nodes) {
		panic(fmt.Sprintf("netsim: Send to node %d; the world has nodes 0 to %d", to, len(w.nodes)-1))
	}
	if after > p.disk.appended() {
		panic(fmt.Sprintf("netsim: Send after position %d; only %d records were appended", after, p.disk.appended()))
	}
	if w.config.Clone != nil {
		m = w.config.Clone(m)
	}
	sum := w.noteSend(o.id, to, m, after)
	if after > p.disk.durable {
		p.held = append(p.held, heldSend[M]{to: to, after: after, sum: sum, message: m})
		return
	}
	w.transmit(o.id, to, m, sum)
}

// Append adds a copy of the record to the node's log and returns its position.
// It survives a crash once that position is durable.
func (o *Outbox[M]) Append(record []byte) Position {
	w, p := o.check("Append")
	w.note(outputAppend, o.id)
	w.noteNumber(uint64(len(record)))
	w.scratch = append(w.scratch, record...)
	position := p.disk.append(record)
	w.reach(PointAppended, o.id)
	return position
}

// DiskFull reports whether the node's disk is nearly full: what is appended still
// fits, and the node should keep that for what it has to finish.
func (o *Outbox[M]) DiskFull() bool {
	w, _ := o.check("DiskFull")
	return len(w.diskFaults) > 0 && w.diskFault(FillDisk, o.id) != nil
}

// WakeAt sets the node's only timer to a time of Clock.Mono, in place of what
// was set before; a time in the past means now, zero means never. The timer is
// spent when Wake is called, and gone after a crash.
func (o *Outbox[M]) WakeAt(t Time) {
	w, p := o.check("WakeAt")
	w.note(outputWakeAt, o.id)
	w.noteNumber(uint64(t))
	if t == 0 {
		p.wakeAt = 0
		return
	}
	p.wakeAt = max(t, w.now)
	if p.wakeAt == 0 {
		p.wakeAt = 1 // zero would mean never
	}
	if p.wakeQueued == 0 || p.wakeQueued > p.wakeAt {
		w.queueWake(p)
	}
}

// Probe counts one occurrence of a rare situation under its name. Faults that
// wait for it begin after this call to the node, see Trigger.
func (o *Outbox[M]) Probe(name string) {
	w, _ := o.check("Probe")
	w.note(outputProbe, o.id)
	w.noteNumber(uint64(len(name)))
	w.scratch = append(w.scratch, name...)
	w.countProbe(name)
	if w.tracing {
		w.traceText(w.config.Names[o.id] + " probe " + name)
	}
	if len(w.waitingFaults) > 0 {
		w.meet(name, o.id)
	}
}

func (o *Outbox[M]) check(method string) (*World[M], *process[M]) {
	if !o.open {
		panic("netsim: Outbox." + method + " outside of the call that the outbox was passed to")
	}
	return o.world, &o.world.nodes[o.id]
}
