package store_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/hlc"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/store"
)

// write makes a version as a replica would.
func write(replica causal.ReplicaID, seq uint64, key string, clock hlc.Time, deleted bool) *store.Version {
	dot := causal.Dot{Replica: replica, Seq: seq}
	v := &store.Version{Key: key, Dot: dot, Context: causal.Pack(causal.Context{Epoch: 1, Clock: clock, Vector: causal.Vector{dot}}), Deleted: deleted}
	if !deleted {
		v.Value = []byte(dot.String())
	}
	return v
}

// apply takes a write that follows all that the store covers.
func apply(s *store.Store, v *store.Version, position uint64) store.Result {
	all := shard.All()
	s.Cover(&all, v.Dot.Seq-1, v.Dot)
	return s.Offer(v, position)
}

// full makes a store that holds every slot.
func full() *store.Store {
	s, all := store.New(), shard.All()
	s.Hold(&all)
	return s
}

// A store keeps its promise while it writes, hears of writes, gains slots and gives them up, copies
// part by part from sources that go on changing, and restarts; and when everybody has copied
// everybody, all who hold a slot are equal there.
func TestStoreKeepsItsPromise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(4)
		steps := [16]func(*rapid.T){
			w.write, w.write, w.write, w.write, w.stream, w.stream, w.begin, w.begin, w.part, w.part, w.part, w.hold, w.drop, w.retire, w.forget, w.restart,
		}
		for range rapid.IntRange(40, 160).Draw(t, "steps") {
			steps[drawIndex(t, 4, "step")](t)
			for _, r := range w.replicas {
				w.check(t, r)
			}
		}
		for _, r := range w.replicas {
			for _, id := range w.retired {
				r.forget(id)
			}
		}
		for range 2 { // what the last one copied, the first one lacks
			for _, r := range w.replicas {
				for _, source := range w.replicas {
					w.copyAll(t, r, source)
				}
			}
		}
		for _, slot := range w.slots {
			var first *replica
			for _, r := range w.replicas {
				switch {
				case r.have[slot] == nil:
				case first == nil:
					first = r
				case contents(first.store, slot) != contents(r.store, slot):
					t.Fatalf("in slot %d replica %d ends with\n%s\nreplica %d with\n%s", slot, first.id, contents(first.store, slot), r.id, contents(r.store, slot))
				}
			}
		}
	})
}

// copyAll copies everything that another replica has, by one request for each part of the
// requester's coverage.
func (w *world) copyAll(t *rapid.T, r, source *replica) {
	if r == source {
		return
	}
	for _, first := range []bool{true, false} {
		for _, part := range r.store.Have().Clone() {
			r.copy = nil
			if w.ask(r, source, part.Slots, first); r.copy == nil {
				continue
			}
			if r.copy.fetch(t, 1<<30); !r.copy.last {
				t.Fatal("a part of unlimited size is not the last")
			}
			w.install(t, r)
			w.check(t, r)
		}
	}
}

// The memory of growth and the list of arrivals are bounded. A requester that is further behind than they reach
// still gets everything, and one that is close gets little.
func TestLongHistory(t *testing.T) {
	const writes, keys, once = 5000, 100, 50 // the first keys are never written again
	s := full()
	for seq := range uint64(writes) {
		key := fmt.Sprint(seq % keys)
		if seq < once {
			key = "once " + key
		}
		apply(s, write(1, seq+1, key, hlc.Time(seq+1), false), seq+1)
	}
	for _, behind := range []uint64{0, 1, 7, keys, 1000, 3000, writes} {
		request := store.Request{Slots: shard.All(), Have: causal.Vector{}.Raise(causal.Dot{Replica: 1, Seq: writes - behind})}
		versions, _, last := s.Part(s.Since(&request), &request, 1<<30)
		want := min(behind, keys)
		if behind == writes {
			want += once
		}
		if uint64(len(versions)) != want || !last {
			t.Errorf("%d writes behind: %d versions, want %d", behind, len(versions), want)
		}
	}
	if got := s.Since(&store.Request{Slots: shard.All(), Have: causal.Vector{{Replica: 1, Seq: writes - 1}}}); got < writes {
		t.Errorf("one write behind begins at arrival %d", got)
	}
	if v, position := s.Lookup("99"); v.Dot.Seq != writes || position != writes {
		t.Errorf("key 99 is %v at position %d", v.Dot, position)
	}
}

// Nobody's coverage names a replica any more that has retired. Who is new to a slot gets its writes
// all the same: of one who restarted since, and of one who got them so.
func TestCopyOfWhatARetiredReplicaWrote(t *testing.T) {
	all := shard.All()
	gone := func(id causal.ReplicaID) bool { return id == 1 }
	copyOf := func(source *store.Store) *store.Store {
		s := full()
		request := store.Request{Slots: all, Have: source.Have().At(0).Clone()} // got by streams
		for _, dot := range request.Have {
			s.Cover(&all, 0, dot)
		}
		versions, _, _ := source.Part(source.Since(&request), &request, 1<<30)
		s.Install(versions, source.Have(), gone, true, 1, func(*store.Version) {})
		return s
	}
	first := full()
	apply(first, write(1, 1, "x", 5, false), 1)
	apply(first, write(1, 2, "y", 6, true), 1)
	first.Cover(&all, 0, causal.Dot{Replica: 2, Seq: 1})
	first.Forget(gone)
	if got := first.Have().String(); got != "2.1" {
		t.Errorf("covers %s", got)
	}
	restarted := store.New()
	first.Versions(func(v *store.Version) bool {
		restarted.Offer(v, 1)
		return true
	})
	restarted.Restored(first.Have().Clone())
	for name, s := range map[string]*store.Store{
		"one": copyOf(first), "one that restarted": copyOf(restarted), "one that got a copy": copyOf(copyOf(first)),
	} {
		if s.Len() != 2 || s.Live() != 1 {
			t.Errorf("a copy of %s has %d keys, %d of them live", name, s.Len(), s.Live())
		}
	}
	// Who held the slot all the time has them.
	request := store.Request{Slots: all, Gone: gone}
	if versions, _, last := restarted.Part(restarted.Since(&request), &request, 1<<30); len(versions) != 0 || !last {
		t.Errorf("%d versions for one who has them", len(versions))
	}
}

