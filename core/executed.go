package core

import "github.com/sequitur-kv/sequitur/core/view"

// executedWindow is how many counters below the highest one are told apart; a forward that was
// overtaken by more than that is refused without a word, as its sender will have given up.
const executedWindow = 1 << 16

// executed remembers which forwards of writes of one life have been taken.
type executed struct {
	life    view.LifeID
	highest uint64
	taken   [executedWindow / 64]uint64 // a ring of bits, by counter modulo the window
}

// executedBy is the memory for a life, made when first asked for.
func (m *Machine) executedBy(life view.LifeID) *executed {
	for _, e := range m.seen {
		if e.life == life {
			return e
		}
	}
	e := &executed{life: life}
	m.seen = append(m.seen, e)
	return e
}

func (e *executed) tooOld(counter uint64) bool { return counter+executedWindow <= e.highest }

// has tells whether a counter was taken; the counter is not too old.
func (e *executed) has(counter uint64) bool {
	return counter <= e.highest && e.taken[counter%executedWindow/64]&(1<<(counter%64)) != 0
}

// take notes that a counter was taken; one that is too old changes nothing.
func (e *executed) take(counter uint64) {
	if e.tooOld(counter) {
		return
	}
	// What the window leaves behind makes room.
	for next := max(e.highest, max(counter, executedWindow)-executedWindow) + 1; next <= counter; next++ {
		e.taken[next%executedWindow/64] &^= 1 << (next % 64)
	}
	e.highest = max(e.highest, counter)
	e.taken[counter%executedWindow/64] |= 1 << (counter % 64)
}
