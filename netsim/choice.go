package netsim

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// ChoiceKind says what a choice lets happen.
type ChoiceKind uint8

// The kinds of choices.
const (
	Starts   ChoiceKind = iota + 1 // a process starts
	Delivers                       // a message reaches a node, or is lost because it has no process
	Wakes                          // the timer of a node is due
	Syncs                          // the disk of a node has made records durable
	Recovers                       // a fault ends
)

// Choice is something that can happen next in a world whose order is chosen
// instead of drawn.
type Choice struct {
	Kind ChoiceKind
	// Nodes are those that it touches: one, but for the end of a fault. What touches
	// different nodes at the same time can happen in either order.
	Nodes NodeSet
	// From is the sender of a message.
	From NodeID
	// Index is the number of the message on its link, the position that becomes
	// durable, or the number of the fault.
	Index uint64
	// Due is when Step would let it happen; it may have passed.
	Due Time
	// Sequence tells the choices of a world apart as long as they are open, and
	// orders those of the same Due.
	Sequence uint64

	slot int32
}

// Choices appends what can happen next, what Step would take first in front.
// There is the oldest message of every link (with Network.Reorder all of them),
// the end of each sync, start and fault that is under way, and each timer that
// is due before the end of chaos. The faults of the schedule are none: see
// Disturb. An empty list: only Step goes on from here.
func (w *World[M]) Choices(into []Choice) []Choice {
	first := len(into)
	for _, e := range w.queue.entries {
		if c, ok := w.choice(e); ok {
			into = append(into, c)
		}
	}
	slices.SortFunc(into[first:], func(a, b Choice) int {
		return cmp.Or(cmp.Compare(a.Due, b.Due), cmp.Compare(a.Sequence, b.Sequence))
	})
	if w.over {
		return into[:first]
	}
	if w.config.Network.Reorder {
		return into
	}
	kept := into[:first]
	for _, c := range into[first:] {
		behind := c.Kind == Delivers && slices.ContainsFunc(kept[first:], func(other Choice) bool {
			return other.Kind == Delivers && other.From == c.From && other.Nodes == c.Nodes
		})
		if !behind {
			kept = append(kept, c)
		}
	}
	return kept
}

// choice is what an entry of the queue lets happen; false: nothing, or nothing
// that can be chosen.
func (w *World[M]) choice(e entry) (Choice, bool) {
	event := &w.events[e.slot]
	c := Choice{From: NoNode, Index: event.index, Due: e.at, Sequence: e.sequence, slot: e.slot}
	if event.kind == eventEnd {
		c.Kind, c.Nodes = Recovers, w.faults[event.index].Nodes
		if w.faults[event.index].Kind.target() != onNodes {
			c.Nodes = FirstNodes(len(w.nodes))
		}
		return c, true
	}
	if event.kind == eventBegin || event.kind == eventHeal {
		return c, false
	}
	p := &w.nodes[event.node]
	c.Nodes = Nodes(event.node)
	switch event.kind {
	case eventStart:
		c.Kind = Starts
		return c, !p.up && p.down == 0 && w.now >= p.startAt
	case eventDeliver:
		c.Kind, c.From = Delivers, event.from
		return c, true
	case eventWake:
		c.Kind, c.Due, c.Index = Wakes, max(e.at, p.wakeAt), 0
		return c, event.index == p.wakeNumber && p.wakeAt != 0 && c.Due < w.chaosEnd
	default:
		c.Kind = Syncs
		return c, p.alive(event.boot)
	}
}

// Take lets a choice of the latest Choices happen in the place of what Step would
// take, and returns what Step would. Networks and disks are as fast as that asks
// for: only a timer moves the time, to when it is due. What was passed over stays,
// late if its time has come.
func (w *World[M]) Take(c Choice) bool {
	at := slices.IndexFunc(w.queue.entries, func(e entry) bool { return e.slot == c.slot && e.sequence == c.Sequence })
	if at < 0 || w.over {
		panic("netsim: Take of what cannot happen any more; ask for the Choices anew after each")
	}
	w.queue.remove(at)
	if c.Kind == Wakes && c.Due > w.now {
		w.now, w.spin = c.Due, 0
	}
	w.perform(c.slot)
	return !w.over
}

// DescribeChoice is a choice in words.
func (w *World[M]) DescribeChoice(c Choice) string { return w.describeSafely(c.slot) }

// Disturb begins a fault now; its At is not looked at. The world cuts it short at
// the end of chaos. The error says what is wrong with it.
func (w *World[M]) Disturb(f Fault) error {
	f.At = 0
	if err := f.validate(len(w.nodes)); err != nil {
		return fmt.Errorf("netsim: Disturb: %w", err)
	}
	if f.triggered() || w.over || w.now >= w.chaosEnd {
		return errors.New("netsim: Disturb begins faults at once, before the end of chaos: neither later nor when a situation is met")
	}
	f.At = w.now
	index := len(w.faults)
	w.config.Schedule = append(slices.Clip(w.config.Schedule), f)
	w.faults = append(w.faults, runningFault{Fault: f, met: NoNode})
	w.queueEnd(int32(index), w.queue.push)
	w.begin(int32(index))
	w.count++
	w.flush()
	return nil
}
