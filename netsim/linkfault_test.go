package netsim

import (
	"slices"
	"testing"
)

func at(millis Time) Time { return millis * Millisecond }

func TestNetworkDeliversEverythingWithoutFaults(t *testing.T) {
	r := newRig(t, 3, "").run()
	got := r.got(1, 0)
	if len(got) != 100 || got[0].at != at(15) || got[99].at != at(1005) {
		t.Fatalf("n2 got %d messages of n1, want the 100 that were sent, from 15 ms to 1005 ms", len(got))
	}
}

// TestCuts: each way to cut links drops exactly what crosses the cut while it
// lasts, at either end of the link.
func TestCuts(t *testing.T) {
	tests := []struct {
		fault string
		cut   [][2]NodeID // the links, of four nodes
	}{
		{"partition n1,n2 | n3", [][2]NodeID{{0, 2}, {2, 0}, {1, 2}, {2, 1}}},
		{"partition n1 | n2 | n3", [][2]NodeID{{0, 1}, {1, 0}, {0, 2}, {2, 0}, {1, 2}, {2, 1}}},
		{"block n1 -> n2,n3", [][2]NodeID{{0, 1}, {0, 2}}},
		{"bridge n1 | n2,n3 via n4", [][2]NodeID{{0, 1}, {1, 0}, {0, 2}, {2, 0}}},
		{"isolate n4", [][2]NodeID{{3, 0}, {0, 3}, {3, 1}, {1, 3}, {3, 2}, {2, 3}}},
		{"isolate n4 from n1", [][2]NodeID{{3, 0}, {0, 3}}},
	}
	for _, test := range tests {
		t.Run(test.fault, func(t *testing.T) {
			r := newRig(t, 4, "at 203ms for 300ms "+test.fault).run()
			lost := 0
			for from := range NodeID(4) {
				for to := range NodeID(4) {
					if from == to {
						continue
					}
					// Sent at 200 ms and under way when it began, up to 500 ms.
					got, want := between(r.got(to, from), at(205), at(506)), 31
					if slices.Contains(test.cut, [2]NodeID{from, to}) {
						want = 0
						lost += 31
					}
					if got != want {
						t.Errorf("n%d -> n%d: %d messages during the fault, want %d", from+1, to+1, got, want)
					}
					if later := between(r.got(to, from), at(515), at(1010)); later != 50 {
						t.Errorf("n%d -> n%d: %d messages after the fault, want 50", from+1, to+1, later)
					}
				}
			}
			if r.touched() != uint64(lost) {
				t.Errorf("touched %d, want the %d lost messages", r.touched(), lost)
			}
		})
	}
}

func TestLossDropsItsShare(t *testing.T) {
	r := newRig(t, 3, "at 0s for 2s loss 1/5 n1 -> n2").run()
	lost := 100 - len(r.got(1, 0))
	if lost < 8 || lost > 35 {
		t.Errorf("%d of 100 messages lost, want about 20", lost)
	}
	if r.touched() != uint64(lost) {
		t.Errorf("touched %d, want %d", r.touched(), lost)
	}
	if len(r.got(0, 1)) != 100 || len(r.got(2, 0)) != 100 {
		t.Error("a link that the fault does not name lost messages")
	}
	certain := newRig(t, 2, "at 100ms for 100ms loss 1/1 all").run()
	if between(certain.got(1, 0), at(100), at(205)) != 0 {
		t.Error("a message survived a certain loss")
	}
}

func TestLossReachesMessagesUnderWay(t *testing.T) {
	// Sent at 100 ms, arrives at 105 ms; the fault is not there when it is sent.
	r := newRig(t, 2, "at 104ms for 2ms loss 1/1 all").run()
	if between(r.got(1, 0), at(100), at(106)) != 0 {
		t.Error("the message under way survived")
	}
}

func TestDuplicateDeliversTwice(t *testing.T) {
	r := newRig(t, 2, "at 0s for 2s duplicate 1/4 n1 -> n2").run()
	extra := len(r.got(1, 0)) - 100
	if extra < 10 || extra > 45 {
		t.Errorf("%d of 100 messages delivered twice, want about 25", extra)
	}
	if r.touched() != uint64(extra) {
		t.Errorf("touched %d, want %d", r.touched(), extra)
	}
}

func TestReorderLetsMessagesOvertake(t *testing.T) {
	r := newRig(t, 2, "at 0s for 2s reorder 50ms n1 -> n2").run()
	got := r.got(1, 0)
	if slices.IsSortedFunc(got, func(a, b receipt) int { return int(a.count) - int(b.count) }) {
		t.Error("all messages arrived in order")
	}
	if len(got) != 100 || r.touched() != 100 {
		t.Errorf("%d messages arrived, %d touched; want 100", len(got), r.touched())
	}
	for _, g := range got {
		sent := at(10 * Time(g.count))
		if g.at < sent+at(5) || g.at > sent+at(55) {
			t.Errorf("message %d took %v, want 5 ms to 55 ms", g.count, g.at-sent)
		}
	}
}

