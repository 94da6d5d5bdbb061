package store_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/hlc"
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

// replica is a store in the model, which is also the only writer of its replica id.
type replica struct {
	id    causal.ReplicaID
	store *store.Store
	clock hlc.Time
	boot  int
	copy  *copying
}

// copying is a copy that a replica makes of another one, part by part.
type copying struct {
	source   *replica
	boot     int // of the source
	from, to causal.Vector
	cursor   uint64
	staged   []store.Version
	last     bool
}

// world is a few replicas and every write that they ever made.
type world struct {
	replicas []*replica
	writes   map[causal.ReplicaID][]*store.Version
}

func newWorld(count int) *world {
	w := &world{writes: map[causal.ReplicaID][]*store.Version{}}
	for i := range count {
		w.replicas = append(w.replicas, &replica{id: causal.ReplicaID(i + 1), store: store.New()})
	}
	return w
}

// check holds the store against the promise of its type: for every write that have covers it holds
// that write, or a later one of the same key; and it holds nothing that nobody wrote.
func (w *world) check(t *rapid.T, r *replica) {
	newest := map[string]*store.Version{}
	for _, writes := range w.writes {
		for _, v := range writes {
			if !r.store.Have().Covers(v.Dot) {
				continue
			}
			if best := newest[v.Key]; best == nil || v.Compare(best) > 0 {
				newest[v.Key] = v
			}
		}
	}
	var live uint64
	held := 0
	r.store.Versions(func(v *store.Version) bool {
		held++
		if !v.Deleted {
			live++
		}
		written := w.writes[v.Dot.Replica]
		if uint64(len(written)) < v.Dot.Seq || written[v.Dot.Seq-1].Key != v.Key {
			t.Fatalf("replica %d holds %v, which nobody wrote", r.id, v.Dot)
		}
		if current, _ := r.store.Lookup(v.Key); current.Dot != v.Dot {
			t.Fatalf("replica %d lists %v of %s and finds %v", r.id, v.Dot, v.Key, current.Dot)
		}
		return true
	})
	if r.store.Live() != live {
		t.Fatalf("replica %d counts %d live keys of %d", r.id, r.store.Live(), live)
	}
	for key, v := range newest {
		current, _ := r.store.Lookup(key)
		if current == nil || current.Compare(v) < 0 {
			t.Fatalf("replica %d covers %v (have %v), but lacks it: key %s is %v", r.id, v.Dot, r.store.Have(), key, current)
		}
		held--
	}
	if held < 0 {
		t.Fatalf("replica %d lists too few versions", r.id)
	}
}

func (w *world) write(t *rapid.T) {
	r := rapid.SampledFrom(w.replicas).Draw(t, "writer")
	r.clock = max(r.clock+1, hlc.Time(rapid.IntRange(0, 60).Draw(t, "wall")))
	v := write(r.id, uint64(len(w.writes[r.id])+1), fmt.Sprint(rapid.IntRange(0, 5).Draw(t, "key")), r.clock, rapid.IntRange(0, 3).Draw(t, "kind") == 0)
	w.writes[r.id] = append(w.writes[r.id], v)
	r.store.Apply(v, 1)
}

// stream brings a replica the next write of another one.
func (w *world) stream(t *rapid.T) {
	r := rapid.SampledFrom(w.replicas).Draw(t, "receiver")
	from := rapid.SampledFrom(w.replicas).Draw(t, "sender").id
	if next := r.store.Have().Get(from); next < uint64(len(w.writes[from])) {
		r.store.Apply(w.writes[from][next], 1)
	}
}

// begin starts a copy of another replica.
func (w *world) begin(t *rapid.T) {
	r := rapid.SampledFrom(w.replicas).Draw(t, "requester")
	source := rapid.SampledFrom(w.replicas).Draw(t, "source")
	if r == source {
		return
	}
	r.copy = &copying{
		source: source, boot: source.boot, from: r.store.Have().Clone(), to: source.store.Have().Clone(),
		cursor: source.store.Since(r.store.Have()),
	}
}

