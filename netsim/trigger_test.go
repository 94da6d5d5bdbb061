package netsim

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// prober is a beat that meets a situation at some of its beats.
type prober struct {
	*beat
	meets func(id NodeID, beat uint64) string
}

func (p *prober) Wake(now Clock, out *Outbox[uint64]) {
	if name := p.meets(p.id, p.beats+1); name != "" {
		out.Probe(name)
	}
	p.beat.Wake(now, out)
}

// meeting makes the beats meet situations.
func (r *rig) meeting(meets func(id NodeID, beat uint64) string) *rig {
	plain := r.config.Boot
	r.config.Boot = func(boot Boot[uint64]) Node[uint64] {
		return &prober{plain(boot).(*beat), meets}
	}
	return r
}

// oddAt meets "odd" at one beat of one node.
func oddAt(node NodeID, beat uint64) func(id NodeID, beat uint64) string {
	return func(id NodeID, b uint64) string {
		if id == node && b == beat {
			return "odd"
		}
		return ""
	}
}

// wokeBetween counts wake-ups with low <= time < high.
func (r *rig) wokeBetween(id NodeID, low, high Time) int {
	count := 0
	for _, b := range r.all[id] {
		for _, now := range b.wakes {
			if low <= now.Mono && now.Mono < high {
				count++
			}
		}
	}
	return count
}

// TestTriggeredFaultBeginsWithTheNextEvent: all nodes wake at 200 ms, in their
// order, and n2 meets the situation then.
func TestTriggeredFaultBeginsWithTheNextEvent(t *testing.T) {
	for _, test := range []struct {
		fault string
		woke  [3]int // from 200 ms to 500 ms
	}{
		{"when odd then pause others for 300ms", [3]int{1, 30, 0}},
		{"when odd then pause all but met for 300ms", [3]int{1, 30, 0}},
		{"when odd then pause met for 300ms", [3]int{30, 1, 30}},
		{"when odd then pause n1,met for 300ms", [3]int{1, 1, 30}},
		{"when odd then pause all but n1 for 300ms", [3]int{30, 1, 0}},
		{"when odd then after 10ms pause met for 300ms", [3]int{30, 1, 30}},
		{"when odd then after 11ms pause met for 300ms", [3]int{30, 2, 30}},
	} {
		r := newRig(t, 3, test.fault).meeting(oddAt(1, 20)).run()
		for id, want := range test.woke {
			if got := r.wokeBetween(NodeID(id), at(200), at(500)); got != want {
				t.Errorf("%s: n%d woke %d times, want %d", test.fault, id+1, got, want)
			}
		}
		if report := r.world.Faults()[0]; report.Met != 1 || report.Touched == 0 || report.Ended-report.Began != at(300) {
			t.Errorf("%s: %+v", test.fault, report)
		}
	}
}

