// Package clock plants readings of the clock and timers.
package clock

import (
	"time"
	later "time"
)

func readings(d time.Duration) {
	_ = time.Now()  // want "^clock: time.Now"
	_ = later.Since // want "^clock: time.Since"
	_ = time.Until  // want "^clock: time.Until"
	time.Sleep(d)   // want "^clock: time.Sleep"
	_ = time.Time{} // want "^clock: time.Time"
	_ = time.Unix   // want "^clock: time.Unix"
}

func timers(d time.Duration, f func()) {
	_ = time.After       // want "^clock: time.After"
	_ = time.Tick        // want "^clock: time.Tick"
	_ = time.NewTimer    // want "^clock: time.NewTimer"
	_ = time.NewTicker   // want "^clock: time.NewTicker"
	time.AfterFunc(d, f) // want "^clock: time.AfterFunc"
}