func TestDelayAddsOnce(t *testing.T) {
	r := newRig(t, 2, "at 104ms for 300ms delay 100ms n1 -> n2").run()
	for _, g := range r.got(1, 0) {
		sent := at(10 * Time(g.count))
		want := at(5)
		if at(100) <= sent && sent < at(404) { // the first was under way
			want = at(105)
		}
		if g.at != sent+want {
			t.Errorf("message sent at %v took %v, want %v", sent, g.at-sent, want)
		}
	}
	if r.touched() != 31 {
		t.Errorf("touched %d, want 31", r.touched())
	}
}

func TestClogHoldsAndBursts(t *testing.T) {
	r := newRig(t, 2, "at 102ms for 300ms clog n1 -> n2").run()
	got := r.got(1, 0)
	wantHeld(t, got, at(102), at(402), 30)
	if len(got) != 100 || !slices.IsSortedFunc(got, func(a, b receipt) int { return int(a.count) - int(b.count) }) {
		t.Error("messages were lost or out of order")
	}
	if r.touched() != 30 {
		t.Errorf("touched %d, want 30", r.touched())
	}
}

func TestBaseNetworkLosesDuplicatesAndReordersUntilChaosEnds(t *testing.T) {
	r := newRig(t, 2, "")
	r.config.Network = Network{
		Latency: Range{at(1), at(9)}, Jitter: at(30), Reorder: true,
		Loss: Ratio{1, 10}, Duplicate: Ratio{1, 10},
	}
	r.config.ChaosEnd = at(500)
	r.run()
	seen := make([]int, 101)
	inOrder, last := true, uint64(0)
	for _, g := range r.got(1, 0) {
		seen[g.count]++
		inOrder = inOrder && g.count >= last
		last = g.count
	}
	lost, twice := 0, 0
	for count, times := range seen[1:] {
		if times != 1 && count >= 50 {
			t.Errorf("message %d, sent after the chaos, arrived %d times", count, times)
		}
		if times == 0 {
			lost++
		}
		if times == 2 {
			twice++
		}
	}
	if lost == 0 || twice == 0 || inOrder {
		t.Errorf("lost %d, duplicated %d, in order %v; want all three to happen", lost, twice, inOrder)
	}
}

// TestFatesAreKeyed: a fault that goes away changes the messages of the links
// that it covered and no others.
func TestFatesAreKeyed(t *testing.T) {
	network := Network{Latency: Range{at(1), at(9)}, Jitter: at(30), Loss: Ratio{1, 9}, Duplicate: Ratio{1, 9}}
	run := func(schedule string) *rig {
		r := newRig(t, 4, schedule)
		r.config.Network = network
		return r.run()
	}
	rest := "at 0s for 1s loss 1/3 n3 -> n4\nat 300ms for 300ms reorder 80ms n2,n3\n"
	with := run("at 100ms for 500ms loss 1/2 n1 -> n2\nat 200ms for 600ms duplicate 1/2 n1 -> n2\n" + rest)
	without := run(rest)
	for from := range NodeID(4) {
		for to := range NodeID(4) {
			same := slices.Equal(with.got(to, from), without.got(to, from))
			if touched := from == 0 && to == 1; same == touched {
				t.Errorf("n%d -> n%d: same %v", from+1, to+1, same)
			}
		}
	}
}

func TestLinksHaveFatesOfTheirOwn(t *testing.T) {
	r := newRig(t, 3, "at 0s for 2s loss 1/2 all")
	r.config.Network.Latency = Range{at(1), Second}
	r.run()
	lost := func(to, from NodeID) (counts []uint64) {
		for _, g := range r.got(to, from) {
			counts = append(counts, g.count)
		}
		return counts
	}
	if slices.Equal(lost(1, 0), lost(2, 0)) || slices.Equal(lost(1, 0), lost(0, 1)) {
		t.Error("two links lose the same messages")
	}
	bases := make(map[Time]bool)
	for i := range r.world.links {
		bases[r.world.links[i].base] = true
	}
	if len(bases) != 9 {
		t.Errorf("9 links have %d base latencies", len(bases))
	}
}

// TestALinkKeepsItsOrder: jitter beyond the distance of two messages does not
// reorder them, unless the network is told to; what a delay fault held is
// overtaken, but holds nobody up.
func TestALinkKeepsItsOrder(t *testing.T) {
	ordered := func(list []receipt) bool {
		return slices.IsSortedFunc(list, func(a, b receipt) int { return int(a.count) - int(b.count) })
	}
	for _, reorder := range []bool{false, true} {
		r := newRig(t, 2, "")
		r.config.Network.Jitter, r.config.Network.Reorder = at(100), reorder
		if got := r.run().got(1, 0); len(got) != 100 || ordered(got) == reorder {
			t.Errorf("Reorder %v: %d messages, in order %v", reorder, len(got), ordered(got))
		}
	}
	r := newRig(t, 2, "at 300ms for 100ms delay 250ms n1 -> n2")
	r.config.Network.Jitter = at(5)
	for _, g := range r.run().got(1, 0) {
		if took := g.at - at(10*Time(g.count)); took > at(10) && (g.count < 29 || g.count > 40) {
			t.Errorf("message %d, which met no fault, took %v", g.count, took)
		}
	}
}
