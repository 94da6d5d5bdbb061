package store_test

import (
	"fmt"
	"slices"
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

func nobody(causal.ReplicaID) bool { return false }

func copyOf(to causal.Coverage, versions ...store.Version) *store.Copy {
	c := store.NewCopy(to)
	c.Add(versions)
	return c
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
		request := store.Request{Slots: shard.All(), Have: causal.Vector{}.Raise(causal.Dot{Replica: 1, Seq: writes - behind}), Gone: nobody}
		versions, _, last := s.Part(0, &request, 1<<30)
		want := min(behind, keys)
		if behind == writes {
			want += once
		}
		if uint64(len(versions)) != want || !last {
			t.Errorf("%d writes behind: %d versions, want %d", behind, len(versions), want)
		}
	}
	// Whoever is close is answered without a look at everything: looking costs something, too.
	for behind := range uint64(300) {
		request := store.Request{Slots: shard.All(), Have: causal.Vector{{Replica: 1, Seq: writes - behind}}, Gone: nobody}
		if _, _, last := s.Part(0, &request, 1+int(behind)*100); !last {
			t.Errorf("%d writes behind: more was looked at", behind)
		}
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
	fill := func(source *store.Store) *store.Store {
		s := full()
		request := store.Request{Slots: all, Have: source.Have().At(0).Clone()} // got by streams
		for _, dot := range request.Have {
			s.Cover(&all, 0, dot)
		}
		versions, _, _ := source.Part(0, &request, 1<<30)
		s.Install(copyOf(source.Have(), versions...), gone, true, 1, nil)
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
		"one": fill(first), "one that restarted": fill(restarted), "one that got a copy": fill(fill(first)),
	} {
		if s.Len() != 2 || s.Live() != 1 {
			t.Errorf("a copy of %s has %d keys, %d of them live", name, s.Len(), s.Live())
		}
	}
	// Who held the slot all the time has them.
	request := store.Request{Slots: all, Gone: gone}
	if versions, _, last := restarted.Part(0, &request, 1<<30); len(versions) != 0 || !last {
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
	n := s.Install(copyOf(nil, *old, *write(1, 2, "y", 6, false)), gone, false, 3, func(v *store.Version) { t.Errorf("stored %v", v.Dot) })
	if n != (store.Installed{Skipped: true}) || s.Len() != 1 || s.Have().String() != "2.1" {
		t.Errorf("%+v, %d keys, have %v", n, s.Len(), s.Have())
	}
}

// What a slot that was given up meanwhile had in a copy is left out.
func TestInstallAfterDrop(t *testing.T) {
	s, kept, lost := full(), write(1, 1, "x", 5, false), write(1, 2, "y", 6, false)
	slots := setOf(shard.SlotOf("y"))
	s.Drop(&slots, func(key string) { t.Errorf("dropped %s", key) })
	to := causal.Coverage{{Slots: shard.All(), Vector: causal.Vector{{Replica: 1, Seq: 2}}}}
	n := s.Install(copyOf(to, *kept, *lost), nobody, false, 1, func(v *store.Version) {
		if v.Key != "x" {
			t.Errorf("stored %s", v.Key)
		}
	})
	if v, _ := s.Lookup("y"); v != nil || n != (store.Installed{}) || s.Len() != 1 || s.Have().At(shard.SlotOf("y")) != nil {
		t.Errorf("%v of y, %+v, %d keys", v, n, s.Len())
	}
}

// What a full copy brought is durable where the copy is, and what was here where it was before. That holds
// where a slot of the copy takes the place of what is here, and where it is put there version by version.
func TestPositionsOfACopy(t *testing.T) {
	s, keys := full(), ofOneSlot(3)
	apply(s, write(1, 1, "x", 5, false), 3)
	apply(s, write(1, 2, "y", 6, false), 4)
	apply(s, write(1, 3, keys[0], 9, false), 5)
	to := causal.Coverage{{Slots: shard.All(), Vector: causal.Vector{{Replica: 2, Seq: 4}}}}
	var recorded []string
	n := s.Install(copyOf(to, *write(2, 1, keys[0], 8, false), *write(2, 2, "y", 7, false), *write(2, 3, keys[1], 8, false), *write(2, 4, keys[2], 9, true)),
		nobody, true, 7, func(v *store.Version) { recorded = append(recorded, v.Key) })
	if want := sorted([]string{"y", keys[1], keys[2]}); !n.Skipped || !slices.Equal(sorted(recorded), want) {
		t.Errorf("%+v, %v on record, want %v", n, recorded, want)
	}
	for key, want := range map[string]uint64{"x": 3, "y": 7, keys[1]: 7, keys[2]: 7} {
		if v, got := s.Lookup(key); v == nil || got != want {
			t.Errorf("%s is %v at position %d, want %d", key, v, got, want)
		}
	}
	if v, _ := s.Lookup(keys[0]); v.Dot.Replica != 1 || s.Len() != 5 || s.Live() != 4 || s.Have().String() != "1.3 2.4" {
		t.Errorf("%s is %v; %d keys, %d live, have %v", keys[0], v.Dot, s.Len(), s.Live(), s.Have())
	}
}

// ofOneSlot are keys that share a slot.
func ofOneSlot(n int) (keys []string) {
	for i := 0; len(keys) < n; i++ {
		if key := fmt.Sprint(i); shard.SlotOf(key) == shard.SlotOf("0") {
			keys = append(keys, key)
		}
	}
	return keys
}

// A part ends when much was looked at, too, however little it brings.
func TestPartsThatBringLittle(t *testing.T) {
	const keys = 5000
	s := store.New()
	for seq := range uint64(keys) {
		s.Offer(write(1, seq+1, fmt.Sprint(seq), hlc.Time(seq+1), false), 1)
	}
	s.Restored(causal.Coverage{{Slots: shard.All(), Vector: causal.Vector{{Replica: 1, Seq: keys}}}}) // nothing is known of the order of growth
	request := store.Request{Slots: shard.All(), Have: causal.Vector{{Replica: 1, Seq: keys - 1}}, Gone: nobody}
	parts, brought, cursor := 0, 0, uint64(0)
	for last := false; !last; parts++ {
		var versions []store.Version
		versions, cursor, last = s.Part(cursor, &request, 1600)
		brought += len(versions)
	}
	if brought != 1 || parts < 40 || parts > 60 {
		t.Errorf("%d versions in %d parts", brought, parts)
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
