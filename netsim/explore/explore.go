// Package explore tries every order in which few things can happen in a simulated
// world: which message arrives next, which timer is due, which sync ends, and
// where one fault begins.
//
// Chance visits the likely orders again and again; an exploration visits each one
// once. It is for a moment that matters, in a small world:
//
//  1. bring a world to that moment with World.Step, the same way each time;
//  2. Walk it along a Path: from here on the path chooses what happens next;
//  3. let it go on with World.Run, and judge it.
//
// Machines cannot be copied, so every path is a world of its own, from the start.
// An Explorer says which paths are left. It recognises states: what happened to
// different nodes in either order led to the same one, and is followed once.
//
//	e := explore.New(bounds)
//	for paths := e.Next(64); len(paths) > 0; paths = e.Next(64) {
//		for _, path := range paths { // in any order, also at the same time
//			world := begin()
//			trails = append(trails, explore.Walk(world, e, path))
//			…
//		}
//		for _, trail := range trails { // in the order of paths
//			e.Add(trail)
//		}
//	}
package explore

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sequitur-kv/sequitur/netsim"
)

// Bounds say how far an exploration goes. Within them it is exhaustive.
type Bounds struct {
	// Depth is the number of choices of a path; after them things happen in the order
	// of time again.
	Depth int
	// Departures is how many of the choices may take something else than what comes
	// first. What is passed over then comes when nothing else is left that needs no
	// time, so that one departure can make a message as late as it gets. Depth or
	// more: every order.
	Departures int
	// Faults are tried one by one: each path has one of them at most, at any place,
	// which is no departure. Their times are not looked at.
	Faults netsim.Schedule
}

// Path says what happens at each choice, by number: first what is due now, in the
// order of time; then what was passed over; then the timers and ends of faults to
// come; then the faults of the bounds. Where it ends, the first one is taken: the
// empty path is the order of time.
type Path []uint16

// String is "0.0.3", "-" for the empty path. ParsePath reads it back.
func (p Path) String() string {
	if len(p) == 0 {
		return "-"
	}
	var b strings.Builder
	for i, choice := range p {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(strconv.Itoa(int(choice)))
	}
	return b.String()
}

// ParsePath reads what String writes.
func ParsePath(text string) (Path, error) {
	if text == "-" {
		return nil, nil
	}
	var p Path
	for word := range strings.SplitSeq(text, ".") {
		n, err := strconv.ParseUint(word, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("explore: %q is not a path; write it like 0.0.3, or - for the order of time", text)
		}
		p = append(p, uint16(n))
	}
	return p, nil
}

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

// Explorer says which paths are left. It belongs to one goroutine, but for walks
// at the same time between a Next and the first Add.
type Explorer struct {
	bounds Bounds
	known  map[uint64]visit
	left   [][]leftPath // by departures
	states uint64
	joined uint64
	walked uint64
}

// visit is what is known of a state.
type visit struct {
	fewest  uint16 // departures with which it is, or will be, reached
	reached bool
}

type leftPath struct {
	path  Path
	state uint64
}

// New makes an explorer that has the empty path left.
func New(b Bounds) *Explorer {
	e := &Explorer{bounds: b, known: make(map[uint64]visit)}
	e.bounds.Departures = min(b.Departures, b.Depth)
	e.left = make([][]leftPath, e.bounds.Departures+1)
	e.left[0] = append(e.left[0], leftPath{})
	return e
}

// Next takes up to count paths from those with the fewest departures; none: the
// exploration is complete. Their trails must be added before the next call.
func (e *Explorer) Next(count int) (paths []Path) {
	for departures := range e.left {
		left := e.left[departures]
		for len(left) > 0 && len(paths) < count {
			p := left[0]
			left = left[1:]
			if len(p.path) > 0 && e.known[p.state].fewest < uint16(departures) {
				continue // somebody was there with fewer
			}
			paths = append(paths, p.path)
		}
		e.left[departures] = left
		if len(paths) > 0 {
			break
		}
	}
	return paths
}

// knows reports whether a state is, or will be, reached in another way.
func (e *Explorer) knows(state uint64, departures int) bool {
	v, known := e.known[state]
	return known && v.fewest <= uint16(departures)
}

// Add notes what a walk found. Trails are added in the order of their paths, so
// that what is left does not depend on who walked when.
func (e *Explorer) Add(t *Trail) {
	e.walked++
	if t.Joined {
		e.joined++
	}
	branches := t.branches
	for i, state := range t.states {
		if i > 0 && e.knows(state, t.departures) {
			return // it joined, or another walk of the same time was there
		}
		e.reach(state, t.departures)
		for depth := len(t.path) + i; len(branches) > 0 && branches[0].depth == depth; branches = branches[1:] {
			e.leave(t.path, &branches[0])
		}
	}
}

// reach notes that a walk came to a state.
func (e *Explorer) reach(state uint64, departures int) {
	if !e.known[state].reached {
		e.states++
	}
	e.known[state] = visit{uint16(departures), true}
}

// leave leaves a branch for later, unless it leads where others lead.
func (e *Explorer) leave(path Path, b *branch) {
	if e.knows(b.state, b.departures) {
		return
	}
	e.known[b.state] = visit{uint16(b.departures), e.known[b.state].reached}
	longer := make(Path, b.depth+1)
	copy(longer, path)
	longer[b.depth] = b.choice
	e.left[b.departures] = append(e.left[b.departures], leftPath{longer, b.state})
}

// Progress is how far an exploration is.
type Progress struct {
	Walked uint64 // paths
	Joined uint64 // of them, those that ended in a state that was known
	States uint64 // distinct ones that were reached
	Left   uint64 // paths that are known and not walked
}

// Progress counts.
func (e *Explorer) Progress() Progress {
	p := Progress{Walked: e.walked, Joined: e.joined, States: e.states}
	for _, left := range e.left {
		p.Left += uint64(len(left))
	}
	return p
}
