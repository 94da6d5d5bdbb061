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

func (e *executed) forget(counter uint64) {
	if !e.tooOld(counter) && counter <= e.highest {
		e.taken[counter%executedWindow/64] &^= 1 << (counter % 64)
	}
}

// add takes a counter and calls it leave for each taken counter that the window leaves behind.
func (e *executed) add(counter uint64) {
	e.advance(counter, nil)
	if !e.tooOld(counter) {
		e.taken[counter%executedWindow/64] |= 1 << (counter % 64)
	}
}

// advance moves the window up to counter and calls leave for each taken counter that falls out of it.
func (e *executed) advance(counter uint64, leave func(counter uint64)) {
	if counter <= e.highest {
		return
	}
	steps := min(counter-e.highest, executedWindow)
	for next := counter - steps + 1; next <= counter; next++ {
		word, bit := &e.taken[next%executedWindow/64], uint64(1)<<(next%64)
		if *word&bit != 0 {
			*word &^= bit
			if leave != nil {
				leave(e.oldest(next))
			}
		}
	}
	e.highest = counter
}

// oldest is the counter, within the window that ends at highest, that shares its place with next.
func (e *executed) oldest(next uint64) uint64 {
	return e.highest - (e.highest-next)%executedWindow
}
