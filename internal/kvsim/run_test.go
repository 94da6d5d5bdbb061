package kvsim

import "testing"

func TestStandardHolds(t *testing.T) {
	r := NewRunner(Standard())
	for seed := range seeds(100) {
		if result := r.Run(seed); result.Verdict != Holds {
			t.Errorf("seed %d: %s\n%s", seed, result.Failure.Headline(), result.Failure.Explanation)
		}
	}
}
