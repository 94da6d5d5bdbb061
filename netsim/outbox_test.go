package netsim

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// script is a node made of functions; nil ones do nothing.
type script struct {
	start, wake func(now Clock, out *Outbox[[]byte])
	receive     func(now Clock, from NodeID, message []byte, out *Outbox[[]byte])
}

func (s *script) Start(now Clock, out *Outbox[[]byte]) {
	if s.start != nil {
		s.start(now, out)
	}
}

func (s *script) Wake(now Clock, out *Outbox[[]byte]) {
	if s.wake != nil {
		s.wake(now, out)
	}
}

func (s *script) Receive(now Clock, from NodeID, message []byte, out *Outbox[[]byte]) {
	if s.receive != nil {
		s.receive(now, from, message, out)
	}
}

// scripted is the configuration of a world of scripts.
func scripted(nodes ...*script) Config[[]byte] {
	return Config[[]byte]{
		Names:  names(len(nodes)),
		Boot:   func(boot Boot[[]byte]) Node[[]byte] { return nodes[boot.ID] },
		End:    Second,
		Encode: func(buf []byte, m []byte) []byte { return append(buf, m...) },
	}
}

func mustRun(t *testing.T, c Config[[]byte]) *World[[]byte] {
	t.Helper()
	w, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Run(); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestWakeAt: the last call counts, in either direction; zero cancels; the past
// is now; the timer is spent by Wake.
func TestWakeAt(t *testing.T) {
	for _, test := range []struct {
		name string
		set  []Time // in the start, at zero
		want []Time
	}{
		{"once", []Time{at(5)}, []Time{at(5)}},
		{"later", []Time{at(5), at(9)}, []Time{at(9)}},
		{"earlier", []Time{at(9), at(5)}, []Time{at(5)}},
		{"to and fro", []Time{at(9), at(5), at(7)}, []Time{at(7)}},
		{"never", []Time{at(5), 0}, nil},
		{"never and again", []Time{at(5), 0, at(3), 0, at(8)}, []Time{at(8)}},
		{"the past", []Time{-at(5)}, []Time{1}}, // one nanosecond: zero means never
		{"beyond the end", []Time{2 * Second}, nil},
		{"at the end", []Time{Second}, []Time{Second}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var woken []Time
			mustRun(t, scripted(&script{
				start: func(_ Clock, out *Outbox[[]byte]) {
					for _, at := range test.set {
						out.WakeAt(at)
					}
				},
				wake: func(now Clock, _ *Outbox[[]byte]) { woken = append(woken, now.Mono) },
			}))
			if !slices.Equal(woken, test.want) {
				t.Errorf("woken at %v, want %v", woken, test.want)
			}
		})
	}
}

func TestWakeInThePastIsNow(t *testing.T) {
	var woken []Time
	mustRun(t, scripted(&script{
		start: func(_ Clock, out *Outbox[[]byte]) { out.WakeAt(at(5)) },
		wake: func(now Clock, out *Outbox[[]byte]) {
			woken = append(woken, now.Mono)
			if len(woken) == 1 {
				out.WakeAt(at(2))
			}
		},
	}))
	if !slices.Equal(woken, []Time{at(5), at(5)}) {
		t.Errorf("woken at %v, want twice at 5 ms", woken)
	}
}

// TestTimerThatMovesWhileItWaits: a timer is moved by a message, after it was
// found too early once, or while it waits for a slow node.
func TestTimerThatMovesWhileItWaits(t *testing.T) {
	for _, test := range []struct {
		name                string
		first, second       Time // the timer, set twice at the start
		message, then, want Time // sent at, which sets the timer
		slow                Time
	}{
		{name: "back again", first: at(10), second: at(50), message: at(20), then: at(30), want: at(30)},
		{name: "further", first: at(10), second: at(50), message: at(20), then: at(60), want: at(60)},
		{name: "slow", first: at(10), second: at(10), message: at(8), then: at(20), want: at(24), slow: at(4)},
	} {
		t.Run(test.name, func(t *testing.T) {
			var woken []Time
			c := scripted(&script{
				start: func(_ Clock, out *Outbox[[]byte]) {
					out.WakeAt(test.first)
					out.WakeAt(test.second)
				},
				receive: func(_ Clock, _ NodeID, _ []byte, out *Outbox[[]byte]) { out.WakeAt(test.then) },
				wake:    func(now Clock, _ *Outbox[[]byte]) { woken = append(woken, now.Mono) },
			}, &script{
				start: func(_ Clock, out *Outbox[[]byte]) { out.WakeAt(test.message) },
				wake:  func(_ Clock, out *Outbox[[]byte]) { out.Send(0, nil, 0) },
			})
			if test.slow > 0 {
				c.Schedule = Schedule{{Kind: Slow, At: 1, For: Second - 1, Nodes: 1, Amount: test.slow}}
			}
			mustRun(t, c)
			if !slices.Equal(woken, []Time{test.want}) {
				t.Errorf("woken at %v, want %v", woken, test.want)
			}
		})
	}
}

