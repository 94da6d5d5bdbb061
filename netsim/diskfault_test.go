package netsim

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// writers is a world of one node that appends three records of eight bytes at
// once every 10 ms, from 10 ms on, and sends one message per record to another.
// A sync takes 3 ms.
type writers struct {
	config Config[uint64]
	boots  []Boot[uint64]
	got    []receipt
	heard  []Position // by boot: of the last Synced
	full   []Time     // when the disk was full
	world  *World[uint64]
}

type recorder struct {
	beat
	in *writers
}

func (r *recorder) Wake(now Clock, out *Outbox[uint64]) {
	if out.DiskFull() {
		r.in.full = append(r.in.full, now.Mono)
	}
	for range 3 {
		r.beats++
		out.Send(1, r.beats, out.Append(binary.BigEndian.AppendUint64(nil, r.beats)))
	}
	out.WakeAt(now.Mono + 10*Millisecond)
}

func (r *recorder) Receive(now Clock, from NodeID, count uint64, _ *Outbox[uint64]) {
	r.in.got = append(r.in.got, receipt{now.Mono, from, count})
}

func (r *recorder) Synced(_ Clock, upTo Position, _ *Outbox[uint64]) {
	r.in.heard[len(r.in.heard)-1] = upTo
}

func newWriters(t *testing.T, schedule string) *writers {
	t.Helper()
	faults, err := ParseSchedule(schedule, names(2))
	if err != nil {
		t.Fatal(err)
	}
	w := &writers{}
	w.config = Config[uint64]{
		Names: names(2),
		Boot: func(boot Boot[uint64]) Node[uint64] {
			if boot.ID == 0 {
				w.boots, w.heard = append(w.boots, boot), append(w.heard, 0)
				return &recorder{beat: beat{every: 10 * Millisecond, beats: uint64(len(boot.Records))}, in: w}
			}
			return &recorder{beat: beat{every: 10 * Second}, in: w}
		},
		Disk:     DiskModel{Sync: Range{3 * Millisecond, 3 * Millisecond}},
		Network:  Network{Latency: Range{Millisecond, Millisecond}},
		Schedule: faults,
		End:      100 * Millisecond,
		Encode:   encodeCount,
	}
	return w
}

func (w *writers) run(t *testing.T) *writers {
	t.Helper()
	world, err := New(w.config)
	if err != nil {
		t.Fatal(err)
	}
	if w.world = world; world.Run() != nil {
		t.Fatal(world.Violation())
	}
	return w
}

// TestTearLeavesADrawnPart: of what a sync was about, each number of records is
// left in some seed, and part of the next; never less than what was durable.
func TestTearLeavesADrawnPart(t *testing.T) {
	var left [4]int
	torn := 0
	for seed := range Seed(200) {
		w := newWriters(t, "at 21ms for 1ms tear n1")
		w.config.Seed = seed
		boot := w.run(t).boots[1]
		if len(boot.Records) < 3 || len(boot.Records) > 6 || boot.Position != Position(len(boot.Records)) {
			t.Fatalf("seed %d: %d records are left, want 3 to 6", seed, len(boot.Records))
		}
		for i, record := range boot.Records {
			if binary.BigEndian.Uint64(record) != uint64(i+1) {
				t.Fatalf("seed %d: record %d is %x", seed, i, record)
			}
		}
		left[len(boot.Records)-3]++
		next := binary.BigEndian.AppendUint64(nil, uint64(len(boot.Records)+1))
		if len(boot.Torn) > 0 {
			torn++
		}
		if !bytes.HasPrefix(next, boot.Torn) || len(boot.Torn) == len(next) || len(boot.Records) == 6 && boot.Torn != nil {
			t.Fatalf("seed %d: torn is %x behind record %d", seed, boot.Torn, len(boot.Records))
		}
	}
	if slices.Min(left[:]) < 5 || torn < 20 {
		t.Errorf("left by how often %v, torn %d of 200; want all of it", left, torn)
	}
}

