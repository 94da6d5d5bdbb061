package netsim

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Time is a moment or a length of virtual time in nanoseconds. As a moment it
// counts from the start of the world; the zero value is that start.
type Time int64

// Units of Time, to be multiplied: 250 * Millisecond.
const (
	Nanosecond  Time = 1
	Microsecond      = 1000 * Nanosecond
	Millisecond      = 1000 * Microsecond
	Second           = 1000 * Millisecond
)

// Duration converts t to the standard library's type of the same unit.
func (t Time) Duration() time.Duration { return time.Duration(t) }

// String is exact and short: "3.2s", "50ms", "12.5us", "7ns", "0s".
// ParseTime reads it back.
func (t Time) String() string {
	if t == 0 {
		return "0s"
	}
	sign, size := "", uint64(t)
	if t < 0 {
		sign, size = "-", -size
	}
	switch {
	case size >= uint64(Second):
		return sign + decimal(size, uint64(Second)) + "s"
	case size >= uint64(Millisecond):
		return sign + decimal(size, uint64(Millisecond)) + "ms"
	case size >= uint64(Microsecond):
		return sign + decimal(size, uint64(Microsecond)) + "us"
	}
	return sign + strconv.FormatUint(size, 10) + "ns"
}

// decimal writes size/unit exactly; unit is a power of ten.
func decimal(size, unit uint64) string {
	whole := strconv.FormatUint(size/unit, 10)
	if size%unit == 0 {
		return whole
	}
	fraction := strconv.FormatUint(unit+size%unit, 10)[1:]
	return whole + "." + strings.TrimRight(fraction, "0")
}

// ParseTime reads a decimal number with one of the units s, ms, us (or µs) and
// ns, with an optional sign. It never rounds: what is finer than a nanosecond
// or does not fit is an error.
func ParseTime(text string) (Time, error) {
	bad := func(why string) (Time, error) {
		return 0, fmt.Errorf("netsim: %q is not a time (%s); write it like 3.2s, 50ms or 10us", text, why)
	}
	rest, negative := strings.CutPrefix(text, "-")
	if !negative {
		rest = strings.TrimPrefix(rest, "+")
	}
	number, unit := splitUnit(rest)
	if unit == 0 {
		return bad("no unit")
	}
	whole, fraction, dotted := strings.Cut(number, ".")
	if whole == "" || dotted && fraction == "" {
		return bad("digits are missing")
	}
	if len(fraction) > 9 {
		return bad("finer than a nanosecond")
	}
	high, err := strconv.ParseUint(whole, 10, 63)
	if err != nil || high > math.MaxInt64/unit-1 {
		return bad("not a number that fits")
	}
	low, err := strconv.ParseUint("0"+fraction, 10, 63)
	if err != nil {
		return bad("not a number")
	}
	low *= unit
	for range fraction {
		if low%10 != 0 {
			return bad("finer than a nanosecond")
		}
		low /= 10
	}
	total := Time(high*unit + low)
	if negative {
		total = -total
	}
	return total, nil
}

// splitUnit returns the digits and the nanoseconds of the unit; zero
// nanoseconds when there is none.
func splitUnit(text string) (string, uint64) {
	// The longer suffixes first: every unit ends in s.
	if number, found := strings.CutSuffix(text, "ms"); found {
		return number, uint64(Millisecond)
	}
	if number, found := strings.CutSuffix(text, "us"); found {
		return number, uint64(Microsecond)
	}
	if number, found := strings.CutSuffix(text, "µs"); found {
		return number, uint64(Microsecond)
	}
	if number, found := strings.CutSuffix(text, "ns"); found {
		return number, uint64(Nanosecond)
	}
	if number, found := strings.CutSuffix(text, "s"); found {
		return number, uint64(Second)
	}
	return text, 0
}

// Clock is all that a node may know about time.
type Clock struct {
	// Mono counts nanoseconds since the start of the world. It never goes back,
	// no clock fault reaches it, and neither a pause nor a restart stops it.
	Mono Time
	// Wall is what the node's wall clock shows, in nanoseconds since the Unix
	// epoch: the world's time, falsified by the clock faults in effect.
	Wall int64
}

// Range is a closed interval of lengths; the zero value is exactly zero.
type Range struct{ Min, Max Time }

// pick maps a uniform draw into the range.
func (r Range) pick(draw uint64) Time {
	return r.Min + Time(below(draw, uint64(r.Max-r.Min)+1))
}

func (r Range) valid() bool { return r.Min >= 0 && r.Min <= r.Max }
