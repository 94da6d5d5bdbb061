package store_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/hlc"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/store"
)

// covered says slot by slot what a store covers: the naive form of a coverage.
type covered map[shard.Slot]map[causal.ReplicaID]uint64

// raise covers, at those of the slots that are held and cover the writes up to from, the writes up
// to dot.
func (c covered) raise(slots shard.Set, from uint64, dot causal.Dot) {
	for slot, at := range c {
		if slots.Has(slot) && at[dot.Replica] >= from {
			at[dot.Replica] = max(at[dot.Replica], dot.Seq)
		}
	}
}

func (c covered) slots() (s shard.Set) {
	for slot := range c {
		s.Add(slot)
	}
	return s
}

// replica is a store in the model. It writes under one replica id until it gains slots.
type replica struct {
	id       causal.ReplicaID
	store    *store.Store
	have     covered                   // what the store's Have must be
	owed     covered                   // what it must hold: have, and all that Have stopped to name
	complete map[shard.Slot]bool       // slots where it holds all writes of the replicas that it forgot
	forgot   map[causal.ReplicaID]bool // retired replicas that Have does not name any more
	clock    hlc.Time
	era      int // grows when copies that others make of it become worthless
	copy     *copying
}

func (r *replica) gone(id causal.ReplicaID) bool { return r.forgot[id] }

// copying is a copy that a replica makes of another one, part by part.
type copying struct {
	source  *replica
	era     int // of the source
	request store.Request
	first   bool            // the requester may lack writes of replicas that others have forgotten
	slots   shard.Set       // those of the request that the requester did not give up meanwhile
	to      causal.Coverage // at those
	told    causal.Coverage // at all slots of the request
	owed    covered         // by the source
	whole   map[shard.Slot]bool
	cursor  uint64
	staged  []store.Version
	last    bool
}

// world is a few replicas and every write that was ever made.
type world struct {
	replicas []*replica
	keys     map[shard.Slot][]string // two for each slot
	slots    []shard.Slot            // of the keys, ascending
	writes   map[causal.ReplicaID][]*store.Version
	last     causal.ReplicaID // handed out
	sealed   []causal.ReplicaID
	retired  []causal.ReplicaID
}

// newWorld makes four replicas that hold all of a few slots.
func newWorld(slots int) *world {
	w := &world{keys: map[shard.Slot][]string{}, writes: map[causal.ReplicaID][]*store.Version{}}
	found := map[shard.Slot][]string{}
	for i := 0; len(w.slots) < slots; i++ {
		slot := shard.SlotOf(fmt.Sprint(i))
		if found[slot] = append(found[slot], fmt.Sprint(i)); len(found[slot]) == 2 {
			w.slots, w.keys[slot] = append(w.slots, slot), found[slot]
		}
	}
	slices.Sort(w.slots)
	for range 4 {
		r := &replica{store: store.New(), complete: map[shard.Slot]bool{}, forgot: map[causal.ReplicaID]bool{}, have: covered{}, owed: covered{}}
		w.replicas = append(w.replicas, r)
		w.gain(r, w.all())
		for _, slot := range w.slots {
			r.complete[slot] = true
		}
	}
	return w
}

func (w *world) all() (s shard.Set) {
	for _, slot := range w.slots {
		s.Add(slot)
	}
	return s
}

// drawIndex draws a number below 1<<bits, each as often as any other.
func drawIndex(t *rapid.T, bits int, name string) (n int) {
	for range bits {
		if n *= 2; rapid.Bool().Draw(t, name) {
			n++
		}
	}
	return n
}

func (w *world) drawReplica(t *rapid.T, name string) *replica {
	return w.replicas[drawIndex(t, 2, name)]
}

func (w *world) drawSlots(t *rapid.T) (s shard.Set) {
	mask := drawIndex(t, len(w.slots), "slots")
	for i, slot := range w.slots {
		if mask>>i&1 != 0 {
			s.Add(slot)
		}
	}
	return s
}

// gain has a replica hold more slots: from then on it writes under another id, so that what it
// covers of its own writes is the same at every slot.
func (w *world) gain(r *replica, slots shard.Set) {
	held := r.have.slots()
	fresh := slots.Minus(&held)
	r.store.Hold(&slots)
	if fresh.IsEmpty() {
		return
	}
	if r.copy != nil && fresh.Intersects(&r.copy.request.Slots) {
		r.copy = nil // given up, and held again: what was asked for is not enough any more
	}
	for _, slot := range w.slots {
		if fresh.Has(slot) {
			r.have[slot], r.owed[slot] = map[causal.ReplicaID]uint64{}, map[causal.ReplicaID]uint64{}
		}
	}
	if r.id != 0 {
		w.sealed = append(w.sealed, r.id)
	}
	w.last++
	r.id = w.last
}

