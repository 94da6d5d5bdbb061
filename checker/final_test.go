package checker

import (
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
)

// established reports whether a write happened for certain.
func (c *closure) established(w int) bool {
	if !c.takesPart[w] || c.operations[w].Kind == Read {
		return false
	}
	if c.operations[w].Outcome == Acknowledged {
		return true
	}
	for r := range c.operations {
		if c.readsFrom[w][r] {
			return true
		}
	}
	return false
}

// stamp is what the write or a read of it told.
func (c *closure) stamp(w int) Stamp {
	stamp := c.operations[w].Stamp
	for r, op := range c.operations {
		if c.readsFrom[w][r] && stamp.IsZero() {
			stamp = op.Stamp
		}
	}
	return stamp
}

// beaten reports whether a write that happened prevails over w (None: only its stamp is known).
func (c *closure) beaten(key string, w int, stamp Stamp) bool {
	for a := range c.operations {
		if a == w || c.operations[a].Key != key || !c.established(a) {
			continue
		}
		if w != None && c.causal[w][a] || !stamp.IsZero() && c.stamp(a).Compare(stamp) > 0 {
			return true
		}
	}
	return false
}

// allowed reports whether a key may end with a version, or with nothing when it is empty.
func (c *closure) allowed(final Final) bool {
	happened, unversioned, found := false, false, None
	for w, op := range c.operations {
		if op.Key != final.Key || op.Kind == Read || op.Outcome == Failed {
			continue
		}
		happened = happened || c.established(w)
		if op.Version == "" {
			if final.Version == "" && op.Kind == Delete {
				return true
			}
			unversioned = true
		} else if op.Version == final.Version {
			found = w
		} else if final.Version == "" && op.Kind == Delete && !c.beaten(final.Key, w, c.stamp(w)) {
			return true
		}
	}
	switch {
	case final.Version == "":
		return !happened
	case found == None:
		return unversioned && !c.beaten(final.Key, None, final.Stamp)
	case final.Stamp.IsZero():
		return !c.beaten(final.Key, found, c.stamp(found))
	}
	return !c.beaten(final.Key, found, final.Stamp)
}

// randomFinal gives some operations of a random history a stamp, one per version, and returns a final state
// that is often wrong.
func randomFinal(rng *rand.Rand, h History) []Final {
	stamps := make([]Stamp, len(h.Operations)+1)
	for w := range stamps {
		stamps[w] = Stamp{Clock: 1 + uint64(rng.IntN(12)), Tie: uint64(w)}
	}
	for i := range h.Operations { // versions are named v and the index of the write
		var w int
		if n, _ := fmt.Sscanf(h.Operations[i].Version, "v%d", &w); n == 1 && rng.IntN(3) == 0 {
			h.Operations[i].Stamp = stamps[w]
		}
	}
	var final []Final
	for key := range 4 {
		f := Final{Key: fmt.Sprint("k", key)}
		if w := rng.IntN(len(stamps)); rng.IntN(6) > 0 {
			for n := 0; n < 12 && (w == len(h.Operations) || h.Operations[w].Key != f.Key); n++ {
				w = rng.IntN(len(stamps))
			}
			f.Version = fmt.Sprint("v", w)
			if rng.IntN(2) == 0 {
				f.Stamp = stamps[w]
			}
		}
		if f.Version != "" || rng.IntN(2) == 0 {
			final = append(final, f)
		}
	}
	return final
}

// compare looks for a key on which the answer and the definition differ.
func (c *closure) compare(l Losses, final []Final) error {
	causes, left := make(map[string]Cause), make(map[string]Final)
	for _, loss := range l.Losses {
		causes[loss.Key] = loss.Cause
	}
	for _, f := range final {
		left[f.Key] = f
	}
	if l.OK() != (len(causes) == 0) {
		return fmt.Errorf("%v with %d losses", l.Status, len(causes))
	}
	for key := range 4 {
		name := fmt.Sprint("k", key)
		f := left[name]
		f.Key = name
		if cause := causes[name]; (cause == 0) != c.allowed(f) {
			return fmt.Errorf("key %s ends with %q %v: %v, but the closure allows it: %v", name, f.Version, f.Stamp, cause, c.allowed(f))
		}
	}
	return nil
}

// TestFinalStatesAgainstClosure compares CheckNothingLost with its definition, key by key.
func TestFinalStatesAgainstClosure(t *testing.T) {
	count := histories(t, 40_000)
	rng := rand.New(rand.NewPCG(17, 4))
	found := make([]int, LowerStamp+1)
	for i := range count {
		h := randomHistory(rng)
		final := randomFinal(rng, h)
		c := newClosure(h)
		l, err := CheckNothingLost(h, final)
		if err != nil {
			t.Fatal(err)
		}
		if rule := c.rule(); rule == ThinAirRead || rule == CyclicCO {
			if l.Status != Undecided || l.Reason == "" {
				t.Fatalf("history %d has %v: got %v", i, rule, l.Status)
			}
			found[0]++
			continue
		}
		for _, loss := range l.Losses {
			found[loss.Cause]++
		}
		if err := c.compare(l, final); err != nil {
			t.Fatalf("history %d: %v\n%s", i, err, notation(h))
		}
		if err := l.Explain(io.Discard, h); err != nil {
			t.Fatal(err)
		}
	}
	for cause, n := range found {
		t.Logf("%-36v %6d of %d", Cause(cause), n, count)
		if n < count/100 {
			t.Errorf("%v: only %d of %d", Cause(cause), n, count)
		}
	}
}
