package core_test

import (
	"testing"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/hlc"
)

// A backup carries no proof of where it comes from: a time that would use up the clocks of a store is refused.
func TestSavedTimes(t *testing.T) {
	for time, good := range map[hlc.Time]bool{
		0: false, 1: true, hlc.At(1 << 40): true, 1<<63 - 1: true, 1 << 63: false, ^hlc.Time(0): false,
	} {
		saved := core.Saved{Key: "k", Value: []byte("1"), Time: time}
		r := codec.NewReader(core.AppendSaved(nil, &saved))
		core.ReadSaved(&r)
		if err := r.Close(); (err == nil) != good {
			t.Errorf("time %v: %v", uint64(time), err)
		}
	}
}
