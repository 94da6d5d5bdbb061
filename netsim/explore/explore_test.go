package explore

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sequitur-kv/sequitur/netsim"
)

// hop is a message that travels on as often as it says.
type hop struct {
	name string
	left int
}

// relay notes what it gets and passes hops on, to another node for each letter.
type relay struct {
	id    netsim.NodeID
	sends []netsim.NodeID // at its start
	hops  int
	disk  bool // it sends what is durable
	wakes netsim.Time
	log   []string
	sent  int
}

func (r *relay) Start(now netsim.Clock, out *netsim.Outbox[hop]) {
	for _, to := range r.sends {
		r.send(to, hop{string(rune('a' + r.id)), r.hops}, out)
	}
	if r.wakes > 0 {
		out.WakeAt(now.Mono + r.wakes)
	}
}

func (r *relay) send(to netsim.NodeID, h hop, out *netsim.Outbox[hop]) {
	r.sent++
	h.name += fmt.Sprint(r.sent)
	after := netsim.Position(0)
	if r.disk {
		after = out.Append([]byte(h.name))
	}
	out.Send(to, h, after)
}

func (r *relay) Receive(_ netsim.Clock, from netsim.NodeID, h hop, out *netsim.Outbox[hop]) {
	r.log = append(r.log, h.name)
	if h.left > 0 {
		r.send((r.id+from+1)%3, hop{h.name, h.left - 1}, out)
	}
}

func (r *relay) Wake(_ netsim.Clock, _ *netsim.Outbox[hop]) { r.log = append(r.log, "wake") }

// world makes three nodes; sends are those of each at its start. All have started.
func world(t *testing.T, sends [3][]netsim.NodeID, change func(c *netsim.Config[hop], r *relay)) *netsim.World[hop] {
	t.Helper()
	template := relay{}
	config := netsim.Config[hop]{
		Names:   []string{"n1", "n2", "n3"},
		Network: netsim.Network{Latency: netsim.Range{Min: netsim.Millisecond, Max: netsim.Millisecond}},
		End:     netsim.Second,
	}
	if change != nil {
		change(&config, &template)
	}
	config.Boot = func(boot netsim.Boot[hop]) netsim.Node[hop] {
		r := template
		r.id = boot.ID
		if boot.Count == 0 {
			r.sends = sends[boot.ID]
		}
		return &r
	}
	w, err := netsim.New(config)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.Step()
	}
	return w
}

// final is what all nodes saw.
func final(w *netsim.World[hop]) string {
	var logs []string
	for id := range netsim.NodeID(w.Len()) {
		logs = append(logs, strings.Join(w.Node(id).(*relay).log, ","))
	}
	return strings.Join(logs, " | ")
}

// explored runs an exploration and counts how each path that was not cut short ended.
func explored(b Bounds, batch int, begin func() *netsim.World[hop]) (map[string]int, Progress) {
	ends := make(map[string]int)
	e := New(b)
	for {
		paths := e.Next(batch)
		if len(paths) == 0 {
			return ends, e.Progress()
		}
		var trails []*Trail
		for _, path := range paths {
			w := begin()
			trail := Walk(w, e, path)
			if trails = append(trails, trail); trail.Joined {
				continue
			}
			_ = w.Run()
			ends[final(w)]++
		}
		for _, trail := range trails {
			e.Add(trail)
		}
	}
}

