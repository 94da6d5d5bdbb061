package httpnode

import (
	"math"
	"time"

	"github.com/sequitur-kv/sequitur/core"
)

// Bounded is a Log that has room for only so much. The node goes on with reading alone while there is less than
// the log wants to be left: what was begun has to find room still.
type Bounded interface {
	Log
	// Space tells how many bytes are free, and how many are to be left. It is called several times a second, from
	// one goroutine at a time, after Restore; it may block.
	Space() (free, least uint64, err error)
}

// lookInterval is how often a node looks at the free space. What it appends meanwhile is counted.
const lookInterval = 250 * time.Millisecond

// recordOverhead is about what a record takes beside its key and value, in bytes.
const recordOverhead = 32

// room is what the engine knows of the free space.
type room struct {
	log         Bounded // nil: there is no bound
	free, least uint64
	left        int64 // what may be appended before the next look
	full        bool
	blind       bool // the last look failed
}

// look asks for the free space before the machine boots, and from time to time until the engine is closed.
func (e *engine) look() {
	free, least, err := e.room.log.Space()
	e.mu.Lock()
	defer e.mu.Unlock()
	r := &e.room
	if err != nil {
		if !r.blind {
			e.logger.Warn("the free space of the data directory is unknown", "error", err)
		}
		r.blind, r.left = true, math.MaxInt64
		return
	}
	r.blind, r.free, r.least, r.left = false, free, least, int64(min(free, 1<<62))-int64(min(least, 1<<62))
	switch {
	case r.left < 0:
		e.setFull(true)
	case r.left >= int64(least/4): // well above, or it would come and go
		e.setFull(false)
	}
}

// setFull begins or ends the time in which the node writes nothing. The caller holds the mutex.
func (e *engine) setFull(full bool) {
	r := &e.room
	if r.full == full {
		return
	}
	r.full = full
	if full {
		e.logger.Warn("the disk is full: the node goes on with reading alone until there is room", "free", r.free, "least", r.least)
	} else {
		e.logger.Info("there is room on the disk again: the node writes again", "free", r.free, "least", r.least)
	}
	e.step(core.Input{Kind: core.InputWake})
}

// spend counts what was appended since the last look.
func (r *room) spend(records []core.Record) {
	if r.log == nil {
		return
	}
	for i := range records {
		r.left -= int64(len(records[i].Key)+len(records[i].Value)) + recordOverhead
	}
}

// watchRoom looks at the free space until the engine ends.
func (e *engine) watchRoom() {
	defer close(e.watched)
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			e.look()
		case <-e.ended:
			return
		case <-e.halted:
			return
		}
	}
}
