package netsim

import (
	"fmt"
	"strconv"
)

// Trace lines read "3.210s n1 -> n2 deliver ping 7": virtual time in seconds,
// then who does what. Nothing here runs without Config.Trace or a violation.

func (w *World[M]) traceText(text string) {
	millis := uint64(w.now / Millisecond)
	seconds := strconv.FormatUint(millis/1000, 10)
	fraction := strconv.FormatUint(1000+millis%1000, 10)[1:]
	w.config.Trace(seconds + "." + fraction + "s " + text)
}

func (w *World[M]) traceEvent(slot int32) { w.traceText(w.describeEvent(slot)) }

// describeEvent is an event in words.
func (w *World[M]) describeEvent(slot int32) string {
	e := &w.events[slot]
	names := w.config.Names
	switch e.kind {
	case eventStart:
		return fmt.Sprintf("%s start, boot %d", names[e.node], w.nodes[e.node].boot-1)
	case eventDeliver:
		return names[e.from] + " -> " + names[e.node] + " deliver " + w.describe(e.message)
	case eventWake:
		return names[e.node] + " wake"
	case eventWrite:
		return names[e.node] + " writes"
	case eventSync, eventSynced:
		return fmt.Sprintf("%s synced %d", names[e.node], e.index)
	case eventBegin:
		return "begins: " + w.faultText(&w.faults[e.index])
	case eventEnd:
		return "ends: " + w.faultText(&w.faults[e.index])
	default:
		return "the world heals"
	}
}

// faultText is a fault as it acts, and why it does.
func (w *World[M]) faultText(f *runningFault) string {
	text := f.format(w.config.Names)
	if f.met != NoNode {
		text += " (" + w.config.Names[f.met] + " met " + f.situation + ")"
	}
	return text
}

func (w *World[M]) describe(m M) string {
	if w.config.Describe == nil {
		return fmt.Sprintf("%T", m)
	}
	return w.config.Describe(m)
}

func (w *World[M]) traceLost(from, to NodeID, m M, by int32) {
	if !w.tracing {
		return
	}
	cause := "by the network"
	if by != byNetwork {
		cause = w.faultText(&w.faults[by])
	}
	w.traceText(w.config.Names[from] + " -> " + w.config.Names[to] + " lost " + w.describe(m) + " (" + cause + ")")
}

func (w *World[M]) traceLostToCrash(slot int32) {
	if !w.tracing {
		return
	}
	e := &w.events[slot]
	w.traceText(w.config.Names[e.from] + " -> " + w.config.Names[e.node] + " lost " + w.describe(e.message) + " (its process is gone)")
}