// part fetches the next part of a copy under way; when it is the last, the copy is installed, perhaps after other
// things have happened.
func (w *world) part(t *rapid.T) {
	r := rapid.SampledFrom(w.replicas).Draw(t, "requester")
	c := r.copy
	switch {
	case c == nil:
	case c.last:
		before := r.store.Have().Clone()
		n := r.store.Install(c.staged, c.to, 1, func(*store.Version) {})
		skipped, overtook := 0, 0
		for i := range c.staged {
			switch dot := c.staged[i].Dot; {
			case before.Covers(dot):
				skipped++
			case !c.to.Covers(dot):
				overtook++
			}
		}
		if n.Skipped != skipped || n.Overtook != overtook || !r.store.Have().CoversAll(c.to) {
			t.Fatalf("installed %+v, want %d skipped and %d overtaken", n, skipped, overtook)
		}
		r.copy = nil
	case c.boot != c.source.boot:
		r.copy = nil
	default:
		versions, next, last := c.source.store.Part(c.cursor, c.from, rapid.IntRange(1, 150).Draw(t, "size"))
		if next <= c.cursor && !last {
			t.Fatalf("the copy stands still at %d", next)
		}
		for i := range versions {
			if c.from.Covers(versions[i].Dot) {
				t.Fatalf("%v is sent to one who has it", versions[i].Dot)
			}
		}
		c.staged, c.cursor, c.last = append(c.staged, versions...), next, last
	}
}

// restart rebuilds a store from what is on record: versions in any order, and have.
func (w *world) restart(t *rapid.T) {
	r := rapid.SampledFrom(w.replicas).Draw(t, "restarted")
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
	r.boot++
	r.copy = nil
}

// A store keeps its promise while it writes, hears of writes, copies part by part from sources
// that go on changing, and restarts; and when everybody has copied everybody, all are equal.
func TestStoreKeepsItsPromise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(3)
		steps := []func(*rapid.T){w.write, w.write, w.stream, w.begin, w.part, w.part, w.restart}
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			steps[rapid.IntRange(0, len(steps)-1).Draw(t, "step")](t)
			for _, r := range w.replicas {
				w.check(t, r)
			}
		}
		for _, r := range w.replicas {
			for _, source := range w.replicas {
				cursor := source.store.Since(r.store.Have())
				versions, _, last := source.store.Part(cursor, r.store.Have(), 1<<30)
				if !last {
					t.Fatal("a part of unlimited size is not the last")
				}
				r.store.Install(versions, source.store.Have(), 1, func(*store.Version) {})
				w.check(t, r)
			}
		}
		for _, source := range w.replicas { // what the last one copied, the first one lacks
			for _, r := range w.replicas {
				versions, _, _ := source.store.Part(source.store.Since(r.store.Have()), r.store.Have(), 1<<30)
				r.store.Install(versions, source.store.Have(), 1, func(*store.Version) {})
			}
		}
		for _, r := range w.replicas[1:] {
			if a, b := contents(w.replicas[0].store), contents(r.store); a != b {
				t.Fatalf("replica 1 ends with\n%s\nreplica %d with\n%s", a, r.id, b)
			}
		}
	})
}

func contents(s *store.Store) string {
	var lines []string
	s.Versions(func(v *store.Version) bool {
		lines = append(lines, fmt.Sprint(v.Key, v.Dot, v.Deleted))
		return true
	})
	slices.Sort(lines)
	return fmt.Sprint(lines, s.Have(), s.Live())
}

// The memory of growth and the list of arrivals are bounded. A requester that is further behind than they reach
// still gets everything, and one that is close gets little.
func TestLongHistory(t *testing.T) {
	const writes, keys = 5000, 100
	s := store.New()
	for seq := range uint64(writes) {
		s.Apply(write(1, seq+1, fmt.Sprint(seq%keys), hlc.Time(seq+1), false), seq+1)
	}
	for _, behind := range []uint64{0, 1, 7, keys, 1000, 3000, writes} {
		from := causal.Vector{}.Raise(causal.Dot{Replica: 1, Seq: writes - behind})
		versions, _, last := s.Part(s.Since(from), from, 1<<30)
		if want := min(behind, keys); uint64(len(versions)) != want || !last {
			t.Errorf("%d writes behind: %d versions, want %d", behind, len(versions), want)
		}
	}
	if got := s.Since(causal.Vector{{Replica: 1, Seq: writes - 1}}); got < writes {
		t.Errorf("one write behind begins at arrival %d", got)
	}
	if v, position := s.Lookup("99"); v.Dot.Seq != writes || position != writes {
		t.Errorf("key 99 is %v at position %d", v.Dot, position)
	}
}

func TestOffer(t *testing.T) {
	s := store.New()
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
		if got := s.Apply(step.version, uint64(i+1)); got != step.want || s.Live() != step.live {
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