// TestTriggeredFaultIsTheTimedOne: from its beginning on, a triggered fault is
// the fault of that time and of those nodes, whatever its kind.
func TestTriggeredFaultIsTheTimedOne(t *testing.T) {
	for _, test := range []struct{ triggered, timed string }{
		{"pause met", "pause n2"},
		{"slow 4ms others", "slow 4ms n1,n3..n4"},
		{"partition met | others", "partition n2 | n1,n3..n4"},
		{"partition n1,met | n2..n4", "partition n1,n2 | n3,n4"},
		{"partition n1..n2 but met | n3 | n4", "partition n1 | n3 | n4"},
		{"partition n2 but met | n3 | n4", "partition n3 | n4"},
		{"bridge n1 | n2..n4 but met via met", "bridge n1 | n3..n4 via n2"},
		{"bridge met | n3..n4 via n1", "bridge n2 | n3..n4 via n1"},
		{"bridge n1 | n3,met via n4", "bridge n1 | n3,n2 via n4"},
		{"block met -> others", "block n2 -> n1,n3..n4"},
		{"block all but met -> met", "block n1,n3..n4 -> n2"},
		{"isolate met", "isolate n2"},
		{"isolate met from n2..n4", "isolate n2 from n2..n4"},
		{"loss 1/3 met", "loss 1/3 n2"},
		{"loss 1/3 all", "loss 1/3 all"},
		{"duplicate 1/3 met -> n1", "duplicate 1/3 n2 -> n1"},
		{"reorder 40ms others -> met", "reorder 40ms n1,n3..n4 -> n2"},
		{"delay 30ms met -> others", "delay 30ms n2 -> n1,n3..n4"},
		{"clog others -> others", "clog n1,n3..n4 -> n1,n3..n4"},
		{"crash met", "crash n2"},
		{"wipe others", "wipe n1,n3..n4"},
		{"skew -250ms met", "skew -250ms n2"},
		{"jump +2s met,n4", "jump +2s n2,n4"},
		{"freeze others", "freeze n1,n3..n4"},
		{"slow-sync 9ms met", "slow-sync 9ms n2"},
	} {
		triggered := newRig(t, 4, "when odd then after 3ms "+test.triggered+" for 300ms").logging().meeting(oddAt(1, 20)).run()
		timed := newRig(t, 4, "at 203ms for 300ms "+test.timed).logging().meeting(oddAt(1, 20)).run()
		report := triggered.world.Faults()[0]
		if got := (Schedule{report.Effect}).Format(names(4)); got != timed.config.Schedule.Format(names(4)) {
			t.Errorf("%s became %s", test.triggered, got)
		}
		if triggered.world.Digest() != timed.world.Digest() || report.Touched != timed.touched() || report.Touched == 0 {
			t.Errorf("%s touched %d, %s %d", test.triggered, report.Touched, test.timed, timed.touched())
		}
	}
	triggered := newRig(t, 4, "when odd then after 3ms kill met").meeting(oddAt(1, 20)).run()
	if timed := newRig(t, 4, "at 203ms kill n2").meeting(oddAt(1, 20)).run(); triggered.world.Digest() != timed.world.Digest() {
		t.Error("a triggered kill is another one")
	}
}

// TestWhichMeetingCounts: the situation is met at 50, 100, 150, … ms by n1, then
// by n2 in the same instant.
func TestWhichMeetingCounts(t *testing.T) {
	often := func(id NodeID, beat uint64) string {
		if id < 2 && beat%5 == 0 {
			return "often"
		}
		return ""
	}
	for _, test := range []struct {
		fault string
		began Time
		met   NodeID
	}{
		{"when often then pause met for 10ms", at(50), 0},
		{"when 2nd often then pause met for 10ms", at(50), 1},
		{"when 3rd often then pause met for 10ms", at(100), 0},
		{"when often at n2 then pause met for 10ms", at(50), 1},
		{"when 3rd often at n2,n3 then pause met for 10ms", at(150), 1},
		{"when 3rd often at n2 then after 7ms pause met for 10ms", at(157), 1},
		{"when often at n3 then pause met for 10ms", 0, NoNode},
		{"when seldom then pause met for 10ms", 0, NoNode},
		{"when 41st often then pause met for 10ms", 0, NoNode},   // of forty
		{"when often then pause n1 but met for 10ms", 0, NoNode}, // nobody is left
		{"when 2nd often then pause n1 but met for 10ms", at(50), 1},
	} {
		r := newRig(t, 3, test.fault).meeting(often).run()
		report := r.world.Faults()[0]
		if report.Began != test.began || report.Met != test.met {
			t.Errorf("%s: began at %v for n%d", test.fault, report.Began, report.Met+1)
		}
		if happened := test.met != NoNode; (report.Effect.Kind == Pause) != happened || (report.Touched > 0) != happened || (report.Ended > 0) != happened {
			t.Errorf("%s: %+v", test.fault, report)
		}
		if got := (Schedule{report.Fault}).Format(names(3)); got != test.fault+"\n" {
			t.Errorf("%s is reported as %s", test.fault, got)
		}
	}
}

