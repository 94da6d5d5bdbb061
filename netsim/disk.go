package netsim

// disk is an append-only log of one node in one buffer.
type disk struct {
	bytes   []byte
	ends    []int // ends[i] is where record i ends in bytes
	durable Position
	// syncing: a sync is in flight, or its process has not heard of its end yet.
	syncing bool
	// syncs counts the syncs ever started: the key of their latency.
	syncs uint64
}

func (d *disk) appended() Position { return Position(len(d.ends)) }

func (d *disk) append(record []byte) Position {
	d.bytes = append(d.bytes, record...)
	d.ends = append(d.ends, len(d.bytes))
	return d.appended()
}

// crash drops what is not durable.
func (d *disk) crash() {
	d.ends = d.ends[:d.durable]
	end := 0
	if len(d.ends) > 0 {
		end = d.ends[len(d.ends)-1]
	}
	d.bytes = d.bytes[:end]
	d.syncing = false
}

// wipe empties the disk.
func (d *disk) wipe() {
	d.durable = 0
	d.crash()
}

// records copies the log out; nil when it is empty.
func (d *disk) records() [][]byte {
	if len(d.ends) == 0 {
		return nil
	}
	whole := append([]byte(nil), d.bytes...)
	records := make([][]byte, len(d.ends))
	start := 0
	for i, end := range d.ends {
		records[i] = whole[start:end:end]
		start = end
	}
	return records
}

// startSync starts a sync of all that is appended, unless there is nothing to do
// or one is in flight.
func (w *World[M]) startSync(p *process[M]) {
	d := &p.disk
	if d.syncing || d.appended() == d.durable {
		return
	}
	d.syncing = true
	latency := w.config.Disk.Sync.pick(w.keys.sync.At(uint64(p.id), d.syncs))
	d.syncs++
	slot := w.newSlot(event[M]{kind: eventSync, node: p.id, boot: p.boot, index: uint64(d.appended())})
	w.queue.push(w.slowSync(&w.events[slot], w.now+latency), slot)
}

// slowSync is when a sync that is due at a time ends, given the slow-sync faults
// that it has not met yet. None delays it beyond its own end.
func (w *World[M]) slowSync(e *event[M], due Time) Time {
	at := due
	for _, index := range w.diskFaults {
		fault := &w.faults[index]
		if fault.number > e.seen && fault.Nodes.Has(e.node) {
			if later := min(due+fault.Amount, fault.until); later > due {
				at = max(at, later)
				fault.touched++
			}
		}
	}
	e.seen = w.begun
	return at
}

// sync is the end of a sync at the disk: from here on the records survive, even
// if the process is paused and does not hear of it.
func (w *World[M]) sync(slot int32) outcome {
	e := &w.events[slot]
	p := &w.nodes[e.node]
	if !p.alive(e.boot) {
		return vanished
	}
	if at := w.slowSync(e, w.now); at > w.now {
		w.queue.push(at, slot)
		return requeued
	}
	p.disk.durable = Position(e.index)
	e.kind = eventSynced
	return w.synced(slot)
}

// synced is the process hearing of it: what waited is sent, the node is told.
func (w *World[M]) synced(slot int32) outcome {
	e := &w.events[slot]
	p := &w.nodes[e.node]
	if !p.alive(e.boot) {
		return vanished
	}
	if !w.gate(slot) {
		return requeued
	}
	p.disk.syncing = false
	now := w.clock(p)
	w.note(eventSynced, p.id)
	w.noteNumber(e.index)
	if w.tracing {
		w.traceEvent(slot)
	}
	w.sendHeld(p)
	if p.syncer != nil {
		p.out.open = true
		p.syncer.Synced(now, p.disk.durable, &p.out)
		p.out.open = false
	}
	w.startSync(p)
	return happened
}

// sendHeld sends what the durable position allows, in the order of Send.
func (w *World[M]) sendHeld(p *process[M]) {
	if len(p.held) == 0 {
		return
	}
	kept := p.held[:0]
	for _, h := range p.held {
		if h.after > p.disk.durable {
			kept = append(kept, h)
			continue
		}
		w.transmit(p.id, h.to, h.message, h.sum)
	}
	clear(p.held[len(kept):])
	p.held = kept
}
