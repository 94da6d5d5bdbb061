package netsim

// link is one direction between two nodes.
type link struct {
	key Seed
	// base is the latency of this link, drawn once.
	base Time
	// count is the number of messages sent: the index of the next.
	count uint64
	// last is the latest arrival so far, not counting what faults added.
	last Time
}

// What is drawn per message of a link.
const (
	drawBase uint64 = iota
	drawJitter
	drawLost
	drawTwice
	drawLoss
	drawDuplicate
	drawReorder
	drawCopy
)

func (w *World[M]) link(from, to NodeID) *link {
	return &w.links[int(from)*len(w.nodes)+int(to)]
}

// byNetwork stands in for a fault where the network itself loses a message.
const byNetwork int32 = -1

// lost reports whether a message is lost on its link now, and to which fault.
// Draws are keyed by the kind of fault and the message, so that asking again at
// the other end of the link gives the same answer.
func (w *World[M]) lost(from, to NodeID, l *link, index uint64) (by int32, lost bool) {
	for _, i := range w.linkFaults {
		fault := &w.faults[i]
		if fault.Kind != Loss && !fault.Kind.cuts() || !fault.covers(from, to) {
			continue
		}
		if fault.Kind == Loss && !fault.Chance.Hits(l.key.At(drawLoss, index)) {
			continue
		}
		fault.touched++
		return i, true
	}
	if w.config.Network.Loss.Num > 0 && !w.healed && w.config.Network.Loss.Hits(l.key.At(drawLost, index)) {
		return byNetwork, true
	}
	return 0, false
}

// fate is what the faults newer than the last look do to a message that is not
// lost.
type fate struct {
	extra Time
	twice bool
}

func (w *World[M]) shape(from, to NodeID, l *link, index, seen uint64) fate {
	var f fate
	for _, i := range w.linkFaults {
		fault := &w.faults[i]
		if fault.number <= seen || !fault.covers(from, to) {
			continue
		}
		switch fault.Kind {
		case Duplicate:
			if !fault.Chance.Hits(l.key.At(drawDuplicate, index)) {
				continue
			}
			f.twice = true
		case Reorder:
			f.extra += Range{0, fault.Amount}.pick(l.key.At(drawReorder, index))
		case Delay:
			f.extra += fault.Amount
		default:
			continue
		}
		fault.touched++
	}
	return f
}

// transmit puts a message on its link. A node's messages to itself take the time
// of a link, but no fault reaches them.
func (w *World[M]) transmit(from, to NodeID, m M, sum uint64) {
	l := w.link(from, to)
	index := l.count
	l.count++
	var f fate
	if from != to {
		if by, lost := w.lost(from, to, l, index); lost {
			w.traceLost(from, to, m, by)
			return
		}
		if len(w.linkFaults) > 0 {
			f = w.shape(from, to, l, index, 0)
		}
		network := &w.config.Network
		if network.Duplicate.Num > 0 && !w.healed && network.Duplicate.Hits(l.key.At(drawTwice, index)) {
			f.twice = true
		}
	}
	at := w.now + l.base
	if jitter := w.config.Network.Jitter; jitter > 0 {
		at += Range{0, jitter}.pick(l.key.At(drawJitter, index))
	}
	if !w.config.Network.Reorder {
		at = max(at, l.last)
		l.last = at
	}
	// Faults come on top: what follows them overtakes what they delayed.
	at += f.extra
	w.queue.push(at, w.newSlot(event[M]{kind: eventDeliver, node: to, from: from, seen: w.begun, index: index, sum: sum, message: m}))
	if f.twice {
		w.copyMessage(from, to, m, l, index, sum, at)
	}
}

// copyMessage delivers a message a second time: mostly soon after the first,
// sometimes long after, which is when machines have forgotten the first.
func (w *World[M]) copyMessage(from, to NodeID, m M, l *link, index, sum uint64, after Time) {
	if w.config.Clone != nil {
		m = w.config.Clone(m)
	}
	draw := l.key.At(drawCopy, index)
	spread := l.base + w.config.Network.Jitter
	if draw&7 == 0 {
		spread *= 100
	}
	at := after + Range{0, spread}.pick(mix(draw))
	w.queue.push(at, w.newSlot(event[M]{kind: eventDeliver, node: to, from: from, seen: w.begun, index: index, sum: sum, message: m}))
}

// arrive handles a message at the end of its link, or again after it waited for
// its node.
func (w *World[M]) arrive(slot int32) outcome {
	e := &w.events[slot]
	p := &w.nodes[e.node]
	if !e.arrived {
		if len(w.linkFaults) > 0 && e.from != e.node {
			if met := w.cross(slot); met != happened {
				return met
			}
			e = &w.events[slot] // a duplicate may have moved the table
		}
		e.arrived, e.boot = true, p.boot
	}
	if !p.alive(e.boot) {
		w.countLostToCrash(e.node)
		w.traceLostToCrash(slot)
		return vanished
	}
	if !w.gate(slot) {
		return requeued
	}
	now := w.clock(p)
	w.noteDelivery(e)
	if w.tracing {
		w.traceEvent(slot)
	}
	from, message := e.from, e.message
	p.out.open = true
	p.node.Receive(now, from, message, &p.out)
	p.out.open = false
	w.startSync(p)
	return happened
}

// cross applies the faults that hold now to a message at the end of its link,
// and reports whether it got through: happened if so.
func (w *World[M]) cross(slot int32) outcome {
	e := w.events[slot]
	l := w.link(e.from, e.node)
	if by, lost := w.lost(e.from, e.node, l, e.index); lost {
		w.traceLost(e.from, e.node, e.message, by)
		return vanished
	}
	f := w.shape(e.from, e.node, l, e.index, e.seen)
	w.events[slot].seen = w.begun
	if f.twice {
		w.copyMessage(e.from, e.node, e.message, l, e.index, e.sum, w.now+f.extra)
	}
	at := w.now + f.extra
	for _, i := range w.linkFaults {
		fault := &w.faults[i]
		if fault.Kind == Clog && fault.covers(e.from, e.node) {
			at = max(at, fault.until)
			fault.touched++
		}
	}
	if at == w.now {
		return happened
	}
	w.queue.push(at, slot)
	return requeued
}

// countLostToCrash charges the crash that keeps a node down.
func (w *World[M]) countLostToCrash(id NodeID) {
	for _, i := range w.crashFaults {
		if w.faults[i].Nodes.Has(id) {
			w.faults[i].touched++
			return
		}
	}
}
