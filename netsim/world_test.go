package netsim

import (
	"errors"
	"strings"
	"testing"
)

const storm = `at 100ms for 300ms partition n1 | n2,n3
at 150ms for 200ms loss 1/3 all
at 200ms for 500ms duplicate 1/3 n1
at 250ms for 300ms reorder 40ms all
at 300ms for 100ms pause n2
at 350ms for 100ms crash n3
at 400ms for 100ms skew +3s n1
at 450ms for 5s clog n1 -> n2
at 460ms for 5s crash n2
at 460ms for 5s freeze n3
at 470ms for 5s isolate n1
at 480ms for 5s slow-sync 9ms n1
at 490ms for 5s slow 9ms n3
at 3s for 1s crash n1
`

func stormRig(t *testing.T) *rig {
	r := newRig(t, 3, storm).logging()
	r.config.Network = Network{Latency: Range{at(1), at(5)}, Jitter: at(3), Loss: Ratio{1, 50}, Duplicate: Ratio{1, 50}}
	r.config.ChaosEnd = at(700)
	return r
}

func TestSameSeedSameDigest(t *testing.T) {
	first, second := stormRig(t).run(), stormRig(t).run()
	if first.world.Digest() != second.world.Digest() || first.world.Events() != second.world.Events() {
		t.Fatal("two runs of one seed differ")
	}
	traced := stormRig(t)
	traced.config.Trace = func(string) {}
	if traced.run().world.Digest() != first.world.Digest() {
		t.Error("tracing changes the run")
	}
	for seed := Seed(2); seed < 50; seed++ {
		other := stormRig(t)
		other.config.Seed = seed
		if other.run().world.Digest() == first.world.Digest() {
			t.Errorf("seed %d has the digest of seed 1", seed)
		}
	}
}

// TestDigestIsGolden pins the digest: it is the same on every platform, and
// whoever changes what a run does has to say so here.
func TestDigestIsGolden(t *testing.T) {
	const want uint64 = 0xbdf77f9e816eeae6
	if got := stormRig(t).run().world.Digest(); got != want {
		t.Errorf("digest %#x, want %#x", got, want)
	}
}

func TestDigestCoversContentsAndStates(t *testing.T) {
	plain := newRig(t, 2, "").run().world.Digest()
	encoded := newRig(t, 2, "")
	encoded.config.Encode = func(buf []byte, count uint64) []byte { return encodeCount(buf, count+count/90) }
	if encoded.run().world.Digest() == plain {
		t.Error("other contents, same digest")
	}
	stated := newRig(t, 2, "").run()
	stated.all[1][0].beats++
	if stated.world.Digest() == plain {
		t.Error("another final state, same digest")
	}
}

func TestHealReallyHeals(t *testing.T) {
	r := stormRig(t)
	healedAt := Time(-1)
	r.config.Invariant = func(w *World[uint64]) error {
		if w.Healed() && healedAt < 0 {
			healedAt = w.Now()
		}
		return nil
	}
	r.run()
	if healedAt != at(700) {
		t.Errorf("healed at %v, want 700 ms", healedAt)
	}
	for from := range NodeID(3) {
		if !r.world.Up(from) {
			t.Errorf("n%d is down at the end", from+1)
		}
		for to := range NodeID(3) {
			// Everybody beats again from 720 ms at the latest and is heard at once.
			if n := between(r.got(to, from), at(730), at(1010)); from != to && n < 27 {
				t.Errorf("n%d -> n%d: %d messages after the chaos", from+1, to+1, n)
			}
		}
	}
	for i, report := range r.world.Faults() {
		if i == 13 {
			if report.Touched != 0 || report.Began != 0 || report.Ended != 0 {
				t.Errorf("a fault after the chaos began: %+v", report)
			}
			continue
		}
		if report.Touched == 0 || report.Began != report.Fault.At || report.Ended > at(700) || report.Ended <= report.Began {
			t.Errorf("fault %d: %+v", i, report)
		}
	}
}

func TestInvariantEndsTheRun(t *testing.T) {
	broken := errors.New("too many beats")
	r := newRig(t, 2, "")
	r.config.Describe = func(count uint64) string { return "beat " + string(rune('0'+count)) }
	r.config.Invariant = func(w *World[uint64]) error {
		if len(w.Node(1).(*beat).got) == 3 {
			return broken
		}
		return nil
	}
	w, err := New(r.config)
	if err != nil {
		t.Fatal(err)
	}
	err = w.Run()
	var violation *Violation
	if !errors.As(err, &violation) || !errors.Is(err, broken) {
		t.Fatalf("the run ended with %v", err)
	}
	if violation.At != at(35) || violation.Node != 1 || violation.Event != "n1 -> n2 deliver beat 3" || violation.Panic {
		t.Errorf("violation %+v", violation)
	}
	if w.Step() || w.Now() != at(35) {
		t.Error("the world went on")
	}
}

// rash panics, or misuses its outbox, when it wakes.
type rash struct {
	beat
	act  func(out *Outbox[uint64])
	kept *Outbox[uint64]
}

func (r *rash) Wake(_ Clock, out *Outbox[uint64]) { r.act(out) }

func TestPanicsAreViolations(t *testing.T) {
	tests := []struct {
		name, want string
		act        func(out *Outbox[uint64])
	}{
		{"panic", "boom", func(*Outbox[uint64]) { panic("boom") }},
		{"runtime error", "nil pointer", func(*Outbox[uint64]) { var b *beat; b.beats++ }},
		{"unknown node", "Send to node 7", func(out *Outbox[uint64]) { out.Send(7, 1, 0) }},
		{"unknown position", "only 0 records", func(out *Outbox[uint64]) { out.Send(1, 1, 1) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, 2, "")
			plain := r.config.Boot
			r.config.Boot = func(boot Boot[uint64]) Node[uint64] {
				if boot.ID == 0 {
					return &rash{beat: beat{every: at(10)}, act: test.act}
				}
				return plain(boot)
			}
			w, err := New(r.config)
			if err != nil {
				t.Fatal(err)
			}
			var violation *Violation
			if err := w.Run(); !errors.As(err, &violation) {
				t.Fatalf("the run ended with %v", err)
			}
			if !violation.Panic || !strings.Contains(violation.Error(), test.want) || violation.Event != "n1 wake" ||
				!strings.Contains(string(violation.Stack), "rash") {
				t.Errorf("violation %v\n%s", violation, violation.Stack)
			}
		})
	}
}