// One who forgot a retired replica has all that it wrote, though the source does not know so yet.
func TestInstallSkipsTheForgotten(t *testing.T) {
	s, old := full(), write(1, 1, "x", 5, false)
	apply(s, old, 1)
	apply(s, write(2, 1, "x", 4, false), 2)
	gone := func(id causal.ReplicaID) bool { return id == 1 }
	s.Forget(gone)
	n := s.Install([]store.Version{*old, *write(1, 2, "y", 6, false)}, nil, gone, false, 3, func(v *store.Version) { t.Errorf("stored %v", v.Dot) })
	if n != (store.Installed{Skipped: 2}) || s.Len() != 1 || s.Have().String() != "2.1" {
		t.Errorf("%+v, %d keys, have %v", n, s.Len(), s.Have())
	}
}

// What a slot that was given up meanwhile had in a copy is left out.
func TestInstallAfterDrop(t *testing.T) {
	s, kept, lost := full(), write(1, 1, "x", 5, false), write(1, 2, "y", 6, false)
	slots := setOf(shard.SlotOf("y"))
	s.Drop(&slots, func(key string) { t.Errorf("dropped %s", key) })
	to := causal.Coverage{{Slots: shard.All(), Vector: causal.Vector{{Replica: 1, Seq: 2}}}}
	n := s.Install([]store.Version{*kept, *lost}, to, func(causal.ReplicaID) bool { return false }, false, 1, func(v *store.Version) {
		if v.Key != "x" {
			t.Errorf("stored %s", v.Key)
		}
	})
	if v, _ := s.Lookup("y"); v != nil || n != (store.Installed{}) || s.Len() != 1 || s.Have().At(shard.SlotOf("y")) != nil {
		t.Errorf("%v of y, %+v, %d keys", v, n, s.Len())
	}
}

func TestOffer(t *testing.T) {
	s := full()
	for i, step := range []struct {
		version *store.Version
		want    store.Result
		live    uint64
	}{
		{write(1, 1, "x", 5, false), store.Stored, 1},
		{write(1, 1, "x", 5, false), store.Present, 1},
		{write(2, 1, "x", 4, false), store.Loser, 1},
		{write(2, 2, "x", 5, true), store.Stored, 0}, // the replica breaks the tie
		{write(1, 2, "x", 5, false), store.Loser, 0},
		{write(1, 3, "x", 6, false), store.Stored, 1},
		{write(1, 4, "y", 7, true), store.Stored, 1},
		{write(1, 5, "y", 8, true), store.Stored, 1},
	} {
		if got := apply(s, step.version, uint64(i+1)); got != step.want || s.Live() != step.live {
			t.Errorf("step %d: %v with %d live keys, want %v with %d", i, got, s.Live(), step.want, step.live)
		}
	}
	if v, _ := s.Lookup("z"); v != nil {
		t.Errorf("z is %v", v)
	}
	// A version that was there before keeps the position that made it durable.
	s.Offer(write(1, 3, "x", 6, false), 99)
	if _, position := s.Lookup("x"); position != 6 {
		t.Errorf("position %d", position)
	}
}

func TestVersionRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := write(causal.ReplicaID(rapid.Uint32Range(1, 9).Draw(t, "replica")), rapid.Uint64Min(1).Draw(t, "seq"),
			rapid.String().Draw(t, "key"), hlc.Time(rapid.Uint64().Draw(t, "clock")), rapid.Bool().Draw(t, "deleted"))
		buf := store.AppendVersion(nil, v)
		r := codec.NewReader(buf)
		got := store.ReadVersion(&r)
		if r.Close() != nil || fmt.Sprint(got) != fmt.Sprint(*v) {
			t.Fatalf("%v is read as %v: %v", *v, got, r.Err())
		}
		for i := range buf {
			buf[i] = 0xff
		}
		if fmt.Sprint(got) != fmt.Sprint(*v) {
			t.Fatal("the version shares memory with its encoding")
		}
	})
}

// A version without a name, or whose context does not contain it, is refused: it could not be covered.
func TestVersionsWithoutADotAreRefused(t *testing.T) {
	for name, change := range map[string]func(*store.Version){
		"no replica":      func(v *store.Version) { v.Dot.Replica = 0 },
		"no number":       func(v *store.Version) { v.Dot.Seq = 0 },
		"not in context":  func(v *store.Version) { v.Context = nil },
		"beyond context":  func(v *store.Version) { v.Dot.Seq++ },
		"another replica": func(v *store.Version) { v.Dot.Replica++ },
	} {
		v := write(3, 7, "x", 1, false)
		change(v)
		r := codec.NewReader(store.AppendVersion(nil, v))
		if store.ReadVersion(&r); r.Close() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
