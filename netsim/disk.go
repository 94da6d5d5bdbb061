package netsim

import "fmt"

// disk is an append-only log of one node in one buffer.
type disk struct {
	bytes []byte
	ends  []int // ends[i] is where record i ends in bytes
	// durable is how far the syncs that succeeded reach.
	durable Position
	// kept is what a crash leaves for sure: durable, unless a sync was false.
	kept Position
	// written is how far the latest sync reaches. What was appended since is in the
	// memory of the process only.
	written Position
	// syncing: a sync is in flight or about to begin, or its process has not heard
	// of its end yet.
	syncing bool
	// syncs counts the syncs ever started, and tears the tails that were torn: the
	// keys of what is drawn for them.
	syncs, tears uint64
	// torn is what is left of the record behind the last one, said how far all was
	// durable before the crash by the word of the disk.
	torn []byte
	said Position
}

func (d *disk) appended() Position { return Position(len(d.ends)) }

func (d *disk) append(record []byte) Position {
	d.bytes = append(d.bytes, record...)
	d.ends = append(d.ends, len(d.bytes))
	return d.appended()
}

// at is where the record behind a position begins.
func (d *disk) at(p Position) int {
	if p == 0 {
		return 0
	}
	return d.ends[p-1]
}

// crash drops all beyond a position, but for some bytes of the next record.
func (d *disk) crash(left Position, torn int) {
	end := d.at(left)
	d.torn = append(d.torn[:0], d.bytes[end:end+torn]...)
	d.ends, d.bytes = d.ends[:left], d.bytes[:end]
	d.said = d.durable
	d.durable, d.kept, d.written = left, left, left
	d.syncing = false
}

// wipe empties the disk.
func (d *disk) wipe() { d.crash(0, 0) }

// tear draws what a crash leaves of the records that a sync was about to make
// durable. Each is on the platter whole, in part or not at all, in any order; a
// log that checks what it reads ends at the first that is not whole.
func (d *disk) tear(draw Stream) (left Position, torn int) {
	d.tears++
	whole := Ratio{1, 1} // the sync was over, but for the word
	switch draw.Below(3) {
	case 0:
		whole = Ratio{1, 2}
	case 1:
		whole = Ratio{7, 8}
	}
	for left = d.kept; left < d.written; left++ {
		if draw.Chance(whole) {
			continue
		}
		if length := d.at(left+1) - d.at(left); draw.Below(2) == 0 {
			torn = int(draw.Below(uint64(length)))
		}
		break
	}
	return left, torn
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
	if write := w.config.Disk.Write; write.Max > 0 {
		at := w.now + write.pick(w.keys.write.At(uint64(p.id), d.syncs))
		w.queue.push(at, w.newSlot(event[M]{kind: eventWrite, node: p.id, boot: p.boot, index: uint64(d.appended())}))
		return
	}
	w.write(p)
}

// written is when a sync begins that had to wait for its turn.
func (w *World[M]) written(slot int32) outcome {
	e := &w.events[slot]
	if p := &w.nodes[e.node]; p.alive(e.boot) {
		w.write(p)
	}
	return vanished
}

// write hands what is appended to the disk, and the sync of it begins.
func (w *World[M]) write(p *process[M]) {
	d := &p.disk
	d.written = d.appended()
	latency := w.config.Disk.Sync.pick(w.keys.sync.At(uint64(p.id), d.syncs))
	d.syncs++
	slot := w.newSlot(event[M]{kind: eventSync, node: p.id, boot: p.boot, index: uint64(d.written)})
	w.queue.push(w.slowSync(&w.events[slot], w.now+latency), slot)
	w.reach(PointWriting, p.id)
}

// slowSync is when a sync that is due at a time ends, given the slow-sync faults
// that it has not met yet. None delays it beyond its own end.
func (w *World[M]) slowSync(e *event[M], due Time) Time {
	at := due
	for _, index := range w.diskFaults {
		fault := &w.faults[index]
		if fault.Kind == SlowSync && fault.number > e.seen && fault.Nodes.Has(e.node) {
			if later := min(due+fault.Amount, fault.until); later > due {
				at = max(at, later)
				fault.touched++
			}
		}
	}
	e.seen = w.begun
	return at
}

