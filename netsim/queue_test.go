package netsim

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestQueueAgainstSorting: the queue gives back what a sorted list would, ties in
// the order of pushing.
func TestQueueAgainstSorting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var model []entry
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				at := Time(rapid.IntRange(0, 20).Draw(t, "at"))
				slot := int32(len(model))
				q.push(at, slot)
				model = append(model, entry{at, usual | q.sequence, slot})
				slices.SortStableFunc(model, func(a, b entry) int { return int(a.at - b.at) })
			},
			"push urgent": func(t *rapid.T) {
				added := entry{at: Time(rapid.IntRange(0, 20).Draw(t, "at")), slot: int32(len(model))}
				q.pushUrgent(added.at, added.slot)
				added.sequence = q.sequence
				place := 0 // behind what is urgent already at that time
				for place < len(model) && (model[place].at < added.at || model[place].at == added.at && model[place].sequence < usual) {
					place++
				}
				model = slices.Insert(model, place, added)
			},
			"pop": func(t *rapid.T) {
				got, ok := q.next()
				if ok != (len(model) > 0) {
					t.Fatalf("next is %v with %d entries", ok, len(model))
				}
				if !ok {
					return
				}
				if got != model[0] {
					t.Fatalf("next is %v, want %v", got, model[0])
				}
				q.pop()
				model = model[1:]
			},
			"remove": func(t *rapid.T) {
				if len(q.entries) == 0 {
					return
				}
				place := rapid.IntRange(0, len(q.entries)-1).Draw(t, "place")
				removed := q.entries[place]
				q.remove(place)
				model = slices.DeleteFunc(model, func(e entry) bool { return e == removed })
			},
		})
	})
}
