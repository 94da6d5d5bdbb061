// Package hlc is a hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014): a
// timestamp close to the wall clock that always grows along causality, whatever the wall clocks do.
package hlc

import "strconv"

const counterBits = 16

// Time is a hybrid timestamp: milliseconds since the Unix epoch in the high 48 bits, a counter in
// the low 16. Times compare as integers. The zero value is before every time that a clock gives.
type Time uint64

// At is the first time of a wall-clock millisecond; a negative reading counts as zero and one beyond
// 48 bits (the year 10889) as the last.
func At(millis int64) Time {
	return Time(min(uint64(max(millis, 0)), 1<<(64-counterBits)-1) << counterBits)
}

// Millis is the wall-clock part, in milliseconds since the Unix epoch.
func (t Time) Millis() int64 { return int64(t >> counterBits) }

// String prints the wall-clock part and the counter: 1234567.3.
func (t Time) String() string {
	return strconv.FormatInt(t.Millis(), 10) + "." + strconv.FormatUint(uint64(t)&(1<<counterBits-1), 10)
}

// Clock remembers the highest time it ever gave or saw. The zero value is ready to use.
type Clock struct{ highest Time }

// Next returns a time above everything this clock gave or saw before, above after, and not below
// the wall clock (milliseconds since the Unix epoch).
func (c *Clock) Next(wallMillis int64, after Time) Time {
	c.highest = max(At(wallMillis), after+1, c.highest+1)
	return c.highest
}

// Observe makes every later Next exceed t.
func (c *Clock) Observe(t Time) { c.highest = max(c.highest, t) }

// Highest is the greatest time given or observed; zero for a fresh clock.
func (c *Clock) Highest() Time { return c.highest }