func TestTriggeredFaultsEndWithTheChaos(t *testing.T) {
	for _, test := range []struct {
		beat         uint64
		delay        string
		began, ended Time
	}{
		{20, "", at(200), at(500)},
		{60, "", at(600), at(700)},
		{69, "", at(690), at(700)},
		{69, "after 9.999ms ", at(700) - Microsecond, at(700)},
		{69, "after 10ms ", 0, 0}, // too late
		{70, "", 0, 0},
		{80, "", 0, 0},
	} {
		r := newRig(t, 2, "when odd then "+test.delay+"pause met for 300ms").meeting(oddAt(0, test.beat))
		r.config.ChaosEnd = at(700)
		report := r.run().world.Faults()[0]
		long := test.ended-test.began > Microsecond // enough to touch something
		if report.Began != test.began || report.Ended != test.ended || (report.Touched > 0) != long {
			t.Errorf("met at beat %d %s: %+v", test.beat, test.delay, report)
		}
	}
}

// TestTriggersAtOneMoment: they begin in the order of the schedule, and what one
// of them does not hit goes on.
func TestTriggersAtOneMoment(t *testing.T) {
	var lines []string
	r := newRig(t, 3, `when odd then crash met for 100ms
		when odd then skew +1s others for 50ms
		when odd then partition met | others for 80ms
		at 200ms for 10ms slow 1ms n3`).meeting(oddAt(0, 20))
	r.config.End = at(400)
	r.config.Trace = func(line string) {
		if strings.Contains(line, "begins") || strings.Contains(line, "ends") || strings.Contains(line, "probe") || strings.Contains(line, "n2 wake") && strings.HasPrefix(line, "0.200") {
			lines = append(lines, line)
		}
	}
	r.run()
	want := []string{
		"0.200s begins: at 200ms for 10ms slow 1ms n3",
		"0.200s n1 probe odd",
		"0.200s begins: at 200ms for 100ms crash n1 (n1 met odd)",
		"0.200s begins: at 200ms for 50ms skew +1s n2,n3 (n1 met odd)",
		"0.200s begins: at 200ms for 80ms partition n1 | n2,n3 (n1 met odd)",
		"0.200s n2 wake",
		"0.210s ends: at 200ms for 10ms slow 1ms n3",
		"0.250s ends: at 200ms for 50ms skew +1s n2,n3 (n1 met odd)",
		"0.280s ends: at 200ms for 80ms partition n1 | n2,n3 (n1 met odd)",
		"0.300s ends: at 200ms for 100ms crash n1 (n1 met odd)",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("it went like this:\n%s", strings.Join(lines, "\n"))
	}
}

// TestOneTriggerLessChangesNoOther: leaving a fault out leaves when the others
// begin, and whom they hit, as it was.
func TestOneTriggerLessChangesNoOther(t *testing.T) {
	all, err := ParseSchedule(`when often then delay 3ms others -> met for 50ms
		at 120ms for 100ms loss 1/2 n1
		when 3rd often then isolate met for 100ms
		when 4th often at n2 then after 5ms skew +1s met for 200ms`, names(3))
	if err != nil {
		t.Fatal(err)
	}
	run := func(s Schedule) []FaultReport {
		r := newRig(t, 3, "").meeting(func(id NodeID, beat uint64) string {
			if beat%(7+uint64(id)) == 0 {
				return "often"
			}
			return ""
		})
		r.config.Schedule = s
		return r.run().world.Faults()
	}
	whole := run(all)
	for i := range all {
		rest := slices.Delete(slices.Clone(all), i, i+1)
		for j, report := range run(rest) {
			if j >= i {
				j++
			}
			if report.Began != whole[j].Began || report.Met != whole[j].Met || report.Began == 0 {
				t.Errorf("without fault %d, fault %d begins at %v instead of %v", i+1, j+1, report.Began, whole[j].Began)
			}
		}
	}
}

// TestEffectsAreValidTimedFaults: whatever waits for a situation becomes a fault
// that a schedule can hold, or nothing.
func TestEffectsAreValidTimedFaults(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := anyFault(t)
		makeTriggered(t, &f)
		for id := range NodeID(6) {
			effect, hits := f.metBy(id, 7)
			if !hits {
				continue
			}
			if err := effect.validate(6); err != nil {
				t.Fatalf("%s, met by n%d: %v", f.format(names(6)), id+1, err)
			}
			if effect.triggered() || effect.At != 7 {
				t.Fatalf("%s becomes %s", f.format(names(6)), effect.format(names(6)))
			}
		}
	})
}

