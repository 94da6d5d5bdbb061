package checker

import "math"

// list is the writes of one key by one session: acknowledged ones in session order, and in between
// the reads of the session that adopted an indeterminate write of the key.
type list struct {
	session    int32
	start, end int32 // its entries; the one at end is a sentinel
}

// entry is one place in a list. A sentinel has the greatest position.
type entry struct {
	operation int32
	position  int32 // of the operation in its session
}

// cursor is how far a reading session has come in a list: it only ever moves forward, because the
// causal past of a session only grows.
type cursor struct {
	operation int32 // of the last entry in the causal past, or None
	position  int32 // of operation in the list's session
	next      int32 // the entry after it
	nextAt    int32 // position of next
	settled   int32 // the last write that an edge from operation was added for, or None
}

const cursorBytes = 20

// lists holds the write lists of all keys and the cursors of all sessions that read them.
type lists struct {
	all     []list
	first   []int32 // by key: its first list in all; one more ends the last
	entries []entry
	cursors []cursor
	slot    []int32 // by operation, if it is a read: where its session's cursors for its key start
}

// newLists builds the lists. It reports false when the cursors would need more than the given bytes.
func newLists(x *index, bytes int64) (*lists, bool) {
	n := len(x.operations)
	numbers := make([]int32, 2*n+4*x.keys+1)
	member, rest := numbers[:n], numbers[n:]
	l := &lists{slot: rest[:n:n], first: rest[n : n+x.keys+1]}
	rest = rest[n+x.keys+1:]
	seen, tail, base := rest[:x.keys], rest[x.keys:2*x.keys], rest[2*x.keys:]
	cursors := l.count(x, seen, base)
	if cursors*cursorBytes > bytes || cursors > math.MaxInt32 {
		return nil, false
	}
	l.all = make([]list, l.first[x.keys])
	l.enlist(x, member, seen, tail)
	l.fill(x, member)
	clear(seen)
	l.cursors = make([]cursor, 0, cursors)
	l.place(x, seen, base)
	return l, true
}

// listed reports whether an operation belongs in a list.
func listed(x *index, operation int32) bool {
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
			if key := x.key[operation]; seen[key] != mark && listed(x, operation) {
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

// enlist finds the list of every operation that is an entry, as member: the number of the list plus one, or
// 0. It leaves in end how many entries a list has. It uses first[key] as the place of the key's next list
// and restores it.
func (l *lists) enlist(x *index, member, seen, tail []int32) {
	for session := range x.sessions {
		mark := int32(session) + 1
		for _, operation := range x.sequence[x.start[session]:x.start[session+1]] {
			if !listed(x, operation) {
				continue
			}
			key := x.key[operation]
			if seen[key] != mark {
				seen[key] = mark
				l.all[l.first[key]].session = int32(session)
				l.first[key]++
			} else if x.written(tail[key]) == x.written(operation) {
				continue // the session reads again what it adopted last
			}
			tail[key] = operation
			l.all[l.first[key]-1].end++
			member[operation] = l.first[key]
		}
	}
	copy(l.first[1:], l.first[:x.keys])
	l.first[0] = 0
}

// fill lays the entries of each list in a row, with a sentinel behind.
func (l *lists) fill(x *index, member []int32) {
	place := int32(0)
	for i := range l.all {
		count := l.all[i].end
		l.all[i].start, l.all[i].end = place, place
		place += count + 1
	}
	l.entries = make([]entry, place)
	for _, operation := range x.sequence {
		if list := member[operation]; list > 0 {
			l.entries[l.all[list-1].end] = entry{operation: operation, position: x.position[operation]}
			l.all[list-1].end++
		}
	}
	for i := range l.all {
		l.entries[l.all[i].end] = entry{operation: None, position: math.MaxInt32}
	}
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
						operation: None, next: list.start, nextAt: l.entries[list.start].position, settled: None,
					})
				}
			}
			l.slot[operation] = base[key]
		}
	}
}

// advance moves the cursor to the last entry at or before the given position of the list's session.
func (l *lists) advance(c *cursor, position int32) {
	if c.nextAt > position {
		return
	}
	next := c.next + 1
	for l.entries[next].position <= position {
		next++
	}
	last := l.entries[next-1]
	c.operation, c.position, c.settled = last.operation, last.position, None
	c.next, c.nextAt = next, l.entries[next].position
}
