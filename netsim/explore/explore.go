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
	"fmt"
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