func (w *world) hold(t *rapid.T) { w.gain(w.drawReplica(t, "holder"), w.drawSlots(t)) }

// drop has a replica give slots up.
func (w *world) drop(t *rapid.T) {
	r, slots := w.drawReplica(t, "holder"), w.drawSlots(t)
	var want, got []string
	r.store.Versions(func(v *store.Version) bool {
		if slots.Has(shard.SlotOf(v.Key)) {
			want = append(want, v.Key)
		}
		return true
	})
	r.store.Drop(&slots, func(key string) { got = append(got, key) })
	if slices.Sort(want); !slices.Equal(want, sorted(got)) {
		t.Fatalf("dropped %v, want %v", got, want)
	}
	for _, slot := range w.slots {
		if slots.Has(slot) {
			delete(r.have, slot)
			delete(r.owed, slot)
			delete(r.complete, slot)
		}
	}
	r.era++
	if r.copy != nil {
		r.copy.slots = r.copy.slots.Minus(&slots)
		r.copy.to = r.copy.to.Drop(&slots)
	}
}

func sorted(keys []string) []string { return slices.Sorted(slices.Values(keys)) }

func (w *world) write(t *rapid.T) {
	r := w.drawReplica(t, "writer")
	if len(r.have) == 0 {
		return
	}
	slot := rapid.SampledFrom(slices.Sorted(maps.Keys(r.have))).Draw(t, "slot")
	r.clock = max(r.clock+1, hlc.Time(rapid.IntRange(0, 60).Draw(t, "wall")))
	seq := uint64(len(w.writes[r.id]) + 1)
	v := write(r.id, seq, rapid.SampledFrom(w.keys[slot]).Draw(t, "key"), r.clock, rapid.IntRange(0, 3).Draw(t, "kind") == 0)
	w.writes[r.id] = append(w.writes[r.id], v)
	held := r.have.slots()
	r.have.raise(held, seq-1, v.Dot)
	r.owed.raise(held, seq-1, v.Dot)
	if !r.store.Cover(&held, seq-1, v.Dot) {
		t.Fatalf("%v of %s changes nothing", v.Dot, v.Key)
	}
	r.store.Offer(v, 1)
}

// stream brings a replica a piece of what was written under some id: it knows of some slots alone.
func (w *world) stream(t *rapid.T) {
	r := w.drawReplica(t, "receiver")
	id := causal.ReplicaID(rapid.Uint32Range(1, uint32(w.last)).Draw(t, "stream"))
	length := uint64(len(w.writes[id]))
	if length == 0 || r.forgot[id] {
		return
	}
	from := rapid.Uint64Range(0, length-1).Draw(t, "from")
	if rapid.Bool().Draw(t, "next") {
		from = min(from, r.have[rapid.SampledFrom(w.slots).Draw(t, "at")][id])
	}
	w.piece(r, w.drawSlots(t), from, causal.Dot{Replica: id, Seq: rapid.Uint64Range(from+1, length).Draw(t, "to")})
}

// piece applies the writes after from, up to dot, that fall into slots.
func (w *world) piece(r *replica, slots shard.Set, from uint64, dot causal.Dot) {
	var news []*store.Version
	for _, v := range w.writes[dot.Replica][from:dot.Seq] {
		slot := shard.SlotOf(v.Key)
		if before := r.have[slot][dot.Replica]; slots.Has(slot) && r.have[slot] != nil && before >= from && before < v.Dot.Seq {
			news = append(news, v)
		}
	}
	r.store.Cover(&slots, from, dot)
	for _, v := range news {
		r.store.Offer(v, 1)
	}
	r.have.raise(slots, from, dot)
	r.owed.raise(slots, from, dot)
}

// retire brings everybody what was written under a sealed id, so that no coverage need name it.
func (w *world) retire(t *rapid.T) {
	if len(w.sealed) == 0 {
		return
	}
	i := rapid.IntRange(0, len(w.sealed)-1).Draw(t, "retired")
	id := w.sealed[i]
	w.sealed, w.retired = slices.Delete(w.sealed, i, i+1), append(w.retired, id)
	for _, r := range w.replicas {
		w.piece(r, w.all(), 0, causal.Dot{Replica: id, Seq: uint64(len(w.writes[id]))})
	}
}

// forget lets a replica learn that an id is retired; others may not know yet.
func (w *world) forget(t *rapid.T) {
	if len(w.retired) > 0 {
		w.drawReplica(t, "forgetful").forget(rapid.SampledFrom(w.retired).Draw(t, "forgotten"))
	}
}

func (r *replica) forget(id causal.ReplicaID) {
	r.forgot[id] = true
	r.store.Forget(r.gone)
	for _, at := range r.have {
		delete(at, id)
	}
}

