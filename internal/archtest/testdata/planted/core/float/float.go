// Package float plants floating point in all its disguises.
package float

import (
	"iter"
	"math"
	"strconv"
	"time"
)

const half = 0.5 // want "^float: "

type ratio float64 // want "^float: "

type sample struct {
	weight ratio      // want "^float: "
	plane  complex128 // want "^float: complex128"
}

func parameter(x float32) {} // want "^float: float32"

func result() (_ float64) { return } // want "^float: float64"

func literal() int64 {
	return 1e9 // want "^float: literal 1e9"
}

func conversion(n int) int {
	return int(math.Sqrt(float64(n))) // want "^float: "
}

func inferred(d time.Duration) bool {
	s := d.Seconds() // want "^float: float64"
	return s > 0     // want "^float: "
}

func tuple(text string) error {
	_, err := strconv.ParseFloat(text, 64) // want "^float: float64"
	return err
}

func discarded(text string) {
	strconv.ParseFloat(text, 64) // want "^float: float64"
}

func streamed(
	seq iter.Seq[float64], // want "^float: float64"
) {
	for x := range seq { // want "^float: float64"
		_ = &x // want "^float: float64"
	}
}

func imaginary() {
	_ = 2i // want "^float: "
}

func boxed(v any) bool {
	switch v.(type) {
	case float64: // want "^float: float64"
		return true
	}
	return false
}

func element(list []sample) {
	for _, s := range list {
		w := s.weight // want "^float: "
		_ = w         // want "^float: "
	}
}

func constrained[N ~int | ~float64](n N) N { // want "^float: float64"
	return n
}