// diskFault is a fault of a kind that is in effect on the disk of a node; nil if
// there is none. It has touched something.
func (w *World[M]) diskFault(kind FaultKind, id NodeID) *runningFault {
	for _, index := range w.diskFaults {
		if fault := &w.faults[index]; fault.Kind == kind && fault.Nodes.Has(id) {
			fault.touched++
			return fault
		}
	}
	return nil
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
	if len(w.diskFaults) > 0 {
		if fault := w.diskFault(FailDisk, p.id); fault != nil {
			w.failDisk(p, fault)
			return happened
		}
		if w.diskFault(FalseSync, p.id) == nil {
			p.disk.kept = Position(e.index)
		}
	} else {
		p.disk.kept = Position(e.index)
	}
	p.disk.durable = Position(e.index)
	e.kind = eventSynced
	if w.reach(PointDurable, p.id) { // something happens before the process hears of it
		w.queue.push(w.now, slot)
		return requeued
	}
	return w.synced(slot)
}

// failDisk ends a process whose write failed, until the fault ends.
func (w *World[M]) failDisk(p *process[M], fault *runningFault) {
	w.note(eventSync, p.id)
	if w.tracing {
		w.traceText(w.config.Names[p.id] + " cannot write and ends")
	}
	fault.felled |= Nodes(p.id)
	w.crash(p, FailDisk)
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
	if e.arrived { // it heard before, and something came between what it then sent
		e.arrived = false
	} else {
		w.note(eventSynced, p.id)
		w.noteNumber(e.index)
		if w.tracing {
			w.traceEvent(slot)
		}
	}
	if !w.sendHeld(p) {
		again := w.newSlot(w.events[slot])
		w.events[again].arrived = true
		w.queue.push(w.now, again)
		return happened
	}
	p.disk.syncing = false
	now := w.clock(p)
	if p.syncer != nil {
		p.out.open = true
		p.syncer.Synced(now, p.disk.durable, &p.out)
		p.out.open = false
	}
	w.reach(PointSynced, p.id)
	w.startSync(p)
	return happened
}

// sendHeld sends what the durable position allows, in the order of Send. False:
// something happens before the rest of it leaves.
func (w *World[M]) sendHeld(p *process[M]) bool {
	if len(p.held) == 0 {
		return true
	}
	kept, whole := p.held[:0], true
	for i, h := range p.held {
		if h.after > p.disk.durable || !whole {
			kept = append(kept, h)
			continue
		}
		w.transmit(p.id, h.to, h.message, h.sum)
		if w.reach(PointReleased, p.id) && i < len(p.held)-1 {
			whole = false
		}
	}
	clear(p.held[len(kept):])
	p.held = kept
	return whole
}

// The moments in the work of a disk that a fault can wait for like for the probe
// of a node (see Trigger). They are counted for that only.
const (
	PointAppended = "disk.appended" // a record is appended
	PointWriting  = "disk.writing"  // a sync begins
	PointDurable  = "disk.durable"  // a sync is over, and its process has not heard of it
	PointReleased = "disk.released" // one message that waited for a sync has left, the next has not
	PointSynced   = "disk.synced"   // the process has heard of a sync
)

// DiskPoints lists them, in the order in which a record passes them.
func DiskPoints() []string {
	return []string{PointAppended, PointWriting, PointDurable, PointReleased, PointSynced}
}

// reach tells the faults that wait for it that a disk is at such a moment, and
// whether one of them waits no longer.
func (w *World[M]) reach(point string, id NodeID) bool {
	waiting := len(w.waitingFaults)
	if waiting > 0 {
		w.meet(point, id)
	}
	return len(w.waitingFaults) < waiting
}

// traceTail tells what a torn crash left.
func (w *World[M]) traceTail(id NodeID, left, kept, written Position) {
	if w.tracing && written > kept {
		w.traceText(fmt.Sprintf("%s keeps %d of %d records whose sync was not over", w.config.Names[id], left-kept, written-kept))
	}
}