// TestTearLeavesNothingOfTheMemory: what no sync was about is gone, and of a disk
// that is not busy nothing is.
func TestTearLeavesNothingOfTheMemory(t *testing.T) {
	for seed := range Seed(20) {
		w := newWriters(t, "at 11ms for 1ms tear n1")
		w.config.Seed, w.config.Disk.Write = seed, Range{5 * Millisecond, 5 * Millisecond}
		if boot := w.run(t).boots[1]; boot.Position != 0 || boot.Torn != nil {
			t.Errorf("seed %d: %d records are left that had not reached the disk", seed, boot.Position)
		}
		w = newWriters(t, "at 15ms for 1ms tear n1")
		w.config.Seed = seed
		if boot := w.run(t).boots[1]; boot.Position != 3 {
			t.Errorf("seed %d: %d of 3 durable records are left", seed, boot.Position)
		}
	}
}

func TestWriteLatencyGathers(t *testing.T) {
	w := newWriters(t, "")
	w.config.Disk.Write = Range{12 * Millisecond, 12 * Millisecond}
	w.run(t)
	// Appended at 10 and 20 ms, on the disk at 22, durable at 25, received at 26.
	if n := between(w.got, 26*Millisecond, 26*Millisecond+1); n != 6 || w.got[0].at != 26*Millisecond {
		t.Errorf("%d messages came at 26 ms, the first at %v", n, w.got[0].at)
	}
}

func TestFailingDiskEndsTheProcess(t *testing.T) {
	w := newWriters(t, "at 15ms for 30ms fail-disk n1").run(t)
	// The sync of 20 ms fails at 23 ms; the process is back at 45 ms.
	if len(w.boots) != 2 || between(w.got, 15*Millisecond, 59*Millisecond) != 0 || w.boots[1].Position < 3 {
		t.Errorf("%d boots, the second with %d records, and %d messages from 15 to 59 ms", len(w.boots), w.boots[1].Position,
			between(w.got, 15*Millisecond, 59*Millisecond))
	}
	if next := w.got[3]; next.count != uint64(w.boots[1].Position)+1 || next.at != 59*Millisecond {
		t.Errorf("goes on with %d at %v, want at 59 ms", next.count, next.at)
	}
	if f := w.world.Faults()[0]; f.Touched != 1 {
		t.Errorf("touched %d, want one sync", f.Touched)
	}
	idle := newWriters(t, "at 14ms for 5ms fail-disk n1").run(t)
	if len(idle.boots) != 1 || idle.world.Faults()[0].Touched != 0 {
		t.Error("a disk failed that nobody used")
	}
}

// TestFailingDiskLosesTheTail: what a sync that failed was about to make durable may be there, in part or whole, or not.
func TestFailingDiskLosesTheTail(t *testing.T) {
	var whole, partial, none int
	for seed := range Seed(200) {
		w := newWriters(t, "at 15ms for 15ms fail-disk n1")
		w.config.Seed = seed
		switch boot := w.run(t).boots[1]; boot.Position {
		case 3:
			none++
		case 6:
			whole++
		default:
			partial++
		}
	}
	if min(whole, partial, none) < 10 {
		t.Errorf("of 200 tails %d are whole, %d are there in part, %d are gone", whole, partial, none)
	}
}

func TestFullDiskSaysSo(t *testing.T) {
	w := newWriters(t, "at 15ms for 20ms fill-disk n1").run(t)
	if !slices.Equal(w.full, []Time{20 * Millisecond, 30 * Millisecond}) || w.world.Faults()[0].Touched != 2 {
		t.Errorf("full at %v", w.full)
	}
	if w.world.Durable(0) != 27 {
		t.Errorf("%d records are durable, want 27: what is appended all the same fits", w.world.Durable(0))
	}
}

