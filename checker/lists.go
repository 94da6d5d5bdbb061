package checker

import "math"

// list is the writes of one key by one session: acknowledged ones in session order, and in between
// the reads of the session that adopted an indeterminate write of the key.
type list struct {
	session int32
	head    int32 // the first entry; next links the others
}

// cursor is how far a reading session has come in a list: it only ever moves forward, because the
// causal past of a session only grows.
type cursor struct {
	entry    int32 // the last entry in the causal past, or None
	position int32 // of entry in the list's session
	next     int32 // the entry after it, or None
	nextAt   int32 // position of next; the greatest number when there is none
	settled  int32 // the last write that an edge from entry was added for, or None
}

// lists holds the write lists of all keys and the cursors of all sessions that read them.
type lists struct {
	all     []list
	first   []int32 // by key: its first list in all; one more entry ends the last
	next    []int32 // by operation, if it is an entry: the next entry of its list, or None
	cursors []cursor
	slot    []int32 // by operation, if it is a read: where its session's cursors for its key start
}

// newLists builds the lists. It reports false when the cursors would need more than the given bytes.
func newLists(x *index, bytes int64) (*lists, bool) {
	n := len(x.operations)
	numbers := make([]int32, 2*n+4*x.keys+1)
	l := &lists{
		next:  numbers[0:n],
		slot:  numbers[n : 2*n],
		first: numbers[2*n : 2*n+x.keys+1],
	}
	rest := numbers[2*n+x.keys+1:]
	seen, tail, base := rest[:x.keys], rest[x.keys:2*x.keys], rest[2*x.keys:]
	cursors := l.count(x, seen, base)
	if cursors*20 > bytes || cursors > math.MaxInt32 {
		return nil, false
	}
	l.all = make([]list, l.first[x.keys])
	l.fill(x, seen, tail)
	clear(seen)
	l.cursors = make([]cursor, 0, cursors)
	l.place(x, seen, base)
	return l, true
}

// entry reports whether an operation is an entry of a list.
func entry(x *index, operation int32) bool {
	switch x.role[operation] {
	case writer:
		return true
	case reader:
		source := x.source[operation]
		return source != None && x.role[source] == observed
	case ignored, observed:
	}
	return false
}

// count sets first and returns the number of cursors. It leaves seen at zero. A mark in seen is the
// session in which the key was last met, plus one.
func (l *lists) count(x *index, seen, readers []int32) int64 {
	for session := range x.sessions {
		mark := int32(session) + 1
		for _, operation := range x.sequence[x.start[session]:x.start[session+1]] {
			if key := x.key[operation]; seen[key] != mark && entry(x, operation) {
				seen[key] = mark
				l.first[key+1]++
			}
		}
	}
	clear(seen)
	for session := range x.sessions {
		mark := int32(session) + 1
		for _, operation := range x.sequence[x.start[session]:x.start[session+1]] {
			if key := x.key[operation]; seen[key] != mark && x.role[operation] == reader {
				seen[key] = mark
				readers[key]++
			}
		}
	}
	clear(seen)
	cursors := int64(0)
	for key := range x.keys {
		cursors += int64(l.first[key+1]) * int64(readers[key])
		l.first[key+1] += l.first[key]
	}
	return cursors
}

// fill links the entries. It uses first[key] as the place of the key's next list and restores it.
func (l *lists) fill(x *index, seen, tail []int32) {
	for session := range x.sessions {
		mark := int32(session) + 1
		for _, operation := range x.sequence[x.start[session]:x.start[session+1]] {
			if !entry(x, operation) {
				continue
			}
			key := x.key[operation]
			if seen[key] != mark {
				seen[key] = mark
				l.all[l.first[key]] = list{session: int32(session), head: operation}
				l.first[key]++
			} else if x.written(tail[key]) == x.written(operation) {
				continue // the session reads again what it adopted last
			} else {
				l.next[tail[key]] = operation
			}
			l.next[operation] = None
			tail[key] = operation
		}
	}
	copy(l.first[1:], l.first[:x.keys])
	l.first[0] = 0
}

// place gives every session that reads a key a cursor for each list of the key.
func (l *lists) place(x *index, seen, base []int32) {
	for session := range x.sessions {
		mark := int32(session) + 1
		for _, operation := range x.sequence[x.start[session]:x.start[session+1]] {
			if x.role[operation] != reader {
				continue
			}
			key := x.key[operation]
			if seen[key] != mark {
				seen[key] = mark
				base[key] = int32(len(l.cursors))
				for _, list := range l.all[l.first[key]:l.first[key+1]] {
					l.cursors = append(l.cursors, cursor{
						entry: None, next: list.head, nextAt: x.position[list.head], settled: None,
					})
				}
			}
			l.slot[operation] = base[key]
		}
	}
}

// advance moves the cursor to the last entry at or before the given position of the list's session.
func (l *lists) advance(x *index, c *cursor, position int32) {
	for c.nextAt <= position {
		c.entry, c.position, c.settled = c.next, c.nextAt, None
		c.next, c.nextAt = l.next[c.entry], math.MaxInt32
		if c.next != None {
			c.nextAt = x.position[c.next]
		}
	}
}
