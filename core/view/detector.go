package view

import "time"

// Detector is a failure detector on heartbeats: a member is up while it was heard from within a
// time-out. It is told the time, in a monotonic reading of the owner. Make one with NewDetector.
type Detector struct {
	timeout time.Duration
	heard   []time.Duration // by member; zero: never
	up      []bool
}

// NewDetector watches members 0 to count-1. All are presumed up at first, as if just heard from.
func NewDetector(count int, timeout, now time.Duration) *Detector {
	d := &Detector{timeout: timeout, heard: make([]time.Duration, count), up: make([]bool, count)}
	for i := range d.up {
		d.heard[i], d.up[i] = now, true
	}
	return d
}

// Following takes over what old knows of the members of an earlier configuration: before[i] is what
// member i was there, negative if it is new. It returns d; old may be nil.
func (d *Detector) Following(old *Detector, before []int) *Detector {
	for i, was := range before {
		if old != nil && was >= 0 {
			d.heard[i], d.up[i] = old.heard[was], old.up[was]
		}
	}
	return d
}

// Heard notes a sign of life; it tells whether the member was down until now.
func (d *Detector) Heard(member int, now time.Duration) (returned bool) {
	d.heard[member] = now
	returned = !d.up[member]
	d.up[member] = true
	return returned
}

// Expire marks as down every member, self excepted, that was silent for longer than the time-out,
// and appends to buf those that were up until now.
func (d *Detector) Expire(self int, now time.Duration, buf []int) []int {
	for i := range d.up {
		if i != self && d.up[i] && now-d.heard[i] > d.timeout {
			d.up[i] = false
			buf = append(buf, i)
		}
	}
	return buf
}

// LastHeard is when a member was heard from last, in the monotonic reading of the owner.
func (d *Detector) LastHeard(member int) time.Duration { return d.heard[member] }

// Up tells whether a member is presumed up.
func (d *Detector) Up(member int) bool { return d.up[member] }

// Excuse forgets the silence so far of the members that are up: for an owner that did not listen.
func (d *Detector) Excuse(now time.Duration) {
	for i := range d.up {
		if d.up[i] {
			d.heard[i] = now
		}
	}
}
