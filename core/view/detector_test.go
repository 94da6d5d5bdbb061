package view_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core/view"
)

// A member is down exactly when it was silent for longer than the time-out, itself excepted; an
// excuse forgets the silence of those that are up, and wakes nobody.
func TestDetector(t *testing.T) {
	const members, self, timeout = 4, 1, 20
	rapid.Check(t, func(t *rapid.T) {
		now := time.Duration(rapid.IntRange(0, 100).Draw(t, "start"))
		d := view.NewDetector(members, timeout, now)
		heard := slices.Repeat([]time.Duration{now}, members)
		up := slices.Repeat([]bool{true}, members)
		t.Repeat(map[string]func(*rapid.T){
			"pass": func(t *rapid.T) { now += time.Duration(rapid.IntRange(1, 15).Draw(t, "time")) },
			"hear": func(t *rapid.T) {
				m := rapid.IntRange(0, members-1).Draw(t, "member")
				if returned := d.Heard(m, now); returned == up[m] {
					t.Fatalf("member %d, up %t, returned %t", m, up[m], returned)
				}
				heard[m], up[m] = now, true
			},
			"expire": func(t *rapid.T) {
				var want []int
				for m := range members {
					if m != self && up[m] && now-heard[m] > timeout {
						want = append(want, m)
						up[m] = false
					}
				}
				if got := d.Expire(self, now, nil); !slices.Equal(got, want) {
					t.Fatalf("%v are down, want %v", got, want)
				}
			},
			"excuse": func(t *rapid.T) {
				d.Excuse(now)
				for m := range members {
					if up[m] {
						heard[m] = now
					}
				}
			},
			"": func(t *rapid.T) {
				for m := range members {
					if d.Up(m) != up[m] {
						t.Fatalf("member %d up: %t", m, d.Up(m))
					}
				}
			},
		})
	})
}
