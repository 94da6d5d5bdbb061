package netsim

import (
	"fmt"
	"slices"
)

// process is a node's place in the world: its machine, disk, timer and clock.
type process[M any] struct {
	id     NodeID
	node   Node[M]
	syncer Syncer[M] // node, if it is one
	out    Outbox[M]
	up     bool
	booted bool
	// boot counts the boots, from 1: the identity of a process.
	boot uint64
	// startAt is the given time before which it does not start; zero: none.
	startAt Time
	// down counts the crash faults in effect, with those that never end.
	down int
	// wiped: the next boot finds nothing.
	wiped bool

	disk disk
	held []heldSend[M]

	// wakeAt is the timer as the node set it, zero for none. The queue holds at
	// most one live entry for it, due at wakeQueued or later, with the number
	// wakeNumber: a timer that moves away is found too early and queued again,
	// so that the usual postponing costs nothing.
	wakeAt, wakeQueued Time
	wakeNumber         uint64

	// frozen counts the freezes in effect; frozenWall is what the clock shows.
	frozen     int
	frozenWall int64
}

// heldSend is a message that waits for its sender's disk.
type heldSend[M any] struct {
	to      NodeID
	after   Position
	sum     uint64
	message M
}

func (p *process[M]) alive(boot uint64) bool { return p.up && p.boot == boot }

// bootNode makes the machine of a process.
func (w *World[M]) bootNode(p *process[M]) {
	boot := Boot[M]{ID: p.id, Count: int(p.boot), Wiped: p.wiped, Random: w.keys.boot.At(uint64(p.id), p.boot)}
	if p.boot > 0 && !p.wiped {
		boot.Records = p.disk.records()
		boot.Position = p.disk.appended()
		boot.Synced, boot.Torn = p.disk.said, slices.Clone(p.disk.torn)
		boot.Crashed = p.node
	}
	node := w.config.Boot(boot)
	if node == nil {
		panic(fmt.Sprintf("netsim: Config.Boot returned nil for %s", w.config.Names[p.id]))
	}
	p.node = node
	p.syncer, _ = node.(Syncer[M])
	p.disk.torn = p.disk.torn[:0]
	p.boot++
	p.booted, p.wiped = true, false
}

// start boots a process, unless New did, and starts it.
func (w *World[M]) start(slot int32) outcome {
	p := &w.nodes[w.events[slot].node]
	if p.up || p.down > 0 || w.now < p.startAt {
		return vanished
	}
	if !w.gate(slot) {
		return requeued
	}
	if !p.booted {
		w.bootNode(p)
	}
	p.up = true
	w.note(eventStart, p.id)
	w.noteNumber(p.boot)
	if w.tracing {
		w.traceEvent(slot)
	}
	now := w.clock(p)
	p.out.open = true
	p.node.Start(now, &p.out)
	p.out.open = false
	w.startSync(p)
	return happened
}

// crash kills a process; it stays down until as many restart calls came.
func (w *World[M]) crash(p *process[M], kind FaultKind) (hit bool) {
	p.down++
	wipe := kind == Wipe && w.now >= p.startAt // else there is no disk yet
	hit = p.up || wipe
	if p.up {
		p.up, p.booted = false, false
		w.crashDisk(p, kind)
		clear(p.held)
		p.held = p.held[:0]
		p.wakeAt, p.wakeQueued = 0, 0
	}
	if wipe {
		p.disk.wipe()
		p.wiped, p.booted = true, false
	}
	return hit
}

// crashDisk leaves of a disk what survives a crash of a kind.
func (w *World[M]) crashDisk(p *process[M], kind FaultKind) {
	d := &p.disk
	left, torn := d.kept, 0
	if kind == Tear || kind == FailDisk {
		left, torn = d.tear(w.keys.tear.Stream("tail", uint64(p.id), d.tears))
		w.traceTail(p.id, left, d.kept, d.written)
	}
	d.crash(left, torn)
}

// kill is a crash that nothing undoes; false if there was one before.
func (w *World[M]) kill(p *process[M]) bool {
	if w.killed.Has(p.id) {
		return false
	}
	w.killed |= Nodes(p.id)
	w.crash(p, Kill)
	return true
}

// restart undoes one crash. The start comes to nothing while another one holds.
func (w *World[M]) restart(p *process[M]) {
	p.down--
	w.queue.push(w.now, w.newSlot(event[M]{kind: eventStart, node: p.id}))
}

func (w *World[M]) queueWake(p *process[M]) {
	p.wakeNumber++
	p.wakeQueued = p.wakeAt
	w.queue.push(p.wakeAt, w.newSlot(event[M]{kind: eventWake, node: p.id, index: p.wakeNumber}))
}

// wake calls a node whose timer is due.
func (w *World[M]) wake(slot int32) outcome {
	e := &w.events[slot]
	p := &w.nodes[e.node]
	switch {
	case e.index != p.wakeNumber:
		return vanished
	case p.wakeAt == 0:
		p.wakeQueued = 0
		return vanished
	case p.wakeAt > w.now:
		e.slowed = 0
		p.wakeQueued = p.wakeAt
		w.queue.push(p.wakeAt, slot)
		return requeued
	}
	if !w.gate(slot) {
		return requeued
	}
	p.wakeAt, p.wakeQueued = 0, 0
	now := w.clock(p)
	w.note(eventWake, p.id)
	if w.tracing {
		w.traceEvent(slot)
	}
	p.out.open = true
	p.node.Wake(now, &p.out)
	p.out.open = false
	w.startSync(p)
	return happened
}
