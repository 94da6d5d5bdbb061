package netsim

import (
	"encoding/binary"
	"testing"
)

func TestPauseHoldsEverything(t *testing.T) {
	r := newRig(t, 2, "at 203ms for 300ms pause n2").run()
	got := r.got(1, 0)
	wantHeld(t, got, at(203), at(503), 30)
	for _, now := range r.all[1][0].wakes {
		if at(203) <= now.Mono && now.Mono < at(503) {
			t.Errorf("n2 woke at %v, in its pause", now.Mono)
		}
	}
	if len(got) != 100 || r.touched() != 31 {
		t.Errorf("%d messages, %d touched; want 100 and 31 (30 messages, one timer)", len(got), r.touched())
	}
}

func TestSlowDelaysEachHandling(t *testing.T) {
	r := newRig(t, 2, "at 203ms for 300ms slow 4ms n2").run()
	for _, g := range r.got(1, 0) {
		want := at(5)
		if at(200) <= 10*Millisecond*Time(g.count) && 10*Millisecond*Time(g.count) < at(500) {
			want = at(9)
		}
		if took := g.at - at(10*Time(g.count)); took != want {
			t.Errorf("message %d took %v, want %v", g.count, took, want)
		}
	}
	if r.touched() < 30 {
		t.Errorf("touched %d, want the messages and the timers", r.touched())
	}
}

func TestCrashKeepsTheDurablePrefix(t *testing.T) {
	// Beat 20 is appended at 200 ms and durable at 203 ms.
	r := newRig(t, 2, "at 201ms for 100ms crash n1").logging().run()
	if len(r.all[0]) != 2 {
		t.Fatalf("n1 booted %d times, want 2", len(r.all[0]))
	}
	dead, alive := r.all[0][0], r.all[0][1]
	if dead.beats != 20 || alive.boot.Position != 19 || len(alive.boot.Records) != 19 {
		t.Fatalf("n1 died with %d beats and found %d records, want 20 and 19", dead.beats, len(alive.boot.Records))
	}
	for i, record := range alive.boot.Records {
		if binary.BigEndian.Uint64(record) != uint64(i+1) {
			t.Errorf("record %d is %x", i, record)
		}
	}
	if alive.boot.Crashed != Node[uint64](dead) || alive.boot.Count != 1 || alive.boot.Random == dead.boot.Random {
		t.Error("the boot lacks the dead process, its count or a fresh nonce")
	}
	// Beat 20 was held for its record and died with the process; beat 20 of the
	// second life is sent at 311 ms.
	for _, g := range r.got(1, 0) {
		if g.count == 20 && g.at != at(319) {
			t.Errorf("beat 20 of the first life arrived at %v although its record was lost", g.at)
		}
	}
	if n := len(r.got(1, 0)); n != 89 {
		t.Errorf("%d beats arrived, want 19 of the first life and 70 of the second", n)
	}
	if n := between(r.got(0, 1), at(201), at(301)); n != 0 {
		t.Errorf("%d messages were handled by a dead process", n)
	}
	if r.touched() != 11 {
		t.Errorf("touched %d, want 11: the process and ten messages to it", r.touched())
	}
}

func TestWipeLeavesNothing(t *testing.T) {
	r := newRig(t, 2, "at 201ms for 100ms wipe n1").logging().run()
	boot := r.all[0][1].boot
	if boot.Records != nil || boot.Position != 0 || boot.Crashed != nil || boot.Count != 1 {
		t.Errorf("after a wipe n1 found %+v", boot)
	}
}

func TestOverlappingCrashesRestartOnce(t *testing.T) {
	r := newRig(t, 2, "at 200ms for 100ms crash n1\nat 250ms for 200ms crash n1\nat 300ms for 10ms wipe n1").logging().run()
	if len(r.all[0]) != 2 {
		t.Fatalf("n1 booted %d times, want 2", len(r.all[0]))
	}
	second := r.all[0][1]
	if second.wakes[0].Mono != at(460) || second.boot.Records != nil {
		t.Errorf("n1 came back with %d records and beat at %v, want none and 460 ms", len(second.boot.Records), second.wakes[0].Mono)
	}
}

func TestCrashLosesWhatWaitsForAPausedNode(t *testing.T) {
	r := newRig(t, 2, "at 200ms for 200ms pause n2\nat 250ms for 10ms crash n2").run()
	// Arrived from 205 to 245 ms for the first process: lost. From 265 on: for the
	// second, which starts when the pause ends; it is not up before.
	if n := between(r.got(1, 0), at(200), at(405)); n != 0 {
		t.Errorf("%d messages crossed from one process to the next", n)
	}
	if n := between(r.got(1, 0), at(405), at(1010)); n == 0 {
		t.Error("the second process never handled anything")
	}
}

