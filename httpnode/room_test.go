package httpnode

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// boundedLog has as much room as a test says.
type boundedLog struct {
	memoryLog
	free atomic.Uint64
}

func (l *boundedLog) Space() (free, least uint64, err error) { return l.free.Load(), 4000, nil }

// TestRoom lets the space of a log run out and come back: the machine is told when it boots, by the next look, and at
// once when what is appended between two looks takes all of it; and not to and fro.
func TestRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var full bool
		m := &fakeMachine{}
		m.onStep = func(input core.Input, out *core.Output) {
			full = input.Full
			if input.Kind == core.InputRequest {
				out.Position++
				out.Records = append(out.Records, core.Record{Key: []byte("k"), Value: make([]byte, 1000)})
				out.Replies = append(out.Replies, core.Response{ID: input.Request.ID, Status: wire.StatusCreated})
			}
		}
		log, config := new(boundedLog), Config{}
		config.setDefaults()
		e := newEngine(log, config.Logger, new(sent).send)
		e.start(m, 0)
		defer e.close()
		expect := func(when string, want bool) {
			t.Helper()
			synctest.Wait()
			e.mu.Lock()
			defer e.mu.Unlock()
			if full != want {
				t.Errorf("%s: full is %t", when, full)
			}
		}
		expect("at the start", true)
		for _, step := range []struct {
			free uint64
			full bool
		}{{4500, true}, {5000, false}, {4500, false}, {4000, false}, {3999, true}, {6000, false}} {
			log.free.Store(step.free)
			time.Sleep(lookInterval)
			expect("after a look", step.full)
		}
		for range 3 {
			e.ask(t.Context(), core.Request{Op: wire.OpPut}).release()
		}
		expect("when 2,000 bytes were left and 3,000 are appended", true)
		time.Sleep(lookInterval)
		expect("when they turn out to take less", false)
	})
}