func TestOrders(t *testing.T) {
	crash := netsim.Schedule{{Kind: netsim.Crash, Nodes: netsim.Nodes(0), For: netsim.Millisecond}}
	for _, test := range []struct {
		name   string
		sends  [3][]netsim.NodeID
		bounds Bounds
		change func(c *netsim.Config[hop], r *relay)
		states uint64
		ends   []string
	}{
		{
			name: "nothing happens", bounds: Bounds{Depth: 9, Departures: 9}, states: 1, ends: []string{" |  | "},
		}, {
			name: "to different nodes", sends: [3][]netsim.NodeID{{1}, {2}, {0}}, bounds: Bounds{Depth: 9, Departures: 9},
			states: 2 * 2 * 2, ends: []string{"c1 | a1 | b1"},
		}, {
			name: "to one node", sends: [3][]netsim.NodeID{{}, {0}, {0}}, bounds: Bounds{Depth: 9, Departures: 9},
			states: 1 + 2 + 2, ends: []string{"b1,c1 |  | ", "c1,b1 |  | "},
		}, {
			name: "in the order of time", sends: [3][]netsim.NodeID{{}, {0}, {0}}, bounds: Bounds{Depth: 9},
			states: 3, ends: []string{"b1,c1 |  | "},
		}, {
			name: "on one link", sends: [3][]netsim.NodeID{{}, {0, 0}, {}}, bounds: Bounds{Depth: 9, Departures: 9},
			states: 3, ends: []string{"b1,b2 |  | "},
		}, {
			name: "on one link that reorders", sends: [3][]netsim.NodeID{{}, {0, 0}, {}}, bounds: Bounds{Depth: 9, Departures: 9},
			change: func(c *netsim.Config[hop], _ *relay) { c.Network.Reorder = true },
			states: 5, ends: []string{"b1,b2 |  | ", "b2,b1 |  | "},
		}, {
			name: "a timer", sends: [3][]netsim.NodeID{{}, {0}, {}}, bounds: Bounds{Depth: 9, Departures: 9},
			change: func(_ *netsim.Config[hop], r *relay) { r.wakes = netsim.Millisecond * 100 },
			ends:   []string{"b1,wake | wake | wake", "wake,b1 | wake | wake"},
		}, {
			name: "a disk", sends: [3][]netsim.NodeID{{}, {0}, {1}}, bounds: Bounds{Depth: 9, Departures: 9},
			change: func(_ *netsim.Config[hop], r *relay) { r.disk = true },
			states: 11, ends: []string{"b1 | c1 | "}, // n2 gets c1 before or after its sync, b1 comes after that
		}, {
			name: "one crash", sends: [3][]netsim.NodeID{{}, {0}, {}}, bounds: Bounds{Depth: 9, Departures: 9, Faults: crash},
			ends: []string{" |  | ", "b1 |  | "}, // lost with the memory, or before; or after the restart
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			ends, progress := explored(test.bounds, 1, func() *netsim.World[hop] { return world(t, test.sends, test.change) })
			if got := slices.Sorted(maps.Keys(ends)); !slices.Equal(got, test.ends) {
				t.Errorf("it ends as %q, want %q", got, test.ends)
			}
			if test.states != 0 && progress.States != test.states {
				t.Errorf("%d states, want %d", progress.States, test.states)
			}
			again, batched := explored(test.bounds, 7, func() *netsim.World[hop] { return world(t, test.sends, test.change) })
			if !maps.Equal(sets(again), sets(ends)) || batched.States != progress.States {
				t.Errorf("in batches it ends as %v, %+v; one by one as %v, %+v", again, batched, ends, progress)
			}
		})
	}
}

func sets(ends map[string]int) map[string]bool {
	set := make(map[string]bool)
	for end := range ends {
		set[end] = true
	}
	return set
}

// TestEveryOrder: an exploration comes to every end that trying all sequences of choices does, each once.
func TestEveryOrder(t *testing.T) {
	begin := func() *netsim.World[hop] {
		return world(t, [3][]netsim.NodeID{{1}, {0}, {1}}, func(_ *netsim.Config[hop], r *relay) { r.hops = 2 })
	}
	naive := make(map[string]bool)
	runs := 0
	var try func(path Path)
	try = func(path Path) {
		w := begin()
		e := New(Bounds{Depth: len(path), Departures: len(path)})
		Walk(w, e, path)
		open := len(w.Choices(nil))
		if open == 0 {
			runs++
			naive[final(w)] = true
		}
		for i := range open {
			try(append(slices.Clone(path), uint16(i)))
		}
	}
	try(nil)
	ends, progress := explored(Bounds{Depth: 100, Departures: 100}, 1, begin)
	if !maps.Equal(sets(ends), naive) {
		t.Errorf("%d ends, trying all sequences finds %d", len(ends), len(naive))
	}
	if len(ends) < 10 || int(progress.Walked) >= runs/10 {
		t.Errorf("%d ends by %d paths, of %d sequences: nothing was saved", len(ends), progress.Walked, runs)
	}
	for end, count := range ends {
		if count != 1 {
			t.Errorf("%d paths end as %q", count, end)
		}
	}
}

// TestDepartures: what is passed over comes last.
func TestDepartures(t *testing.T) {
	begin := func() *netsim.World[hop] {
		return world(t, [3][]netsim.NodeID{{0}, {0}, {0}}, nil)
	}
	ends, _ := explored(Bounds{Depth: 9, Departures: 1}, 3, begin)
	want := []string{"a1,b1,c1 |  | ", "a1,c1,b1 |  | ", "b1,c1,a1 |  | ", "c1,a1,b1 |  | "}
	if got := slices.Sorted(maps.Keys(ends)); !slices.Equal(got, want) {
		t.Errorf("with one departure: %q, want %q", got, want)
	}
	ends, _ = explored(Bounds{Depth: 1, Departures: 9}, 3, begin)
	want = []string{"a1,b1,c1 |  | ", "b1,a1,c1 |  | ", "c1,a1,b1 |  | "}
	if got := slices.Sorted(maps.Keys(ends)); !slices.Equal(got, want) {
		t.Errorf("with one choice: %q, want %q", got, want)
	}
}

func TestPath(t *testing.T) {
	for _, p := range []Path{nil, {0}, {0, 12, 3}} {
		if got, err := ParsePath(p.String()); err != nil || !slices.Equal(got, p) {
			t.Errorf("%q is read as %v, %v", p, got, err)
		}
	}
	for _, text := range []string{"", "1.", "x", "70000", "-1"} {
		if p, err := ParsePath(text); err == nil {
			t.Errorf("%q is read as %v", text, p)
		}
	}
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, ErrPath) {
			t.Errorf("a path that the world does not have panics with %v", err)
		}
	}()
	Walk(world(t, [3][]netsim.NodeID{{1}, {}, {}}, nil), New(Bounds{Depth: 9, Departures: 9}), Path{7})
}
