package checker

// clocks are vector clocks over the sessions: component j of an operation's clock is the position of
// the last operation of session j in its causal past. The component of the operation's own session is
// its position and is not stored.
//
// Only sessions, as they advance, and writes have a stored clock. Consecutive writes of a session share
// one row while the session learns nothing.
type clocks struct {
	width   int32
	current []int32 // width rows of width components: what each session knows now
	row     []int32 // by session: the row that equals its current clock, or None
	rows    []int32 // rows of width components each
	of      []int32 // by operation, if it is a write: its row in rows
}

func newClocks(x *index) *clocks {
	width := x.sessions
	numbers := make([]int32, len(x.operations)+width*width+width)
	c := &clocks{
		width:   int32(width),
		of:      numbers[:len(x.operations)],
		current: numbers[len(x.operations) : len(x.operations)+width*width],
		row:     numbers[len(x.operations)+width*width:],
	}
	rows := int64(min(x.reads, x.writes) + 1)
	c.rows = make([]int32, width, min(rows*int64(width), max(1<<22, int64(width))))
	return c // every session starts with row 0, which is all zero
}

// know returns the current clock of a session.
func (c *clocks) know(session int32) []int32 {
	return c.current[session*c.width:][:c.width:c.width]
}

// at returns the clock of a write.
func (c *clocks) at(write int32) []int32 {
	return c.rows[int(c.of[write])*int(c.width):][:c.width:c.width]
}

// record stores the current clock of a session as that of its write.
func (c *clocks) record(session, write int32) {
	if c.row[session] == None {
		c.row[session] = int32(len(c.rows) / int(c.width))
		c.rows = append(c.rows, c.know(session)...)
	}
	c.of[write] = c.row[session]
}

// learn makes a write and its past part of what a session knows. An indeterminate write has a place in its
// session that no entry of a list has, so it is safe to count: it stands for what precedes it.
func (c *clocks) learn(x *index, session, write int32) {
	from, position := x.session[write], x.position[write]
	know := c.know(session)
	if from == session || know[from] >= position {
		return // known before, and so is its past
	}
	for j, component := range c.at(write) {
		know[j] = max(know[j], component)
	}
	know[from] = position
	c.row[session] = None
}

// before reports whether the acknowledged write w is in the causal past of the write t.
func (c *clocks) before(x *index, w, t int32) bool {
	session := x.session[w]
	if x.session[t] == session {
		return x.position[w] < x.position[t]
	}
	return c.at(t)[session] >= x.position[w]
}