// begin starts a copy of some slots of another replica.
func (w *world) begin(t *rapid.T) {
	r, source := w.drawReplica(t, "requester"), w.drawReplica(t, "source")
	have := r.store.Have()
	if r == source || len(have) == 0 {
		return
	}
	slots := w.drawSlots(t)
	if rapid.Bool().Draw(t, "one part") {
		slots = slots.Intersect(&have[rapid.IntRange(0, len(have)-1).Draw(t, "part")].Slots)
	}
	w.ask(r, source, slots, rapid.Bool().Draw(t, "first"))
}

// ask starts a copy of those of the slots that are held, either of the complete ones or of the rest.
func (w *world) ask(r, source *replica, slots shard.Set, first bool) {
	for slot := range shard.Slot(shard.Slots) {
		if slots.Has(slot) && (r.have[slot] == nil || r.complete[slot] == first) {
			slots = slots.Minus(&[]shard.Set{setOf(slot)}[0])
		}
	}
	if slots.IsEmpty() {
		return
	}
	c := &copying{source: source, era: source.era, first: first, slots: slots, owed: covered{}, whole: maps.Clone(source.complete)}
	c.request = store.Request{Slots: slots, Have: r.store.Have().Least(&slots)}
	if !first {
		c.request.Gone = source.gone
	}
	c.told = source.store.Have().Within(&slots)
	c.to = c.told.Clone()
	for slot, at := range source.owed {
		c.owed[slot] = maps.Clone(at)
	}
	r.copy = c
}

// part fetches the next part of a copy under way; when it is the last, the copy is installed, perhaps
// after other things have happened.
func (w *world) part(t *rapid.T) {
	var busy []int
	for i, r := range w.replicas {
		if r.copy != nil {
			busy = append(busy, i)
		}
	}
	if len(busy) == 0 {
		return
	}
	r := w.replicas[rapid.SampledFrom(busy).Draw(t, "requester")]
	switch c := r.copy; {
	case c.last:
		w.install(t, r)
	case c.era != c.source.era:
		r.copy = nil
	default:
		c.fetch(t, rapid.IntRange(1, 150).Draw(t, "size"))
	}
}

func (c *copying) fetch(t *rapid.T, size int) {
	versions, next, last := c.source.store.Part(c.cursor, &c.request, size)
	if next <= c.cursor && !last {
		t.Fatalf("the copy stands still at %d", next)
	}
	sum := 0
	for i := range versions {
		v := &versions[i]
		if c.request.Have.Covers(v.Dot) || !c.request.Slots.Has(shard.SlotOf(v.Key)) || !c.first && c.source.gone(v.Dot.Replica) {
			t.Fatalf("%v of %s is sent to one who has it", v.Dot, v.Key)
		}
		if sum >= size {
			t.Fatalf("a part of %d bytes goes on after %d", size, sum)
		}
		sum += len(v.Key) + len(v.Value) + len(v.Context)
	}
	c.staged, c.cursor, c.last = append(c.staged, versions...), next, last
}

func (w *world) install(t *rapid.T, r *replica) {
	c := r.copy
	r.copy = nil
	c.to = c.to.Forget(r.gone)
	before, want := r.store.Have().Clone(), store.Installed{}
	old, best := map[string]store.Version{}, map[string]*store.Version{}
	whole := store.NewCopy(c.told)
	whole.Add(c.staged[:len(c.staged)/2]) // parts
	whole.Add(c.staged[len(c.staged)/2:])
	for i := range c.staged {
		v := &c.staged[i]
		if b := best[v.Key]; b == nil || v.Compare(b) > 0 {
			best[v.Key] = v
		}
	}
	for key, v := range best {
		slot := shard.SlotOf(key)
		current, _ := r.store.Lookup(key)
		if current != nil {
			old[key] = *current
		}
		if r.have[slot] != nil && (before.At(slot).Covers(v.Dot) || r.gone(v.Dot.Replica) && !c.first || current != nil && v.Compare(current) <= 0) {
			want.Skipped = true
		}
	}
	stored := map[causal.Dot]bool{}
	hear := func(v *store.Version) { stored[v.Dot] = true }
	deaf := rapid.Bool().Draw(t, "volatile")
	if deaf {
		hear = nil
	}
	if n := r.store.Install(whole, r.gone, c.first, 1, hear); n != want {
		t.Fatalf("installed %+v, want %+v", n, want)
	}
	for i := range c.staged {
		key := c.staged[i].Key
		if current, _ := r.store.Lookup(key); current != nil && current.Dot != old[key].Dot && !stored[current.Dot] && !deaf {
			t.Fatalf("nobody heard that %s became %v", key, current.Dot)
		}
	}
	for _, part := range c.to {
		for _, dot := range part.Vector {
			r.have.raise(part.Slots, 0, dot)
			r.owed.raise(part.Slots, 0, dot)
		}
	}
	if !c.first {
		return
	}
	for _, slot := range w.slots {
		if at := r.owed[slot]; at != nil && c.slots.Has(slot) {
			for id, seq := range c.owed[slot] {
				at[id] = max(at[id], seq)
			}
			r.complete[slot] = r.complete[slot] || c.whole[slot]
		}
	}
}

