package explore_test

import (
	"fmt"

	"github.com/sequitur-kv/sequitur/netsim"
	"github.com/sequitur-kv/sequitur/netsim/explore"
)

// counter is a register at the first node, which the others read and then write:
// a counter that loses counts. Messages are "read", "is 0" and "write 1".
type counter struct {
	id    netsim.NodeID
	value int
}

func (c *counter) Start(_ netsim.Clock, out *netsim.Outbox[string]) {
	if c.id > 0 {
		out.Send(0, "read", 0)
	}
}

func (c *counter) Receive(_ netsim.Clock, from netsim.NodeID, message string, out *netsim.Outbox[string]) {
	var seen int
	switch {
	case message == "read":
		out.Send(from, fmt.Sprint("is ", c.value), 0)
	case c.id == 0:
		_, _ = fmt.Sscanf(message, "write %d", &c.value)
	default:
		_, _ = fmt.Sscanf(message, "is %d", &seen)
		out.Send(0, fmt.Sprint("write ", seen+1), 0)
	}
}

func (c *counter) Wake(netsim.Clock, *netsim.Outbox[string]) {}

func Example() {
	begin := func() *netsim.World[string] {
		w, err := netsim.New(netsim.Config[string]{
			Seed: 1, Names: []string{"register", "left", "right"}, End: netsim.Second,
			Boot: func(boot netsim.Boot[string]) netsim.Node[string] { return &counter{id: boot.ID} },
		})
		if err != nil {
			panic(err)
		}
		w.Step() // the register starts; all else is explored
		return w
	}
	ends := map[int]int{}
	e := explore.New(explore.Bounds{Depth: 20, Departures: 20})
	for paths := e.Next(1); len(paths) > 0; paths = e.Next(1) {
		w := begin()
		trail := explore.Walk(w, e, paths[0])
		if e.Add(trail); !trail.Joined {
			_ = w.Run()
			ends[w.Node(0).(*counter).value]++
		}
	}
	fmt.Println("states:", e.Progress().States)
	fmt.Println("orders that end with one count:", ends[1])
	fmt.Println("orders that end with two counts:", ends[2])
	// Output:
	// states: 42
	// orders that end with one count: 4
	// orders that end with two counts: 2
}
