package netsim

import (
	"math/bits"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Seed is the root of all randomness. Draws are keyed, not drawn in sequence:
// each is a pure function of the seed, a domain and some indices, such as
// (seed, "latency", link, number on that link). What one part of a run draws
// therefore never shifts what another part gets, which is what lets a fault be
// removed from a failing run without changing everything else.
type Seed uint64

// Draw returns 64 uniform bits for the domain and the indices.
func (s Seed) Draw(domain string, indices ...uint64) uint64 {
	return s.Key(domain).At(indices...)
}

// Key derives the seed of a domain. Keep the result where draws are frequent:
// s.Key(d).At(i) equals s.Draw(d, i).
func (s Seed) Key(domain string) Seed {
	return Seed(mix(mix(uint64(s)+golden) ^ xxhash.Sum64String(domain)))
}

// At returns 64 uniform bits for the indices; their number counts as well.
func (s Seed) At(indices ...uint64) uint64 {
	state := uint64(s) + uint64(len(indices))*golden
	for _, index := range indices {
		state = mix(state ^ mix(index+golden))
	}
	return mix(state)
}

// Stream starts a sequence of draws under one key, for decisions that belong
// together, such as all parameters of one fault.
func (s Seed) Stream(domain string, indices ...uint64) Stream {
	return Stream{key: Seed(s.Draw(domain, indices...))}
}

// Stream is a sequence of draws under one key. The zero value is a valid, fixed
// sequence; a copy continues from the same place.
type Stream struct {
	key   Seed
	count uint64
}

// Uint64 returns the next 64 uniform bits.
func (s *Stream) Uint64() uint64 {
	s.count++
	return mix(uint64(s.key) + s.count*golden)
}

// Below returns a uniform number in [0, n); zero when n is zero.
func (s *Stream) Below(n uint64) uint64 { return below(s.Uint64(), n) }

// Chance is true with probability r.
func (s *Stream) Chance(r Ratio) bool { return r.Hits(s.Uint64()) }

// Between returns a uniform time in [low, high], which must not be reversed.
func (s *Stream) Between(low, high Time) Time { return Range{low, high}.pick(s.Uint64()) }

// golden is 2^64 divided by the golden ratio, the usual odd increment of a
// Weyl sequence (Steele, Lea, Flood: Fast splittable pseudorandom number
// generators, 2014).
const golden = 0x9e3779b97f4a7c15

// mix is a bijection of 64 bits in which every input bit reaches every output
// bit (Stafford's variant 13 of the MurmurHash3 finalizer).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// below maps a uniform draw to [0, n) without a division.
func below(draw, n uint64) uint64 {
	high, _ := bits.Mul64(draw, n)
	return high
}

// Ratio is a probability as a fraction, so that no float decides anything. The
// zero value is never; Num >= Den > 0 is always.
type Ratio struct{ Num, Den uint32 }

// Hits maps a uniform draw to yes with the probability r.
func (r Ratio) Hits(draw uint64) bool { return below(draw, uint64(r.Den)) < uint64(r.Num) }

// String is "1/5".
func (r Ratio) String() string {
	return strconv.FormatUint(uint64(r.Num), 10) + "/" + strconv.FormatUint(uint64(r.Den), 10)
}

func (r Ratio) valid() bool { return r.Num <= r.Den }

func parseRatio(text string) (Ratio, bool) {
	upper, lower, found := strings.Cut(text, "/")
	num, err := strconv.ParseUint(upper, 10, 32)
	if !found || err != nil {
		return Ratio{}, false
	}
	den, err := strconv.ParseUint(lower, 10, 32)
	if err != nil || num > den || den == 0 {
		return Ratio{}, false
	}
	return Ratio{uint32(num), uint32(den)}, true
}
