package checker

// conflict says that a write comes before another one of the same key, because the read reason returned
// the other while it had this one in its causal past.
type conflict struct {
	from, reason int32
	next         int32 // the next edge into the same write, or None
}

// conflicts are edges between writes, kept by their target: the strongly connected components of a graph
// are those of the reversed graph, where po and rf need no lists at all.
type conflicts struct {
	edges []conflict
	into  []int32 // by operation: the latest edge into it, or None
}

func newConflicts(operations int) conflicts {
	into := make([]int32, operations)
	for i := range into {
		into[i] = None
	}
	return conflicts{into: into}
}

func (c *conflicts) add(from, to, reason int32) {
	c.edges = append(c.edges, conflict{from: from, reason: reason, next: c.into[to]})
	c.into[to] = int32(len(c.edges) - 1)
}
