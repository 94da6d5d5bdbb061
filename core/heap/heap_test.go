package heap_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core/heap"
)

type item struct{ rank, place int }

// A heap gives what a sorted list would, and every element knows its place in it.
func TestHeapIsASortedList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := heap.New(func(a, b *item) bool { return a.rank < b.rank }, func(i *item) *int { return &i.place })
		var model []*item
		// with acts on an element of the heap, if there is one.
		with := func(t *rapid.T, act func(i *item)) {
			if len(model) > 0 {
				act(rapid.SampledFrom(model).Draw(t, "item"))
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				for _, rank := range rapid.SliceOfN(rapid.IntRange(0, 99), 1, 9).Draw(t, "ranks") {
					i := &item{rank: rank, place: -1}
					h.Push(i)
					model = append(model, i)
				}
			},
			"remove": func(t *rapid.T) {
				with(t, func(i *item) {
					if got := h.Remove(i.place); got != i || i.place != -1 {
						t.Fatalf("removed %v instead of %v", got, i)
					}
					model = slices.DeleteFunc(model, func(other *item) bool { return other == i })
				})
			},
			"fix": func(t *rapid.T) {
				with(t, func(i *item) {
					i.rank = rapid.IntRange(0, 99).Draw(t, "rank")
					h.Fix(i.place)
				})
			},
			"": func(t *rapid.T) {
				if len(h.Items()) != len(model) {
					t.Fatalf("%d items instead of %d", len(h.Items()), len(model))
				}
				for _, i := range model {
					if parent := h.Items()[max(i.place-1, 0)/2]; parent.rank > i.rank {
						t.Fatalf("%d is above %d", parent.rank, i.rank)
					}
					if h.Items()[i.place] != i {
						t.Fatalf("%v is not at its place", i)
					}
					if h.Items()[0].rank > i.rank {
						t.Fatalf("%d is on top of %d", h.Items()[0].rank, i.rank)
					}
				}
			},
		})
		last := -1
		for len(h.Items()) > 0 {
			i := h.Remove(0)
			if i.rank < last {
				t.Fatalf("%d after %d", i.rank, last)
			}
			last = i.rank
		}
	})
}
