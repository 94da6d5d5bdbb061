package netsim

import "math/bits"

// clock is what a node reads now. A reading that a fault falsifies counts as
// touched by it.
func (w *World[M]) clock(p *process[M]) Clock {
	now := Clock{Mono: w.now, Wall: w.epoch + int64(w.now)}
	if len(w.clockFaults) == 0 {
		return now
	}
	for _, index := range w.clockFaults {
		fault := &w.faults[index]
		if !fault.Nodes.Has(p.id) {
			continue
		}
		offset := fault.offset(w.now)
		now.Wall += int64(offset)
		if offset != 0 || fault.Kind == Freeze && p.frozenWall != w.epoch+int64(w.now) {
			fault.touched++
		}
	}
	if p.frozen > 0 {
		now.Wall = p.frozenWall
	}
	return now
}

// offset is what a skew or a jump adds to a wall clock.
func (f *runningFault) offset(now Time) Time {
	switch f.Kind {
	case Skew:
		return f.Amount
	case Jump:
		return scale(f.Amount, f.until-now, f.until-f.began)
	default:
		return 0
	}
}

// scale is amount * part / whole in 128 bits, for 0 <= part <= whole, whole > 0.
func scale(amount, part, whole Time) Time {
	size := uint64(amount)
	if amount < 0 {
		size = -size
	}
	high, low := bits.Mul64(size, uint64(part))
	quotient, _ := bits.Div64(high, low, uint64(whole))
	if amount < 0 {
		return -Time(quotient)
	}
	return Time(quotient)
}
