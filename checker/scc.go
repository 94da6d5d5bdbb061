package checker

// components numbers the strongly connected components of po ∪ rf ∪ conflicts, by operation. Operations
// that no conflict leads to, even indirectly, keep the number 0. It is Tarjan's algorithm on the
// reversed graph, with a stack of its own in place of recursion.
func (s *sweep) components() []int32 {
	n := len(s.operations)
	numbers := make([]int32, 3*n)
	t := &tarjan{sweep: s, component: numbers[:n], order: numbers[n : 2*n], low: numbers[2*n:]}
	for write, edge := range s.into {
		if edge != None && t.order[write] == 0 {
			t.search(int32(write))
		}
	}
	return t.component
}

// frame is an operation whose predecessors are being visited.
type frame struct {
	operation int32
	edge      int32 // the next conflict into it to follow, None when all are done
	stage     uint8 // 0: previous is next; 1: source is next; 2: conflicts
}

type tarjan struct {
	*sweep
	component  []int32 // by operation: its component, from 1; 0 = none yet
	order, low []int32 // by operation: as in Tarjan's paper, from 1; 0 = not visited
	visited    int32
	closed     int32 // components so far
	open       []int32
	frames     []frame
}

func (t *tarjan) enter(operation int32) {
	t.visited++
	t.order[operation], t.low[operation] = t.visited, t.visited
	t.open = append(t.open, operation)
	t.frames = append(t.frames, frame{operation: operation, edge: t.into[operation]})
}

// predecessor returns the next predecessor of the operation in the frame, or None after the last.
func (t *tarjan) predecessor(f *frame) int32 {
	if f.stage == 0 {
		f.stage = 1
		if previous := t.previous[f.operation]; previous != None {
			return previous
		}
	}
	if f.stage == 1 {
		f.stage = 2
		if t.role[f.operation] == reader && t.source[f.operation] != None {
			return t.source[f.operation]
		}
	}
	if f.edge == None {
		return None
	}
	edge := t.edges[f.edge]
	f.edge = edge.next
	return edge.from
}

func (t *tarjan) search(root int32) {
	t.enter(root)
	for len(t.frames) > 0 {
		f := &t.frames[len(t.frames)-1]
		operation := f.operation
		next := t.predecessor(f)
		switch {
		case next != None && t.order[next] == 0:
			t.enter(next)
		case next != None:
			if t.component[next] == 0 {
				t.low[operation] = min(t.low[operation], t.order[next])
			}
		default:
			t.frames = t.frames[:len(t.frames)-1]
			t.leave(operation)
		}
	}
}

// leave closes the component of an operation that is its root and hands its low to the operation below.
func (t *tarjan) leave(operation int32) {
	if t.low[operation] == t.order[operation] {
		t.closed++
		for {
			last := t.open[len(t.open)-1]
			t.open = t.open[:len(t.open)-1]
			t.component[last] = t.closed
			if last == operation {
				break
			}
		}
	}
	if len(t.frames) > 0 {
		below := t.frames[len(t.frames)-1].operation
		t.low[below] = min(t.low[below], t.low[operation])
	}
}
