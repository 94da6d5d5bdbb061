package netsim

// entry is one place in the queue. Sequence breaks ties of time, so that the
// order is total and the same everywhere: what is urgent, then the rest, each in
// the order of pushing.
type entry struct {
	at       Time
	sequence uint64
	slot     int32
}

func (e entry) before(other entry) bool {
	return e.at < other.at || e.at == other.at && e.sequence < other.sequence
}

// queue is a heap of four children per entry: half as deep as a binary one, and
// the children of an entry share cache lines.
type queue struct {
	entries  []entry
	sequence uint64
}

// usual is added to the sequence of what is not urgent.
const usual uint64 = 1 << 63

func (q *queue) push(at Time, slot int32) {
	q.sequence++
	q.insert(entry{at, usual | q.sequence, slot})
}

// pushUrgent pushes what comes before everything else of its time.
func (q *queue) pushUrgent(at Time, slot int32) {
	q.sequence++
	q.insert(entry{at, q.sequence, slot})
}

func (q *queue) insert(added entry) {
	q.entries = append(q.entries, added)
	i := len(q.entries) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if !added.before(q.entries[parent]) {
			break
		}
		q.entries[i] = q.entries[parent]
		i = parent
	}
	q.entries[i] = added
}

// next is the earliest entry; false when there is none.
func (q *queue) next() (entry, bool) {
	if len(q.entries) == 0 {
		return entry{}, false
	}
	return q.entries[0], true
}

// pop removes the earliest entry of a queue that is not empty.
func (q *queue) pop() { q.remove(0) }

// remove removes an entry by its place in entries.
func (q *queue) remove(i int) {
	last := len(q.entries) - 1
	moved := q.entries[last]
	q.entries = q.entries[:last]
	if i == last {
		return
	}
	for i > 0 && moved.before(q.entries[(i-1)/4]) {
		q.entries[i] = q.entries[(i-1)/4]
		i = (i - 1) / 4
	}
	for {
		child := 4*i + 1
		if child >= last {
			break
		}
		least := child
		for c := child + 1; c < min(child+4, last); c++ {
			if q.entries[c].before(q.entries[least]) {
				least = c
			}
		}
		if !q.entries[least].before(moved) {
			break
		}
		q.entries[i] = q.entries[least]
		i = least
	}
	q.entries[i] = moved
}