// restart rebuilds a store from what is on record: versions in any order, and have.
func (w *world) restart(t *rapid.T) {
	r := w.drawReplica(t, "restarted")
	var versions []store.Version
	r.store.Versions(func(v *store.Version) bool {
		versions = append(versions, *v)
		return true
	})
	have := r.store.Have().Clone()
	r.store = store.New()
	for _, v := range rapid.Permutation(versions).Draw(t, "order") {
		r.store.Offer(&v, 1)
	}
	r.store.Restored(have)
	r.era++
	r.copy = nil
}

// check holds a store against the promise of its type: for every write that is covered it holds that
// write, or a later one of the same key; it holds nothing that nobody wrote, and nothing of slots
// that it does not hold; and its counts are right.
func (w *world) check(t *rapid.T, r *replica) {
	have := r.store.Have()
	if held := have.Slots(); held != r.have.slots() {
		t.Fatalf("replica %d holds %d slots instead of %d", r.id, held.Len(), len(r.have))
	}
	for slot, at := range r.have {
		var want causal.Vector
		for id, seq := range at {
			want = want.Raise(causal.Dot{Replica: id, Seq: seq})
		}
		if !slices.Equal(have.At(slot), want) {
			t.Fatalf("replica %d covers %v of slot %d instead of %v", r.id, have.At(slot), slot, want)
		}
	}
	newest := map[string]*store.Version{}
	for _, writes := range w.writes {
		for _, v := range writes {
			if r.owed[shard.SlotOf(v.Key)][v.Dot.Replica] < v.Dot.Seq {
				continue
			}
			if best := newest[v.Key]; best == nil || v.Compare(best) > 0 {
				newest[v.Key] = v
			}
		}
	}
	for key, v := range newest {
		if current, _ := r.store.Lookup(key); current == nil || current.Compare(v) < 0 {
			t.Fatalf("replica %d covers %v (have %v), but lacks it: key %s is %v", r.id, v.Dot, have, key, current)
		}
	}
	w.checkCounts(t, r)
}

func (w *world) checkCounts(t *rapid.T, r *replica) {
	live, held := map[shard.Slot]uint64{}, map[string]bool{}
	total := uint64(0)
	r.store.Versions(func(v *store.Version) bool {
		slot := shard.SlotOf(v.Key)
		if !v.Deleted {
			live[slot]++
			total++
		}
		if written := w.writes[v.Dot.Replica]; uint64(len(written)) < v.Dot.Seq || written[v.Dot.Seq-1].Key != v.Key {
			t.Fatalf("replica %d holds %v, which nobody wrote", r.id, v.Dot)
		}
		if r.have[slot] == nil || held[v.Key] {
			t.Fatalf("replica %d lists %v of %s, which it gave up or lists twice", r.id, v.Dot, v.Key)
		}
		held[v.Key] = true
		return true
	})
	for _, keys := range w.keys {
		for _, key := range keys {
			if current, _ := r.store.Lookup(key); (current != nil) != held[key] {
				t.Fatalf("replica %d finds %v of %s, which it lists: %t", r.id, current, key, held[key])
			}
		}
	}
	for _, slot := range w.slots {
		one := setOf(slot)
		if got := r.store.LiveIn(&one); got != live[slot] {
			t.Fatalf("replica %d counts %d live keys of %d in slot %d", r.id, got, live[slot], slot)
		}
	}
	all := w.all()
	if r.store.Live() != total || r.store.LiveIn(&all) != total || r.store.Len() != uint64(len(held)) {
		t.Fatalf("replica %d counts %d live keys, in all slots %d, of %d", r.id, r.store.Live(), r.store.LiveIn(&all), total)
	}
}

func setOf(slot shard.Slot) (s shard.Set) {
	s.Add(slot)
	return s
}

// contents is all that a store has of a slot.
func contents(s *store.Store, slot shard.Slot) string {
	var current []*store.Version
	s.Versions(func(v *store.Version) bool {
		if shard.SlotOf(v.Key) == slot {
			current = append(current, v)
		}
		return true
	})
	slices.SortFunc(current, func(a, b *store.Version) int { return cmp.Compare(a.Key, b.Key) })
	text := fmt.Sprint("have ", s.Have().At(slot))
	for _, v := range current {
		text += fmt.Sprintf("\n%s %v %t", v.Key, v.Dot, v.Deleted)
	}
	return text
}
