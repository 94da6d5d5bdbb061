package core

import (
	"testing"

	"pgregory.net/rapid"
)

// The window remembers exactly the counters that were taken and are not too old, in whatever order
// they come.
func TestExecutedIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := new(executed)
		taken := map[uint64]bool{}
		highest := uint64(0)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			counter := rapid.OneOf(
				rapid.Uint64Range(1, 200),
				rapid.Uint64Range(executedWindow-3, executedWindow+200),
				rapid.Uint64Range(1, 5*executedWindow),
			).Draw(t, "counter")
			tooOld := highest >= executedWindow && counter <= highest-executedWindow
			if e.tooOld(counter) != tooOld {
				t.Fatalf("%d is too old below %d: %t", counter, highest, !tooOld)
			}
			if !tooOld && e.has(counter) != taken[counter] {
				t.Fatalf("%d was taken: %t", counter, !taken[counter])
			}
			e.take(counter)
			if !tooOld {
				taken[counter] = true
				highest = max(highest, counter)
			}
		}
		for counter := range taken {
			if !e.tooOld(counter) && !e.has(counter) {
				t.Fatalf("%d is forgotten", counter)
			}
		}
	})
}
