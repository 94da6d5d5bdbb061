package checker

import "slices"

// search finds shortest paths against the direction of po, rf and conflicts. It counts steps as a
// reader of the witness does: any number of session order edges in a row is one. An operation is
// reached in up to four states: over session order or not, and before or after the path went through a
// write that overwrites (see query.stale).
type search struct {
	*sweep
	hops        []hop
	seen        []int32 // by state: the generation in which it was visited
	generation  int32
	layer, next []int32 // hops to visit at the current distance, and at the next
	visits      int64   // hops visited in all searches so far
}

// hop is an operation that was reached, with the edge that leads from it to its parent.
type hop struct {
	operation int32
	parent    int32 // a hop, or None for the start
	kind      EdgeKind
	reason    int32 // of a conflict: the read
	overwrote bool  // the path went through a write that overwrites
}

// query says what a search looks for.
type query struct {
	start  int32
	target int32 // stop here, or None

	// stale, when target is None: stop at the source of the read start, behind another write of the
	// key; at any write of the key when the source is the initial state.
	stale bool

	// component, unless nil: follow conflicts, and stay in the component of start.
	component []int32
}

func newSearch(s *sweep) *search {
	return &search{sweep: s, seen: make([]int32, 4*len(s.operations))}
}

// find returns the edges of a shortest path that leads to the start of the query, in the direction of
// the edges and with session order not yet merged, and the write that overwrites, if the path has one.
func (f *search) find(q query) (edges []Edge, newer int) {
	f.generation++
	f.hops = append(f.hops[:0], hop{operation: q.start, parent: None})
	f.layer, f.next = append(f.layer[:0], 0), f.next[:0]
	for len(f.layer) > 0 {
		for i := 0; i < len(f.layer); i++ { // the layer grows
			at := f.layer[i]
			h := f.hops[at]
			if h.parent != None {
				if f.reached(q, h) {
					return f.path(at)
				}
				if f.mark(h) {
					continue
				}
			}
			f.visits++
			f.expand(q, at)
		}
		f.layer, f.next = f.next, f.layer[:0]
	}
	return nil, None
}

func (f *search) reached(q query, h hop) bool {
	if !q.stale {
		return h.operation == q.target
	}
	source := f.source[q.start]
	if source == None {
		return f.overwrites(q, h.operation)
	}
	return h.operation == source && h.overwrote
}

// overwrites reports whether an operation is a write that hides the source of the query's read.
func (f *search) overwrites(q query, operation int32) bool {
	return q.stale && f.role[operation] != reader && f.key[operation] == f.key[q.start] &&
		operation != f.source[q.start]
}

// mark notes the state of a hop and reports whether it was noted before.
func (f *search) mark(h hop) bool {
	state := 4 * int(h.operation)
	if h.overwrote {
		state += 2
	}
	if h.kind == SessionOrder {
		state++
	}
	if f.seen[state] == f.generation {
		return true
	}
	f.seen[state] = f.generation
	return false
}

// expand queues the predecessors of a hop.
func (f *search) expand(q query, at int32) {
	operation := f.hops[at].operation
	if previous := f.previous[operation]; previous != None {
		f.push(q, at, hop{operation: previous, kind: SessionOrder})
	}
	if f.role[operation] == reader && f.source[operation] != None {
		f.push(q, at, hop{operation: f.source[operation], kind: ReadsFrom})
	}
	if q.component == nil {
		return
	}
	for edge := f.into[operation]; edge != None; edge = f.edges[edge].next {
		c := f.edges[edge]
		f.push(q, at, hop{operation: c.from, kind: Conflict, reason: c.reason})
	}
}

func (f *search) push(q query, at int32, h hop) {
	if q.component != nil && q.component[h.operation] != q.component[q.start] {
		return
	}
	parent := f.hops[at]
	h.parent, h.overwrote = at, parent.overwrote
	f.queue(h, parent)
	if !parent.overwrote && f.overwrites(q, parent.operation) {
		h.overwrote = true
		f.queue(h, parent)
	}
}

func (f *search) queue(h, parent hop) {
	f.hops = append(f.hops, h)
	number := int32(len(f.hops) - 1)
	if h.kind == SessionOrder && parent.kind == SessionOrder && h.overwrote == parent.overwrote {
		f.layer = append(f.layer, number)
	} else {
		f.next = append(f.next, number)
	}
}

// path returns the edges from a hop to the start, and the write at which the path begins to overwrite.
func (f *search) path(at int32) (edges []Edge, newer int) {
	newer = None
	for h := f.hops[at]; h.parent != None; {
		parent := f.hops[h.parent]
		edge := Edge{From: int(h.operation), To: int(parent.operation), Kind: h.kind, Read: None}
		if h.kind == Conflict {
			edge.Read, edge.Key = int(h.reason), f.operations[h.reason].Key
		}
		edges = append(edges, edge)
		if h.overwrote && !parent.overwrote {
			newer = int(parent.operation)
		}
		h = parent
	}
	return edges, newer
}

// merged joins session order edges in a row, but not at the operation keep.
func merged(edges []Edge, keep int) []Edge {
	result := edges[:0]
	for _, edge := range edges {
		if n := len(result); n > 0 && edge.Kind == SessionOrder && result[n-1].Kind == SessionOrder && edge.From != keep {
			result[n-1].To = edge.To
			continue
		}
		result = append(result, edge)
	}
	return slices.Clip(result)
}