func TestKillIsForGood(t *testing.T) {
	r := newRig(t, 3, `at 200ms kill n2
		at 150ms for 100ms crash n2
		at 300ms for 100ms wipe n2
		at 400ms for 100ms pause n2
		at 600ms kill n2,n3
		at 650ms kill n2`).logging()
	r.config.ChaosEnd = at(700)
	killed := make(map[Time]NodeSet)
	r.config.Invariant = func(w *World[uint64]) error {
		killed[w.Now()] = w.Killed()
		return nil
	}
	r.run()
	if len(r.all[1]) != 1 || r.world.Up(1) || r.world.Up(2) || !r.world.Up(0) {
		t.Errorf("n2 has %d lives, up are %t %t %t", len(r.all[1]), r.world.Up(0), r.world.Up(1), r.world.Up(2))
	}
	if n := between(r.got(1, 0), at(150), 2*Second); n != 0 {
		t.Errorf("%d messages were handled by a dead process", n)
	}
	if n := between(r.got(2, 0), 0, at(600)); n == 0 || between(r.got(2, 0), at(600), 2*Second) != 0 {
		t.Error("n3 lives too short or too long")
	}
	if killed[at(190)] != 0 || killed[at(210)] != Nodes(1) || r.world.Killed() != Nodes(1, 2) {
		t.Errorf("killed are %b, %b and %b", killed[at(190)], killed[at(210)], r.world.Killed())
	}
	reports := r.world.Faults()
	if first, second := reports[0], reports[4]; first.Began != at(200) || first.Ended != 0 || first.Touched == 0 || second.Touched == 0 || reports[5].Touched != 0 {
		t.Errorf("%+v\n%+v\n%+v", first, second, reports[5])
	}
	if r.world.Durable(2) == 0 {
		t.Error("the disk of n3 is gone")
	}
}

func TestLateNodes(t *testing.T) {
	for name, schedule := range map[string]string{
		"":                         "",
		"a crash before":           "at 100ms for 50ms crash n3",
		"a wipe before":            "at 100ms for 50ms wipe n3",
		"a crash from before on":   "at 250ms for 100ms crash n3",
		"a pause around the start": "at 250ms for 100ms pause n3",
	} {
		r := newRig(t, 3, schedule).logging()
		r.config.StartWithin = at(3)
		r.config.StartAt = []Time{0, at(40), at(303)}
		r.run()
		starts := at(303)
		if strings.Contains(name, "on") || strings.Contains(name, "around") {
			starts = at(350)
		}
		if first := r.all[2][0].wakes; len(r.all[2]) == 1 && first[0].Mono != starts+at(10) {
			t.Errorf("%q: n3 starts at %v", name, first[0].Mono-at(10))
		}
		if got := r.got(2, 0); len(got) == 0 || got[0].at < starts {
			t.Errorf("%q: n3 hears of n1 first at %v", name, got[0].at)
		}
		if name == "a wipe before" && r.touched() != 10 { // but messages that would have been lost anyway
			t.Errorf("%q touched %d", name, r.touched())
		}
		if first := r.all[0][0].wakes[0].Mono; first < at(10) || first > at(13) {
			t.Errorf("n1 starts at %v", first-at(10))
		}
		if first := r.all[1][0].wakes[0].Mono; first != at(50) {
			t.Errorf("n2 starts at %v", first-at(10))
		}
	}
	for _, bad := range [][]Time{{0, 0, 0}, {-1}, {0, 3 * Second}} {
		r := newRig(t, 2, "")
		r.config.StartAt = bad
		if _, err := New(r.config); err == nil {
			t.Errorf("StartAt %v is taken", bad)
		}
	}
}

func TestBootTellsOfALostDisk(t *testing.T) {
	r := newRig(t, 2, "at 100ms for 50ms crash n1\nat 200ms for 50ms wipe n1\nat 300ms for 50ms crash n1").logging().run()
	var wiped []bool
	for _, b := range r.all[0] {
		wiped = append(wiped, b.boot.Wiped)
	}
	if !slices.Equal(wiped, []bool{false, false, true, false}) {
		t.Errorf("its boots say %v", wiped)
	}
}
