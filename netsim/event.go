package netsim

// eventKind says what an event does; the values are part of the digest.
type eventKind uint8

const (
	eventStart   eventKind = iota + 1 // a process boots and starts
	eventDeliver                      // a message reaches a node
	eventWake                         // the timer of a node is due
	eventSync                         // a disk has made records durable
	eventSynced                       // the process hears of it
	eventBegin                        // a fault begins
	eventEnd                          // a fault ends
	eventHeal                         // the chaos phase is over
	outputSend
	outputAppend
	outputWakeAt
	outputProbe
	eventWrite // a disk takes what was appended, and a sync of it begins
)

// event is a slot of the world's table; slots are reused, so that a run
// allocates as many as are ever pending at once.
type event[M any] struct {
	kind eventKind
	// arrived: the message has crossed the link and waits for its node only; the
	// process has heard of the sync and has not sent all that it may.
	arrived bool
	node    NodeID
	from    NodeID
	// boot binds the event to one process: it is lost when that has died.
	boot uint64
	// seen and slowed are the numbers of the newest faults already applied, to
	// the link or disk and to the handling, so that none applies twice.
	seen, slowed uint64
	// index is the number of the message on its link, the position that becomes
	// durable, or the index of the fault.
	index uint64
	// sum is the hash of the encoded message when it was sent.
	sum     uint64
	message M
}

// newSlot returns a free slot with e in it. It may move the table: no pointer
// into it outlives the call.
func (w *World[M]) newSlot(e event[M]) int32 {
	if last := len(w.free) - 1; last >= 0 {
		slot := w.free[last]
		w.free = w.free[:last]
		w.events[slot] = e
		return slot
	}
	w.events = append(w.events, e)
	return int32(len(w.events) - 1)
}

// release frees a slot and lets go of its message.
func (w *World[M]) release(slot int32) {
	var none M
	w.events[slot].message = none
	w.free = append(w.free, slot)
}

// outcome is what became of an entry of the queue.
type outcome uint8

const (
	happened outcome = iota
	vanished         // it was stale, or lost: nobody saw it
	requeued         // it waits again
)

// dispatch performs one event; the caller releases the slot unless requeued.
func (w *World[M]) dispatch(slot int32) outcome {
	switch w.events[slot].kind {
	case eventStart:
		return w.start(slot)
	case eventDeliver:
		return w.arrive(slot)
	case eventWake:
		return w.wake(slot)
	case eventWrite:
		return w.written(slot)
	case eventSync:
		return w.sync(slot)
	case eventSynced:
		return w.synced(slot)
	case eventBegin:
		w.begin(int32(w.events[slot].index))
	case eventEnd:
		w.end(int32(w.events[slot].index))
	case eventHeal:
		w.healed = true
		w.note(eventHeal, NoNode)
		if w.tracing {
			w.traceText("the world heals")
		}
	default: // outputs are no events
	}
	return happened
}

// gate lets an event through to its node, or queues it again behind a pause or
// a slow node.
func (w *World[M]) gate(slot int32) bool {
	if len(w.handlingFaults) == 0 {
		return true
	}
	e := &w.events[slot]
	at := w.now
	for _, index := range w.handlingFaults {
		fault := &w.faults[index]
		if !fault.Nodes.Has(e.node) {
			continue
		}
		switch {
		case fault.Kind == Pause:
			at = max(at, fault.until)
			fault.touched++
		case fault.number > e.slowed:
			at = max(at, min(w.now+fault.Amount, fault.until))
			fault.touched++
		}
	}
	e.slowed = w.begun
	if at == w.now {
		return true
	}
	w.queue.push(at, slot)
	return false
}
