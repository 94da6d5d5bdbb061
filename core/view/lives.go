package view

import (
	"cmp"
	"slices"

	"github.com/sequitur-kv/sequitur/core/shard"
)

// Enter that comes late, of a life that came and was forgotten before the present one, must not end
// the present one: so it names the life that it takes the place of.
func (e Enter) apply(c *change) Outcome {
	i, known := c.MemberAt(e.Address), c.MemberOf(e.Life)
	switch {
	case e.Life == 0 || c.HasEnded(e.Life) || known >= 0 && known != i:
		return Outcome{Result: Refused}
	case known >= 0:
		return Outcome{Result: Already}
	case i < 0 && e.Instead != 0 || i >= 0 && e.Instead != c.Members[i].Life:
		return Outcome{}
	case i < 0:
		c.join(Member{Address: e.Address, Life: e.Life, Joined: c.index})
	case e.Instead == 0:
		c.Members[i].Life = e.Life
		c.restructure()
	default:
		c.forget(&c.Members[i], e.Life)
	}
	return Outcome{Result: Done}
}

// forget puts a life in the place of one that lost its memory: it learns the shard of the old one anew,
// under a replica id of its own. A member that was leaving has nothing left to hand over, and is gone
// when its assignments are.
func (c *change) forget(m *Member, life LifeID) {
	home := shard.ID(0)
	if a := c.current(m.Life); a != nil {
		home = a.Shard
	}
	c.kill(m.Life)
	m.Life, m.LastRequest, m.LastOutcome = life, 0, Outcome{}
	if home != 0 {
		c.assign(life, home, c.Layout)
	}
}

// kill ends a life. What it wrote is what the others hold of it; the writes of lives that ended before
// may have been known to nobody but this one, so that their finals are open again as well. Everybody
// who holds slots of theirs, and has applied this entry, takes no more from the dead, and reports: that
// is a round. A final of zero cannot be lowered.
func (c *change) kill(life LifeID) {
	c.restructure()
	at, _ := slices.BinarySearch(c.Ended, life)
	c.Ended = slices.Insert(c.Ended, at, life)
	c.Reports = slices.DeleteFunc(c.Reports, func(r Reported) bool { return r.Life == life })
	var held shard.Set
	for i := range c.Assignments {
		if a := &c.Assignments[i]; a.Life == life {
			if a.Target {
				c.abort()
			}
			c.close(a)
			a.Dead = true
			held = held.Union(&a.Slots)
		}
	}
	for i := range c.Assignments {
		if a := &c.Assignments[i]; a.Dead && a.Slots.Intersects(&held) && !(a.Fixed && len(a.Finals) == 0) {
			a.Fixed, a.Finals, a.Round = false, nil, c.next
		}
	}
}

// expel removes a member, whose life ends.
func (c *change) expel(i int) {
	if life := c.Members[i].Life; life != 0 {
		c.kill(life)
	}
	c.Members = slices.Delete(c.Members, i, i+1)
	c.restructure()
}

func (e Unseat) apply(c *change) Outcome {
	i := c.MemberOf(e.Life)
	if i < 0 || e.Life == 0 || !c.Members[i].Leaving || c.Members[i].Unseated {
		return Outcome{}
	}
	c.Members[i].Unseated, c.changed = true, true
	return Outcome{Result: Done}
}

// Expel that comes late, of a life that is gone or was never to leave, ends nobody else.
func (e Expel) apply(c *change) Outcome {
	i := c.MemberOf(e.Life)
	if i < 0 || e.Life == 0 || !c.Members[i].Leaving {
		return Outcome{}
	}
	c.expel(i)
	return Outcome{Result: Done}
}

// leave removes the members that were to go and have nothing left to hand over.
func (c *change) leave() (again bool) {
	for i := len(c.Members) - 1; i >= 0; i-- {
		if m := &c.Members[i]; m.Leaving && m.Unseated && !c.assigned(m.Life) {
			c.expel(i)
			again = true
		}
	}
	return again
}

// HasEnded tells whether a life is over: it was a member, and will never be one again. Its messages
// are of no account.
func (c *Configuration) HasEnded(life LifeID) bool {
	_, ended := slices.BinarySearch(c.Ended, life)
	return ended
}

// reported is the last report of a life, nil if it made none.
func (c *Configuration) reported(life LifeID) *Reported {
	i, ok := slices.BinarySearchFunc(c.Reports, life, func(r Reported, life LifeID) int { return cmp.Compare(r.Life, life) })
	if !ok {
		return nil
	}
	return &c.Reports[i]
}
