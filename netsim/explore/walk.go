package explore

import (
	"cmp"
	"errors"
	"slices"

	"github.com/sequitur-kv/sequitur/netsim"
)

// ErrPath is the panic of a walk whose path makes a choice that the world does not
// have: it belongs to another world, or to other bounds.
var ErrPath = errors.New("explore: the path makes a choice that this world does not have")

// branch is a state that could have been reached.
type branch struct {
	depth      int
	choice     uint16
	departures int
	state      uint64
}

// Trail is what a walk found on its way.
type Trail struct {
	path       Path
	departures int      // of the path
	states     []uint64 // after the path, and after each choice that followed
	branches   []branch
	// Joined: the walk came to a state that another path goes on from. The world was
	// stopped there and shows nothing that the other does not.
	Joined bool
	// Struck is the fault of the bounds that began, -1 if none did.
	Struck int
}

// walker is a walk under way.
type walker[M any] struct {
	world      *netsim.World[M]
	bounds     *Bounds
	trail      *Trail
	choices    []netsim.Choice
	past       []uint64 // by node: a hash of all that happened to it
	departures int
	late       []uint64 // the choices that were passed over, by sequence, ascending
	lateness   uint64   // a hash of those of them that were not taken later
}

// Walk lets a path choose what happens next in a world, and notes what else could
// have happened. The world must be in the same state each time, and its machines
// deterministic.
func Walk[M any](w *netsim.World[M], e *Explorer, path Path) *Trail {
	k := walker[M]{world: w, bounds: &e.bounds, past: make([]uint64, w.Len()), trail: &Trail{path: path, Struck: -1}}
	if len(path) == 0 {
		k.trail.states = append(k.trail.states, k.state())
	}
	for depth := range k.bounds.Depth {
		k.look()
		if len(k.choices) == 0 { // the world is over, or waits for the end of chaos
			break
		}
		choice := 0
		if depth < len(path) {
			choice = int(path[depth])
		} else {
			k.branch(depth)
		}
		k.take(choice)
		if depth+1 == len(path) {
			k.trail.departures = k.departures
		}
		if depth+1 < len(path) {
			continue
		}
		state := k.state()
		k.trail.states = append(k.trail.states, state)
		if depth >= len(path) && e.knows(state, k.departures) {
			k.trail.Joined = true
			w.Stop()
			break
		}
	}
	return k.trail
}

// look brings what can happen next into its order.
func (k *walker[M]) look() {
	k.choices = k.world.Choices(k.choices[:0])
	slices.SortStableFunc(k.choices, func(a, b netsim.Choice) int { return cmp.Compare(k.rank(&a), k.rank(&b)) })
}

func (k *walker[M]) rank(c *netsim.Choice) int {
	switch {
	case (c.Kind == netsim.Wakes || c.Kind == netsim.Recovers) && c.Due > k.world.Now():
		return 2
	case k.isLate(c):
		return 1
	}
	return 0
}

func (k *walker[M]) isLate(c *netsim.Choice) bool {
	_, late := slices.BinarySearch(k.late, c.Sequence)
	return late
}

// pass notes what a choice passes over.
func (k *walker[M]) pass(choice int) {
	for i := range k.choices[:choice] {
		c := &k.choices[i]
		if at, late := slices.BinarySearch(k.late, c.Sequence); !late {
			k.late = slices.Insert(k.late, at, c.Sequence)
			k.lateness += identity(c)
		}
	}
	if c := &k.choices[choice]; k.isLate(c) {
		k.lateness -= identity(c)
	}
}

// identity hashes what tells a choice from all others that are open at the same time.
func identity(c *netsim.Choice) uint64 {
	return scramble(scramble(scramble(uint64(c.Nodes)^uint64(c.Kind)<<62)^uint64(c.From)) ^ c.Index)
}

// branch notes what could happen but what comes first.
func (k *walker[M]) branch(depth int) {
	past, late, lateness := slices.Clone(k.past), slices.Clone(k.late), k.lateness
	note := func(choice, departures int, nodes netsim.NodeSet, what []uint64) {
		k.happens(nodes, what)
		k.trail.branches = append(k.trail.branches, branch{depth, uint16(choice), departures, k.stateAt(what[0])})
		copy(k.past, past)
		k.late, k.lateness = append(k.late[:0], late...), lateness
	}
	if k.departures < k.bounds.Departures {
		for i := 1; i < len(k.choices); i++ {
			c := &k.choices[i]
			k.pass(i)
			note(i, k.departures+1, c.Nodes, k.what(c))
		}
	}
	if k.trail.Struck < 0 {
		for i := range k.bounds.Faults {
			note(len(k.choices)+i, k.departures, k.touched(i), k.strikes(i))
		}
	}
}

// take makes a choice.
func (k *walker[M]) take(choice int) {
	if choice < len(k.choices) {
		c := k.choices[choice]
		if choice > 0 {
			k.departures++
		}
		k.pass(choice)
		k.happens(c.Nodes, k.what(&c))
		k.world.Take(c)
		return
	}
	fault := choice - len(k.choices)
	if fault >= len(k.bounds.Faults) || k.trail.Struck >= 0 {
		panic(ErrPath)
	}
	k.trail.Struck = fault
	k.happens(k.touched(fault), k.strikes(fault))
	if err := k.world.Disturb(k.bounds.Faults[fault]); err != nil {
		panic(err)
	}
}

// what identifies a choice among all that can ever happen to its nodes: first when.
func (k *walker[M]) what(c *netsim.Choice) []uint64 {
	at := k.world.Now()
	if c.Kind == netsim.Wakes {
		at = max(at, c.Due)
	}
	return []uint64{uint64(at), uint64(c.Kind), uint64(c.From), c.Index}
}

func (k *walker[M]) strikes(fault int) []uint64 {
	return []uint64{uint64(k.world.Now()), 0, 0, uint64(fault)}
}

// touched are the nodes that a fault hits.
func (k *walker[M]) touched(fault int) netsim.NodeSet {
	if f := &k.bounds.Faults[fault]; len(f.Groups) == 0 && f.Nodes != 0 {
		return f.Nodes | f.Peers
	}
	return netsim.FirstNodes(k.world.Len())
}

// happens adds something to the past of nodes.
func (k *walker[M]) happens(nodes netsim.NodeSet, what []uint64) {
	for i := range k.past {
		if !nodes.Has(netsim.NodeID(i)) {
			continue
		}
		for _, x := range what {
			k.past[i] = scramble(k.past[i] ^ x)
		}
	}
}

// state identifies the state of the world. Machines are deterministic, so what
// happened to each node, in which order, makes all nodes, disks and messages under
// way what they are. How the pasts of different nodes were interleaved does not
// matter, but for the time. As long as departures are few, it matters what is late.
func (k *walker[M]) state() uint64 { return k.stateAt(uint64(k.world.Now())) }

func (k *walker[M]) stateAt(now uint64) uint64 {
	state := scramble(now)
	if k.bounds.Departures < k.bounds.Depth {
		state = scramble(state ^ k.lateness)
	}
	for _, past := range k.past {
		state = scramble(state ^ past)
	}
	return state
}

// scramble is a step of SplitMix64, a bijection.
func scramble(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