func TestSpinningIsAViolation(t *testing.T) {
	w, err := New(scripted(&script{
		start: func(_ Clock, out *Outbox[[]byte]) { out.WakeAt(at(5)) },
		wake:  func(now Clock, out *Outbox[[]byte]) { out.WakeAt(now.Mono) },
	}))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Run(); !errors.Is(err, ErrSpinning) {
		t.Errorf("the run ended with %v", err)
	}
}

func TestOutboxAfterTheCall(t *testing.T) {
	var kept *Outbox[[]byte]
	mustRun(t, scripted(&script{start: func(_ Clock, out *Outbox[[]byte]) { kept = out }}))
	for name, use := range map[string]func(){
		"Send":   func() { kept.Send(0, nil, 0) },
		"Append": func() { kept.Append(nil) },
		"WakeAt": func() { kept.WakeAt(1) },
		"Probe":  func() { kept.Probe("x") },
	} {
		func() {
			defer func() {
				if cause, _ := recover().(string); !strings.Contains(cause, name+" outside of the call") {
					t.Errorf("%s after the call: %q", name, cause)
				}
			}()
			use()
		}()
	}
}

// shared is a world in which n1 changes what it sent.
func shared() (c Config[[]byte], got *[]string) {
	buffer := []byte("first")
	got = new([]string)
	c = scripted(&script{
		start: func(_ Clock, out *Outbox[[]byte]) {
			out.Send(1, buffer, 0)
			copy(buffer, "OTHER")
		},
	}, &script{
		receive: func(_ Clock, _ NodeID, message []byte, _ *Outbox[[]byte]) {
			*got = append(*got, string(message))
			copy(message, "*****") // it owns the message: a duplicate is another
		},
	})
	c.Network.Duplicate = Ratio{1, 1}
	return c, got
}

func TestMessageThatChangesUnderWayIsAViolation(t *testing.T) {
	c, got := shared()
	w, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Run(); !errors.Is(err, ErrMessageChanged) || len(*got) != 0 {
		t.Errorf("the run ended with %v, delivered %q", err, *got)
	}
}

func TestCloneKeepsMessagesApart(t *testing.T) {
	c, got := shared()
	c.Clone = slices.Clone
	mustRun(t, c)
	if !slices.Equal(*got, []string{"first", "first"}) {
		t.Errorf("delivered %q", *got)
	}
}

func TestAppendCopies(t *testing.T) {
	buffer := []byte("first")
	var found []string
	c := scripted(&script{start: func(_ Clock, out *Outbox[[]byte]) {
		if len(found) == 0 {
			out.Append(buffer)
			copy(buffer, "OTHER")
			out.Append([]byte("second"))
		}
	}})
	plain := c.Boot
	c.Boot = func(boot Boot[[]byte]) Node[[]byte] {
		for _, record := range boot.Records {
			found = append(found, string(record))
			_ = append(record, "overflow"...)
		}
		return plain(boot)
	}
	c.Schedule = Schedule{{Kind: Crash, At: at(10), For: 1, Nodes: 1}, {Kind: Crash, At: at(20), For: 1, Nodes: 1}}
	mustRun(t, c)
	if !slices.Equal(found, []string{"first", "second", "first", "second"}) {
		t.Errorf("found %q", found)
	}
}

// TestHeldSendsGoInOrder: a send that waits for nothing overtakes those that
// wait; those leave in their order, as far as the disk got.
func TestHeldSendsGoInOrder(t *testing.T) {
	var got []string
	var when []Time
	c := scripted(&script{start: func(_ Clock, out *Outbox[[]byte]) {
		first := out.Append([]byte("a"))
		out.Send(1, []byte("held 1"), first)
		out.Send(1, []byte("held 2"), first)
		out.Send(1, []byte("free"), 0)
	}}, &script{receive: func(now Clock, _ NodeID, message []byte, _ *Outbox[[]byte]) {
		got, when = append(got, string(message)), append(when, now.Mono)
	}})
	c.Disk.Sync = Range{at(3), at(3)}
	mustRun(t, c)
	if !slices.Equal(got, []string{"free", "held 1", "held 2"}) || !slices.Equal(when, []Time{0, at(3), at(3)}) {
		t.Errorf("got %q at %v", got, when)
	}
}

