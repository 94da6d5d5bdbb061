package netsim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// chosen steps a world of beats up to a time, from where the test chooses.
func (r *rig) chosen(until Time) *World[uint64] {
	r.t.Helper()
	w, err := New(r.config)
	if err != nil {
		r.t.Fatal(err)
	}
	r.world = w
	for w.now < until && w.Step() {
	}
	return w
}

// choices are those of now, in words: "n2 wakes at 20ms".
func choices(w *World[uint64]) string {
	var list []string
	for _, c := range w.Choices(nil) {
		text := c.Nodes.format(w.Names()) + " "
		switch c.Kind {
		case Starts:
			text += "starts"
		case Delivers:
			text += fmt.Sprintf("gets %d of %s", c.Index, w.Name(c.From))
		case Wakes:
			text += "wakes"
		case Syncs:
			text += fmt.Sprintf("syncs %d", c.Index)
		case Recovers:
			text += "recovers"
		}
		list = append(list, text+" at "+c.Due.String())
	}
	return strings.Join(list, "; ")
}

// take takes the first choice of a kind that touches a node.
func take(t *testing.T, w *World[uint64], kind ChoiceKind, node NodeID) {
	t.Helper()
	list := w.Choices(nil)
	at := slices.IndexFunc(list, func(c Choice) bool { return c.Kind == kind && c.Nodes.Has(node) })
	if at < 0 {
		t.Fatalf("there is no such choice among %s", choices(w))
	}
	if text := w.DescribeChoice(list[at]); !strings.Contains(text, w.Name(node)) {
		t.Errorf("the choice is described as %q", text)
	}
	if !w.Take(list[at]) {
		t.Fatal("the world is over")
	}
}

func wantChoices(t *testing.T, w *World[uint64], want string) {
	t.Helper()
	if got := choices(w); got != want {
		t.Errorf("at %v: %s\nwant %s", w.Now(), got, want)
	}
}

// TestChoices: what can happen is what Step would do, each link in its order; what is passed over comes late
// and time never goes back.
func TestChoices(t *testing.T) {
	r := newRig(t, 2, "").logging()
	w := r.chosen(10 * Millisecond)
	wantChoices(t, w, "n2 wakes at 10ms; n1 syncs 1 at 13ms; n1 wakes at 20ms")
	take(t, w, Wakes, 1)
	take(t, w, Syncs, 1)
	take(t, w, Syncs, 0)
	wantChoices(t, w, "n1 gets 0 of n2 at 15ms; n2 gets 0 of n1 at 15ms; n1 wakes at 20ms; n2 wakes at 20ms")
	take(t, w, Delivers, 1)
	if got := r.got(1, 0); len(got) != 1 || got[0].at != 10*Millisecond {
		t.Errorf("n2 got %v, want one message as early as it was chosen", got)
	}
	take(t, w, Wakes, 0)
	take(t, w, Syncs, 0)
	if w.Now() != 20*Millisecond {
		t.Errorf("it is %v after the timer of 20ms", w.Now())
	}
	take(t, w, Wakes, 0)
	take(t, w, Syncs, 0)
	wantChoices(t, w, "n1 gets 0 of n2 at 15ms; n2 wakes at 20ms; n2 gets 1 of n1 at 25ms; n1 wakes at 40ms")
	for w.Now() < 42*Millisecond && w.Step() {
	}
	if got := r.got(0, 1); len(got) != 2 || got[0].at != 30*Millisecond {
		t.Errorf("n1 got %v, want what was passed over at 30ms", got)
	}
	if got := r.got(1, 0); len(got) != 3 || got[1].at != 30*Millisecond {
		t.Errorf("n2 got %v, want what is late as the next thing that happens", got)
	}

	reorders := newRig(t, 2, "").logging()
	reorders.config.Network.Reorder = true
	w = reorders.chosen(10 * Millisecond)
	for range 2 {
		take(t, w, Wakes, 0)
		take(t, w, Syncs, 0)
	}
	if got := choices(w); !strings.Contains(got, "n2 gets 0 of n1") || !strings.Contains(got, "n2 gets 1 of n1") {
		t.Errorf("on links that reorder there is %s", got)
	}
}

// TestDisturb: a fault begins at once, and its end can be chosen.
func TestDisturb(t *testing.T) {
	r := newRig(t, 2, "").logging()
	w := r.chosen(10 * Millisecond)
	take(t, w, Syncs, 0)
	if err := w.Disturb(Fault{Kind: Crash, Nodes: Nodes(1), For: Second}); err != nil {
		t.Fatal(err)
	}
	if w.Up(1) {
		t.Error("n2 is up after its crash")
	}
	wantChoices(t, w, "n2 gets 0 of n1 at 15ms; n1 wakes at 20ms; n2 recovers at 1.01s")
	take(t, w, Delivers, 1)
	take(t, w, Recovers, 1)
	wantChoices(t, w, "n2 starts at 10ms; n1 wakes at 20ms")
	take(t, w, Starts, 1)
	if report := w.Faults(); len(report) != 1 || report[0].Touched != 2 || report[0].Began != 10*Millisecond || len(r.got(1, 0)) != 0 {
		t.Errorf("the crash is reported as %+v, n2 got %v", report, r.got(1, 0))
	}
	for _, f := range []Fault{
		{Kind: Crash, For: Second}, {Kind: Crash, Nodes: Nodes(1)},
		{Kind: Crash, Nodes: Nodes(1), For: Second, When: Trigger{Probe: "odd"}},
	} {
		if err := w.Disturb(f); err == nil {
			t.Errorf("%+v begins", f)
		}
	}
	if err := w.Run(); err != nil || len(r.got(1, 0)) < 90 {
		t.Errorf("after it: %v, n2 got %d messages", err, len(r.got(1, 0)))
	}
	if err := w.Disturb(Fault{Kind: Crash, Nodes: Nodes(1), For: Second}); err == nil || len(w.Choices(nil)) != 0 {
		t.Error("something happens after the end")
	}
}

func TestTakeOfThePast(t *testing.T) {
	w := newRig(t, 2, "").chosen(10 * Millisecond)
	c := w.Choices(nil)[0]
	w.Take(c)
	defer func() {
		if cause := recover(); cause == nil {
			t.Error("what has happened is taken again")
		}
	}()
	w.Take(c)
}

func TestMet(t *testing.T) {
	w := newRig(t, 2, "").meeting(oddAt(1, 2)).run().world
	if w.Met("odd") != 1 || w.Met("even") != 0 {
		t.Errorf("odd was met %d times, even %d times", w.Met("odd"), w.Met("even"))
	}
}
