package checker

// most is how many reads that break a rule the sweep keeps, to choose the clearest from.
const most = 32

// operationBytes is what the tables by operation take, those of a search for a witness included.
const operationBytes = 80

// sweep visits all operations along po ∪ rf, keeps the clocks and applies the rules to every read.
type sweep struct {
	*index
	*lists
	*clocks
	conflicts

	done    []int32 // by session: how many of its operations are visited
	blocked []int32 // by session: another one that waits for it, or None; waits links the others
	waits   []int32 // by session: the next one that waits for the same session, or None
	ready   []int32 // sessions that may advance

	bytes     int64 // what rows and edges may use, in bytes
	exhausted bool  // they need more: the sweep stopped early

	uninitialized []int32 // reads with the pattern WriteCOInitRead, at most most
	overwritten   []int32 // reads with the pattern WriteCORead, at most most
}

// newSweep prepares a sweep, or reports false when it would need more than the given bytes.
func newSweep(x *index, bytes int64) (*sweep, bool) {
	n, k := int64(len(x.operations)), int64(x.sessions)
	bytes -= operationBytes*n + 4*k*k
	if bytes < 0 || k*k > 1<<31-1 {
		return nil, false
	}
	lists, ok := newLists(x, bytes)
	if !ok {
		return nil, false
	}
	bytes -= cursorBytes * int64(cap(lists.cursors))
	numbers := make([]int32, 4*k)
	s := &sweep{
		index: x, lists: lists, clocks: newClocks(x), conflicts: newConflicts(int(n)),
		done: numbers[:k], blocked: numbers[k : 2*k], waits: numbers[2*k : 3*k], ready: numbers[3*k:],
		bytes: bytes,
	}
	for session := range s.blocked {
		s.blocked[session] = None
		s.ready[session] = int32(int(k) - 1 - session)
	}
	return s, true
}

// run visits every operation that can be reached without going through a cycle of po ∪ rf.
func (s *sweep) run() {
	for len(s.ready) > 0 && !s.exhausted {
		session := s.ready[len(s.ready)-1]
		s.ready = s.ready[:len(s.ready)-1]
		s.advance(session)
		s.wake(session)
	}
}

// complete reports whether every operation was visited.
func (s *sweep) complete() bool {
	for session, done := range s.done {
		if s.start[session]+done < s.start[session+1] {
			return false
		}
	}
	return true
}

// waitsFor returns the session that has to advance before the given one can, or None.
func (s *sweep) waitsFor(session int32) int32 {
	next := s.start[session] + s.done[session]
	if next == s.start[session+1] {
		return None
	}
	operation := s.sequence[next]
	if s.role[operation] != reader || s.source[operation] == None {
		return None
	}
	source := s.source[operation]
	if s.position[source] <= s.done[s.session[source]] {
		return None
	}
	return s.session[source]
}

// advance visits the operations of a session until one reads a write that is not visited yet.
func (s *sweep) advance(session int32) {
	operations := s.sequence[s.start[session]:s.start[session+1]]
	for int(s.done[session]) < len(operations) && !s.exhausted {
		operation := operations[s.done[session]]
		if s.role[operation] == reader {
			if other := s.waitsFor(session); other != None {
				s.waits[session] = s.blocked[other]
				s.blocked[other] = session
				return
			}
			s.read(session, operation)
		} else {
			s.record(session, operation)
		}
		s.done[session]++
		s.exhausted = 4*int64(len(s.rows))+16*int64(len(s.edges)) > s.bytes
	}
}

// wake makes those sessions ready that waited for what the given session has done by now.
func (s *sweep) wake(session int32) {
	waiting := s.blocked[session]
	s.blocked[session] = None
	for waiting != None {
		next := s.waits[waiting]
		if s.waitsFor(waiting) == None {
			s.ready = append(s.ready, waiting)
		} else {
			s.waits[waiting] = s.blocked[session]
			s.blocked[session] = waiting
		}
		waiting = next
	}
}

// read extends what the session knows by what it read and looks for writes that should have hidden it.
func (s *sweep) read(session, r int32) {
	source := s.source[r]
	if source != None {
		s.learn(s.index, session, source)
	}
	know := s.know(session)
	know[session] = s.position[r] - 1
	key := s.key[r]
	all := s.all[s.first[key]:s.first[key+1]]
	cursors := s.cursors[s.slot[r]:][:len(all)]
	if source == None {
		s.readNothing(r, all, cursors, know)
		return
	}
	from, past := s.session[source], s.at(source)
	for i := range all {
		writer, c := all[i].session, &cursors[i]
		s.lists.advance(c, know[writer])
		if c.operation == None || c.settled == source {
			continue
		}
		known := past[writer]
		if writer == from {
			known = s.position[source]
		}
		if c.position > known { // otherwise it is the source or in its past
			s.compare(r, source, c)
		}
	}
}

// readNothing applies WriteCOInitRead.
func (s *sweep) readNothing(r int32, all []list, cursors []cursor, know []int32) {
	for i := range all {
		c := &cursors[i]
		s.lists.advance(c, know[all[i].session])
		if c.operation != None {
			if len(s.uninitialized) < most {
				s.uninitialized = append(s.uninitialized, r)
			}
			return
		}
	}
}

// compare applies WriteCORead to a read r of w and the entry of a cursor in its past, or else adds the
// edge from that entry's write to w. When w is an indeterminate write, its clock component is missing:
// the edge then closes a cycle, and overwrittenByCycle recognizes the pattern.
func (s *sweep) compare(r, w int32, c *cursor) {
	t := s.written(c.operation)
	if t == w {
		return
	}
	if s.role[w] == writer && s.before(s.index, w, t) {
		if n := len(s.overwritten); n < most && (n == 0 || s.overwritten[n-1] != r) {
			s.overwritten = append(s.overwritten, r)
		}
		return
	}
	c.settled = w
	s.add(t, w, r)
}
