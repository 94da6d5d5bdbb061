package kvsim

import "testing"

func TestStandardHolds(t *testing.T) {
	r := NewRunner(Standard())
	for seed := range uint64(100) {
		if result := r.Run(seed); result.Verdict != Holds {
			t.Errorf("seed %d: %s\n%s", seed, result.Failure.Headline(), result.Failure.Explanation)
		}
	}
}

func TestSameSeedSameRun(t *testing.T) {
	one, other := NewRunner(Standard()), NewRunner(Standard())
	for seed := range uint64(40) {
		first := one.Run(seed)
		one.Run(seed + 1000) // what a runner did before leaves no trace in what it does next
		again, elsewhere := one.Run(seed), other.Run(seed)
		if first.Digest != again.Digest || first.Digest != elsewhere.Digest || first.Events != again.Events {
			t.Errorf("seed %d: digests %016x, %016x and %016x", seed, first.Digest, again.Digest, elsewhere.Digest)
		}
	}
}