func TestStartWaitsForAPauseAndANewCrash(t *testing.T) {
	// The restart at 160 ms waits for the pause; when that ends, n1 is down again.
	r := newRig(t, 2, "at 100ms for 200ms pause n1\nat 150ms for 10ms crash n1\nat 290ms for 110ms crash n1").run()
	if first := r.all[0][1].wakes[0].Mono; len(r.all[0]) != 2 || first != at(410) {
		t.Errorf("n1 booted %d times and beat at %v, want 2 and 410 ms", len(r.all[0]), first)
	}
}

func TestSlowSync(t *testing.T) {
	r := newRig(t, 2, "at 201ms for 100ms slow-sync 30ms n1").logging().run()
	first := r.got(1, 0)[19] // beat 20: its sync was in flight
	if first.count != 20 || first.at != at(238) {
		t.Errorf("beat %d arrived at %v, want beat 20 at 238 ms", first.count, first.at)
	}
	if r.touched() != 3 && r.touched() != 4 {
		t.Errorf("touched %d syncs of 33 ms within 100 ms", r.touched())
	}
	if len(r.got(1, 0)) != 100 {
		t.Error("a slow disk lost messages")
	}
}

func TestGroupCommit(t *testing.T) {
	r := newRig(t, 2, "").logging()
	r.config.Disk.Sync = Range{at(25), at(25)}
	r.run()
	b := r.all[0][0]
	// Beat 1 syncs alone, beats 2 and 3 together, then 4 to 6, …
	if b.syncs[0] != 1 || b.syncs[1] != 3 || b.synced[0] != at(35) || b.synced[1] != at(60) {
		t.Errorf("synced %v at %v", b.syncs[:2], b.synced[:2])
	}
	if r.world.Durable(0) != 100 || r.world.Appended(0) != 100 {
		t.Errorf("%d of %d records durable at the end", r.world.Durable(0), r.world.Appended(0))
	}
}

// walls returns what n1's clock was off by at each beat.
func walls(r *rig) (list []Time, at []Time) {
	for _, now := range r.all[0][0].wakes {
		list = append(list, Time(now.Wall-DefaultEpoch)-now.Mono)
		at = append(at, now.Mono)
	}
	return list, at
}

func TestClockFaults(t *testing.T) {
	tests := []struct {
		fault string
		off   func(since Time) Time // since its beginning
	}{
		{"skew -250ms n1", func(Time) Time { return at(-250) }},
		{"jump +2s n1", func(since Time) Time { return 2 * Second * (at(400) - since) / at(400) }},
		{"jump -1s n1", func(since Time) Time { return -Second * (at(400) - since) / at(400) }},
		{"freeze n1", func(since Time) Time { return -since }},
	}
	for _, test := range tests {
		t.Run(test.fault, func(t *testing.T) {
			r := newRig(t, 2, "at 204ms for 400ms "+test.fault).run()
			off, when := walls(r)
			for i := range off {
				want := Time(0)
				if at(204) <= when[i] && when[i] < at(604) {
					want = test.off(when[i] - at(204))
				}
				if off[i] != want {
					t.Errorf("at %v the clock was off by %v, want %v", when[i], off[i], want)
				}
			}
			if r.touched() != 80 { // 40 beats and 40 messages
				t.Errorf("touched %d readings, want 80", r.touched())
			}
			if b := r.all[1][0].wakes[50]; b.Wall != DefaultEpoch+int64(b.Mono) {
				t.Error("the clock of n2 is wrong too")
			}
		})
	}
}

// TestClockFaultsOverlap: a frozen clock stays frozen through other faults, and is
// right again when the last one is over.
func TestClockFaultsOverlap(t *testing.T) {
	r := newRig(t, 2, `at 104ms for 200ms freeze n1
		at 204ms for 200ms freeze n1
		at 254ms for 500ms skew +1s n1`).run()
	off, when := walls(r)
	for i := range off {
		want := Time(0)
		switch {
		case at(104) <= when[i] && when[i] < at(404):
			want = at(104) - when[i]
		case at(404) <= when[i] && when[i] < at(754):
			want = Second
		}
		if off[i] != want {
			t.Errorf("at %v the clock was off by %v, want %v", when[i], off[i], want)
		}
	}
}

// TestSlownessEndsWithItsFault: however slow, nothing waits longer than the
// fault lasts, so that a healed world is not slow.
func TestSlownessEndsWithItsFault(t *testing.T) {
	slow := newRig(t, 2, "at 203ms for 100ms slow 10s n2").run()
	got := slow.got(1, 0)
	wantHeld(t, got, at(203), at(303), 10)
	if len(got) != 100 {
		t.Errorf("%d messages were handled, want 100", len(got))
	}
	disk := newRig(t, 2, "at 201ms for 100ms slow-sync 10s n1").logging().run()
	if first := disk.got(1, 0)[19]; first.count != 20 || first.at != at(306) {
		t.Errorf("beat %d arrived at %v, want beat 20 at 306 ms", first.count, first.at)
	}
}