// TestFalseSync: what depends on it leaves, a crash takes it back; after an honest
// sync it does not.
func TestFalseSync(t *testing.T) {
	w := newWriters(t, "at 15ms for 10ms false-sync n1\nat 26ms for 1ms crash n1").run(t)
	if w.got[5].count != 6 || w.got[5].at != 24*Millisecond || w.boots[1].Position != 3 || w.boots[1].Synced != 6 {
		t.Errorf("%+v was received, %d records are left", w.got[5], w.boots[1].Position)
	}
	honest := newWriters(t, "at 15ms for 10ms false-sync n1\nat 36ms for 1ms crash n1").run(t)
	if honest.boots[1].Position != 9 || honest.boots[1].Synced != 9 {
		t.Errorf("%d of 9 records are left after an honest sync", honest.boots[1].Position)
	}
}

// TestDiskPoints: a crash right there, of the second sync (records 4 to 6).
func TestDiskPoints(t *testing.T) {
	for _, test := range []struct {
		when string
		left Position // at the restart
		sent int      // of the first life
		at   Time     // when the crash is
	}{
		{"4th disk.appended", 3, 3, at(20)},
		{"2nd disk.writing", 3, 3, at(20)},
		{"2nd disk.durable", 6, 3, at(23)},
		{"4th disk.released", 6, 4, at(23)},
		{"5th disk.released", 6, 5, at(23)},
		{"6th disk.released", 6, 6, at(23)},
		{"2nd disk.synced", 6, 6, at(23)},
	} {
		w := newWriters(t, "when "+test.when+" at n1 then crash met for 500ms").run(t)
		report := w.world.Faults()[0]
		if len(w.got) != test.sent || report.Began != test.at || w.world.Appended(0) != test.left {
			t.Errorf("%s: %d messages left, want %d; the crash was at %v, want %v; %d records are left, want %d", test.when,
				len(w.got), test.sent, report.Began, test.at, w.world.Appended(0), test.left)
		}
		if w.world.Met(test.when) != 0 || len(w.world.Probes()) != 0 {
			t.Errorf("%s counts as a situation of the machine", test.when)
		}
		// Another fault at the same point changes nothing but its own.
		w = newWriters(t, "when "+test.when+" at n1 then pause met for 1ms").run(t)
		if calm := newWriters(t, "").run(t); len(w.got) != len(calm.got) || w.world.Durable(0) != calm.world.Durable(0) {
			t.Errorf("%s: a pause there loses messages", test.when)
		}
	}
}

// TestDiskKeepsItsWord: whatever the faults, what a process was told is durable and
// what anybody received is there after a restart; what is there was written in
// that order; and nobody who is told that the disk is full finds it otherwise.
func TestDiskKeepsItsWord(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		swarm := Swarm{
			Targets: 1, End: 90 * Millisecond, Count: rapid.IntRange(1, 12).Draw(rt, "count"), Longest: 20 * Millisecond,
			Kinds:      []FaultKind{Crash, Tear, FailDisk, FillDisk, SlowSync, Pause},
			Situations: DiskPoints(), Triggered: Ratio{2, 3},
		}
		w := newWriters(t, "")
		w.config.Seed = Seed(rapid.Uint64().Draw(rt, "seed"))
		w.config.Schedule = swarm.Draw(w.config.Seed)
		w.config.Disk.Write.Max = Time(rapid.SampledFrom([]int64{0, 2, 15}).Draw(rt, "write")) * Millisecond
		plain := w.config.Boot
		w.config.Boot = func(boot Boot[uint64]) Node[uint64] {
			shown := uint64(0)
			for _, g := range w.got {
				shown = max(shown, g.count)
			}
			if boot.ID == 0 && boot.Count > 0 {
				if told := w.heard[len(w.heard)-1]; boot.Position < told || boot.Position < Position(shown) {
					rt.Fatalf("the process was told of %d, %d was received, %d records are left\n%s", told, shown, boot.Position,
						w.config.Schedule.Format(w.config.Names))
				}
				if died := boot.Crashed.(*recorder).beats; boot.Position > Position(died) {
					rt.Fatalf("%d records are left of %d", boot.Position, died)
				}
			}
			for i, record := range boot.Records {
				if binary.BigEndian.Uint64(record) != uint64(i+1) {
					rt.Fatalf("record %d is %x", i, record)
				}
			}
			return plain(boot)
		}
		w.run(t)
	})
}
