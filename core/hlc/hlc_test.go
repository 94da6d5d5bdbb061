package hlc_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core/hlc"
)

// Whatever the wall clock does, every time is above all that the clock gave or saw before, above
// what it must follow, and not below the wall clock.
func TestClock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var clock hlc.Clock
		var highest hlc.Time
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "observe") {
				seen := hlc.Time(rapid.Uint64Range(0, 1<<62).Draw(t, "seen"))
				clock.Observe(seen)
				highest = max(highest, seen)
			} else {
				wall := rapid.Int64Range(-1000, 1<<45).Draw(t, "wall")
				after := hlc.Time(rapid.Uint64Range(0, 1<<62).Draw(t, "after"))
				got := clock.Next(wall, after)
				if got <= highest || got <= after || got < hlc.At(wall) {
					t.Fatalf("Next(%d, %v) = %v after %v", wall, after, got, highest)
				}
				if got > max(highest+1, after+1, hlc.At(wall)) {
					t.Fatalf("Next(%d, %v) = %v runs away from %v", wall, after, got, highest)
				}
				highest = got
			}
			if clock.Highest() != highest {
				t.Fatalf("highest is %v, want %v", clock.Highest(), highest)
			}
		}
	})
}

func TestAt(t *testing.T) {
	for _, test := range []struct {
		millis, want int64
		text         string
	}{
		{0, 0, "0.0"},
		{-5, 0, "0.0"},
		{1_700_000_000_123, 1_700_000_000_123, "1700000000123.0"},
		{1<<48 - 1, 1<<48 - 1, "281474976710655.0"},
		{1 << 48, 1<<48 - 1, "281474976710655.0"},
		{math.MaxInt64, 1<<48 - 1, "281474976710655.0"},
	} {
		if got := hlc.At(test.millis); got.Millis() != test.want || got.String() != test.text {
			t.Errorf("At(%d) = %v, %d ms", test.millis, got, got.Millis())
		}
	}
}

func TestTicksWithinAMillisecond(t *testing.T) {
	var clock hlc.Clock
	for i, want := range []string{"7.0", "7.1", "7.2"} {
		if got := clock.Next(7, 0).String(); got != want {
			t.Errorf("time %d is %s, want %s", i, got, want)
		}
	}
	if got := clock.Next(8, 0).String(); got != "8.0" {
		t.Errorf("the next millisecond begins with %s", got)
	}
}