// TestDiskWorksWhileTheProcessPauses: the records become durable, but the process
// does not act on it, and a crash in the pause keeps them.
func TestDiskWorksWhileTheProcessPauses(t *testing.T) {
	var got []Time
	records := -1
	writer := &script{start: func(now Clock, out *Outbox[[]byte]) {
		if now.Mono == 0 {
			out.Send(1, []byte("held"), out.Append([]byte("a")))
		}
	}}
	reader := &script{receive: func(now Clock, _ NodeID, _ []byte, _ *Outbox[[]byte]) { got = append(got, now.Mono) }}
	c := scripted(writer, reader)
	plain := c.Boot
	c.Boot = func(boot Boot[[]byte]) Node[[]byte] {
		if boot.ID == 0 && boot.Count == 1 {
			records = len(boot.Records)
		}
		return plain(boot)
	}
	c.Disk.Sync = Range{at(3), at(3)}
	c.Schedule = Schedule{{Kind: Pause, At: at(1), For: at(50), Nodes: 1}}
	mustRun(t, c)
	if !slices.Equal(got, []Time{at(51)}) {
		t.Errorf("the held message arrived at %v, want the end of the pause", got)
	}
	got = nil
	c.Schedule = append(c.Schedule, Fault{Kind: Crash, At: at(20), For: at(1), Nodes: 1})
	mustRun(t, c)
	if records != 1 || got != nil {
		t.Errorf("after the crash: %d records, message arrived at %v; want 1 and never", records, got)
	}
}

func TestProbesAreSorted(t *testing.T) {
	w := mustRun(t, scripted(&script{start: func(_ Clock, out *Outbox[[]byte]) {
		out.Probe("b")
		out.Probe("a")
		out.Probe("b")
	}}))
	if want := []ProbeCount{{"a", 1}, {"b", 2}}; !reflect.DeepEqual(w.Probes(), want) {
		t.Errorf("probes %v", w.Probes())
	}
}

func TestMessagesToOneselfMeetNoFault(t *testing.T) {
	count := 0
	c := scripted(&script{
		start:   func(_ Clock, out *Outbox[[]byte]) { out.Send(0, nil, 0) },
		receive: func(Clock, NodeID, []byte, *Outbox[[]byte]) { count++ },
	})
	c.Network = Network{Latency: Range{at(5), at(5)}, Loss: Ratio{1, 1}}
	c.Schedule = Schedule{{Kind: Isolate, For: Second, Nodes: 1}, {Kind: Loss, For: Second, Chance: Ratio{1, 1}}}
	if mustRun(t, c); count != 1 {
		t.Errorf("%d messages arrived", count)
	}
}

func TestTrace(t *testing.T) {
	var lines []string
	c := scripted(&script{
		start: func(_ Clock, out *Outbox[[]byte]) { out.WakeAt(at(1500)); out.Append([]byte("x")) },
		wake: func(_ Clock, out *Outbox[[]byte]) {
			out.Probe("beat")
			out.Send(1, []byte("hello"), 0)
			out.Send(1, []byte("again"), 0)
		},
	}, &script{})
	c.End, c.ChaosEnd = 3*Second, 2*Second
	c.Network.Latency = Range{at(250), at(250)}
	c.Disk.Sync = Range{at(10), at(10)}
	c.Describe = func(m []byte) string { return string(m) }
	c.Trace = func(line string) { lines = append(lines, line) }
	c.Schedule = Schedule{{Kind: Crash, At: at(1600), For: at(100), Nodes: 2}, {Kind: Block, At: at(1740), For: at(20), Nodes: 1, Peers: 2}}
	mustRun(t, c)
	want := []string{
		"0.000s n1 start, boot 0",
		"0.000s n2 start, boot 0",
		"0.010s n1 synced 1",
		"1.500s n1 wake",
		"1.500s n1 probe beat",
		"1.600s begins: at 1.6s for 100ms crash n2",
		"1.700s ends: at 1.6s for 100ms crash n2",
		"1.700s n2 start, boot 1",
		"1.740s begins: at 1.74s for 20ms block n1 -> n2",
		"1.750s n1 -> n2 lost hello (at 1.74s for 20ms block n1 -> n2)",
		"1.750s n1 -> n2 lost again (at 1.74s for 20ms block n1 -> n2)",
		"1.760s ends: at 1.74s for 20ms block n1 -> n2",
		"2.000s the world heals",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("trace:\n%s", strings.Join(lines, "\n"))
	}
	lines, c.Schedule[1].At = nil, at(1800)
	c.Schedule[0].For = at(200)
	mustRun(t, c)
	if !slices.Contains(lines, "1.750s n1 -> n2 lost hello (its process is gone)") {
		t.Errorf("trace:\n%s", strings.Join(lines, "\n"))
	}
	lines, c.Schedule = nil, nil
	mustRun(t, c)
	if !slices.Contains(lines, "1.750s n1 -> n2 deliver hello") {
		t.Errorf("trace:\n%s", strings.Join(lines, "\n"))
	}
}
