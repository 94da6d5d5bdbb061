package netsim_test

import (
	"fmt"

	"github.com/sequitur-kv/sequitur/netsim"
)

// echo answers every "ping" with a "pong"; the first node starts and tries again
// every half second until it is answered.
type echo struct {
	id       netsim.NodeID
	answered bool
}

func (e *echo) Start(now netsim.Clock, out *netsim.Outbox[string]) {
	if e.id == 0 {
		e.Wake(now, out)
	}
}

func (e *echo) Wake(now netsim.Clock, out *netsim.Outbox[string]) {
	if !e.answered {
		out.Send(1, "ping", 0)
		out.WakeAt(now.Mono + 500*netsim.Millisecond)
	}
}

func (e *echo) Receive(_ netsim.Clock, from netsim.NodeID, message string, out *netsim.Outbox[string]) {
	if message == "ping" {
		out.Send(from, "pong", 0)
		return
	}
	e.answered = true
}

func Example() {
	names := []string{"left", "right"}
	schedule, err := netsim.ParseSchedule(`
		at 0s for 20ms partition left | right   # the first ping is lost
		at 510ms for 100ms pause right          # the second waits
	`, names)
	if err != nil {
		fmt.Println(err)
		return
	}
	world, err := netsim.New(netsim.Config[string]{
		Seed:     1,
		Names:    names,
		Boot:     func(boot netsim.Boot[string]) netsim.Node[string] { return &echo{id: boot.ID} },
		Network:  netsim.Network{Latency: netsim.Range{Min: 15 * netsim.Millisecond, Max: 15 * netsim.Millisecond}},
		Schedule: schedule,
		End:      2 * netsim.Second,
		Encode:   func(buf []byte, m string) []byte { return append(buf, m...) },
		Describe: func(m string) string { return m },
		Trace:    func(line string) { fmt.Println(line) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(world.Run())
	// Output:
	// 0.000s begins: at 0s for 20ms partition left | right
	// 0.000s left start, boot 0
	// 0.000s left -> right lost ping (at 0s for 20ms partition left | right)
	// 0.000s right start, boot 0
	// 0.020s ends: at 0s for 20ms partition left | right
	// 0.500s left wake
	// 0.510s begins: at 510ms for 100ms pause right
	// 0.610s ends: at 510ms for 100ms pause right
	// 0.610s left -> right deliver ping
	// 0.625s right -> left deliver pong
	// 1.000s left wake
	// 2.000s the world heals
	// <nil>
}
