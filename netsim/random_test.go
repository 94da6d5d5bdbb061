package netsim

import (
	"math/bits"
	"testing"
)

func TestDrawsAreKeyed(t *testing.T) {
	seed := Seed(7)
	if seed.Draw("latency", 1, 2) != seed.Key("latency").At(1, 2) {
		t.Error("Draw and Key differ")
	}
	seen := make(map[uint64]string)
	add := func(draw uint64, what string) {
		if other, twice := seen[draw]; twice {
			t.Errorf("%s and %s draw the same", what, other)
		}
		seen[draw] = what
	}
	add(seed.Draw("a"), "a")
	add(seed.Draw("b"), "b")
	add(seed.Draw("a", 0), "a 0")
	add(seed.Draw("a", 0, 0), "a 0 0")
	add(seed.Draw("a", 1, 2), "a 1 2")
	add(seed.Draw("a", 2, 1), "a 2 1")
	add(Seed(8).Draw("a"), "another seed")
	stream := seed.Stream("a", 3)
	add(stream.Uint64(), "stream")
	add(stream.Uint64(), "stream again")
}

// TestDrawsAreGolden pins the draws: a change would turn every known seed into
// another run.
func TestDrawsAreGolden(t *testing.T) {
	if got := Seed(1).Draw("golden", 2, 3); got != 0xa253f10239e7a4fd {
		t.Errorf("draw %#x", got)
	}
}

// TestDrawsAreUniform: each bit of an index moves about half of the bits.
func TestDrawsAreUniform(t *testing.T) {
	key := Seed(3).Key("uniform")
	for bit := range 64 {
		flipped := 0
		for i := range uint64(64) {
			flipped += bits.OnesCount64(key.At(i) ^ key.At(i^1<<bit))
		}
		if flipped < 64*28 || flipped > 64*36 {
			t.Errorf("bit %d of an index flips %d of 4096 bits", bit, flipped)
		}
	}
	stream := Seed(3).Stream("below")
	var count [10]int
	for range 10_000 {
		count[stream.Below(10)]++
	}
	for digit, n := range count {
		if n < 850 || n > 1150 {
			t.Errorf("%d was drawn %d times of 10,000", digit, n)
		}
	}
}

func TestRatio(t *testing.T) {
	hits := func(r Ratio) (count int) {
		stream := Seed(5).Stream("ratio")
		for range 10_000 {
			if stream.Chance(r) {
				count++
			}
		}
		return count
	}
	if hits(Ratio{}) != 0 || hits(Ratio{0, 5}) != 0 || hits(Ratio{5, 5}) != 10_000 {
		t.Error("never or always is neither")
	}
	if n := hits(Ratio{1, 5}); n < 1850 || n > 2150 {
		t.Errorf("1/5 hit %d times of 10,000", n)
	}
}

func TestRangePicksItsBounds(t *testing.T) {
	stream := Seed(6).Stream("range")
	seen := make(map[Time]int)
	for range 1000 {
		seen[stream.Between(-2, 2)]++
	}
	if len(seen) != 5 || seen[-2] == 0 || seen[2] == 0 {
		t.Errorf("drawn from [-2, 2]: %v", seen)
	}
	if (Range{7, 7}).pick(1<<64-1) != 7 {
		t.Error("a range of one value picks another")
	}
}
