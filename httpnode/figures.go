package httpnode

import (
	"sync/atomic"
	"time"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// outcome is how a request ended, for the figures: a wire.Status, or one of those below.
type outcome uint8

// Outcomes that no machine gives. They begin above every wire.Status.
const (
	outcomeInvalid outcome = iota + 32 // refused before the machine saw it: 400, 404 or 413
	outcomeGivenUp                     // no answer: the client went away, or the node stops; nothing is said about the store
	outcomeUnknown                     // the same of a write or of a change, which may have taken effect
	outcomeEnd
)

// Operations on keys are counted one by one.
const (
	countedOther          = 0                      // questions that concern no key
	countedAdministration = int(wire.OpDelete) + 1 // changes of members and shards
	countedEnd            = countedAdministration + 1
)

// durationBounds are the upper bounds of the buckets of a histogram.
var durationBounds = [...]time.Duration{
	50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 25 * time.Second,
}

// histogram counts durations. The zero value is empty.
type histogram struct {
	buckets [len(durationBounds) + 1]atomic.Uint64 // the last one: above every bound
	total   atomic.Int64                           // nanoseconds
}

func (h *histogram) observe(d time.Duration) {
	i := 0
	for i < len(durationBounds) && d > durationBounds[i] {
		i++
	}
	h.buckets[i].Add(1)
	h.total.Add(int64(d))
}

// requestFigures are what the requests of clients came to. Each counter is moved by whoever brings
// the request, without the engine's mutex.
type requestFigures struct {
	ended    [countedEnd][outcomeEnd]atomic.Uint64
	duration [countedEnd]histogram // of what the machine was asked
}

// counted is as what an operation is counted.
func counted(op wire.Op) int {
	switch {
	case op.OnKey():
		return int(op)
	case op.Administers():
		return countedAdministration
	default:
		return countedOther
	}
}

// end counts a request that a machine was asked.
func (f *requestFigures) end(op wire.Op, c *call, took time.Duration) {
	result := outcome(c.response.Status)
	if result == 0 {
		result = outcomeGivenUp
		if c.accepted && (op.Writes() || op.Administers()) {
			result = outcomeUnknown
		}
	}
	as := counted(op)
	f.ended[as][result].Add(1)
	f.duration[as].observe(took)
}

// invalid counts a request that was refused without asking.
func (f *requestFigures) invalid(op wire.Op) { f.ended[counted(op)][outcomeInvalid].Add(1) }

// engineFigures are counted under the engine's mutex.
type engineFigures struct {
	probes    []probeCount // all that the machine knows, from the beginning
	forwarded uint64       // requests handed to an owner of their key, other tries included
	proxied   uint64       // reads that a sibling was asked to answer meanwhile
}

type probeCount struct {
	probe core.Probe
	count uint64
}

// newEngineFigures begins every probe at zero, or the first time of each would be invisible to rate().
func newEngineFigures() (f engineFigures) {
	for _, probe := range core.Probes() {
		f.probes = append(f.probes, probeCount{probe: probe})
	}
	return f
}

// observe counts what a step did. There are few probes and most steps have none.
func (f *engineFigures) observe(out *core.Output) {
	for _, probe := range out.Probes {
		f.count(probe)
	}
	for i := range out.Sends {
		if b, ok := out.Sends[i].Message.Body.(*wire.Forward); ok {
			if b.Final {
				f.proxied++
			} else {
				f.forwarded++
			}
		}
	}
}

func (f *engineFigures) count(probe core.Probe) {
	for i := range f.probes {
		if f.probes[i].probe == probe {
			f.probes[i].count++
			return
		}
	}
	f.probes = append(f.probes, probeCount{probe: probe, count: 1})
}

// of is how often a probe was seen.
func (f *engineFigures) of(probe core.Probe) uint64 {
	for i := range f.probes {
		if f.probes[i].probe == probe {
			return f.probes[i].count
		}
	}
	return 0
}
