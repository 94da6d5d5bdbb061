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
	const want uint64 = 0xcb8b5085eb06d16d
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
	act func(out *Outbox[uint64])
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

func TestNewRefuses(t *testing.T) {
	for name, change := range map[string]func(c *Config[uint64]){
		"no names":       func(c *Config[uint64]) { c.Names = nil },
		"a bad name":     func(c *Config[uint64]) { c.Names[1] = "all" },
		"no boot":        func(c *Config[uint64]) { c.Boot = nil },
		"boot of nil":    func(c *Config[uint64]) { c.Boot = func(Boot[uint64]) Node[uint64] { return nil } },
		"boot panics":    func(c *Config[uint64]) { c.Boot = func(Boot[uint64]) Node[uint64] { panic("boom") } },
		"no end":         func(c *Config[uint64]) { c.End = 0 },
		"an absurd end":  func(c *Config[uint64]) { c.End = 1 << 61 },
		"chaos too long": func(c *Config[uint64]) { c.ChaosEnd = c.End + 1 },
		"chaos negative": func(c *Config[uint64]) { c.ChaosEnd = -1 },
		"start negative": func(c *Config[uint64]) { c.StartWithin = -1 },
		"latency":        func(c *Config[uint64]) { c.Network.Latency = Range{2, 1} },
		"jitter":         func(c *Config[uint64]) { c.Network.Jitter = -1 },
		"loss":           func(c *Config[uint64]) { c.Network.Loss = Ratio{2, 1} },
		"duplicate":      func(c *Config[uint64]) { c.Network.Duplicate = Ratio{1, 0} },
		"sync":           func(c *Config[uint64]) { c.Disk.Sync = Range{-1, 1} },
		"fault":          func(c *Config[uint64]) { c.Schedule = Schedule{{Kind: Pause}} },
	} {
		r := newRig(t, 2, "")
		change(&r.config)
		if _, err := New(r.config); err == nil || !strings.HasPrefix(err.Error(), "netsim: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestStartsAreSpread(t *testing.T) {
	r := newRig(t, 6, "")
	r.config.StartWithin = at(100)
	r.run()
	seen := make(map[Time]bool)
	for id := range r.all {
		first := r.all[id][0].wakes[0].Mono - at(10)
		if first < 0 || first > at(100) || seen[first] {
			t.Errorf("n%d starts at %v", id+1, first)
		}
		seen[first] = true
	}
}

func TestStop(t *testing.T) {
	r := newRig(t, 2, "")
	r.config.Invariant = func(w *World[uint64]) error {
		if w.Now() >= at(50) {
			w.Stop()
		}
		return nil
	}
	r.run()
	if r.world.Now() != at(50) || r.world.Step() {
		t.Errorf("stopped at %v", r.world.Now())
	}
}

func TestRunEndsAtEnd(t *testing.T) {
	r := newRig(t, 2, "").run()
	if r.world.Now() != 2*Second || !r.world.Healed() || r.world.Len() != 2 || r.world.Name(1) != "n2" {
		t.Errorf("ended at %v", r.world.Now())
	}
	// Two starts, two times 100 beats and 100 messages, one heal.
	if r.world.Events() != 403 {
		t.Errorf("%d events, want 403", r.world.Events())
	}
}

// TestStepsDoNotAllocate: once the tables have grown, the world itself allocates
// nothing per event.
func TestStepsDoNotAllocate(t *testing.T) {
	pong := func(now Clock, out *Outbox[uint64]) {
		out.Send(1, 1, 0)
		out.Probe("pong")
		out.WakeAt(now.Mono + at(1))
	}
	c := newRig(t, 2, "at 0s for 2s loss 1/5 all\nat 0s for 2s duplicate 1/5 all\nat 0s for 2s slow 1ms n2").config
	c.Boot = func(Boot[uint64]) Node[uint64] { return &pinger{pong} }
	c.End = 1000 * Second
	w, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	for range 10_000 {
		w.Step()
	}
	if n := testing.AllocsPerRun(10_000, func() { w.Step() }); n != 0 {
		t.Errorf("%v allocations per event", n)
	}
}

type pinger struct {
	do func(now Clock, out *Outbox[uint64])
}

func (p *pinger) Start(now Clock, out *Outbox[uint64])           { p.do(now, out) }
func (p *pinger) Wake(now Clock, out *Outbox[uint64])            { p.do(now, out) }
func (p *pinger) Receive(Clock, NodeID, uint64, *Outbox[uint64]) {}

func BenchmarkNew(b *testing.B) {
	r := newRig(&testing.T{}, 12, storm)
	b.ReportAllocs()
	for b.Loop() {
		clear(r.all)
		if _, err := New(r.config); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStep measures the world alone: twelve nodes that send one message per
// wake-up and ignore what they get.
func BenchmarkStep(b *testing.B) {
	for _, faults := range []string{"", "at 0s for 9000000s loss 1/50 all\nat 0s for 9000000s partition n1,n2 | n3..n6\nat 0s for 9000000s skew 5s n3"} {
		name := "calm"
		if faults != "" {
			name = "faults"
		}
		b.Run(name, func(b *testing.B) {
			c := newRig(&testing.T{}, 12, faults).config
			c.Network.Jitter = at(3)
			c.Boot = func(boot Boot[uint64]) Node[uint64] {
				stream := Seed(boot.Random).Stream("peer")
				return &pinger{func(now Clock, out *Outbox[uint64]) {
					out.Send(NodeID(stream.Below(12)), uint64(now.Mono), 0)
					out.WakeAt(now.Mono + at(1))
				}}
			}
			c.End = 1 << 59
			w, err := New(c)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				w.Step()
			}
			b.ReportMetric(float64(w.Events())/b.Elapsed().Seconds()/1e6, "M_events/s")
		})
	}
}
