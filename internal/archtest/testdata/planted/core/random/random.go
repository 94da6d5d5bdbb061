// Package random plants randomness that no seed controls.
package random

import (
	crand "crypto/rand" // want "^import: .*crypto/rand"
	"math/rand"         // want "^import: .*math/rand"
	seeded "math/rand/v2"
)

func draws(b []byte) {
	_, _ = crand.Read(b)
	_ = rand.New(rand.NewSource(1))
	_ = seeded.IntN(6)                   // want "^rand: math/rand/v2.IntN"
	seeded.Shuffle(2, func(int, int) {}) // want "^rand: math/rand/v2.Shuffle"
	_ = seeded.N[int]                    // want "^rand: math/rand/v2.N"
}
