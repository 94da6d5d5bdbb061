package view

import "github.com/sequitur-kv/sequitur/core/causal"

// Wanted is what the log waits for from a life. The zero value: nothing.
type Wanted struct {
	Seal   []causal.ReplicaID // closed; their last writes are to be reported, once they are durable
	Copy   []causal.ReplicaID // learning; full copies are to be reported, once they are complete
	Report bool               // a report with the coverage at hand would bring something forward
}

// Awaits tells what the log waits for from a life that covers have, all of it durable. It looks at the
// last report of the life that is in c: while one is under way, the answer does not change.
func (c *Configuration) Awaits(life LifeID, have causal.Coverage) (w Wanted) {
	if c.settled {
		return Wanted{}
	}
	r := Reported{}
	if last := c.reported(life); last != nil {
		r = *last
	}
	for i := range c.Assignments {
		a := &c.Assignments[i]
		switch {
		case a.Dead && !a.Fixed:
			w.Report = w.Report || r.Epoch < a.Round && c.isAsked(life, a)
		case a.Life != life:
		case a.Stage == Closed:
			if !a.Fixed {
				w.Seal = append(w.Seal, a.Replica)
			}
			w.Report = w.Report || r.Epoch < a.Round // it hands over what it holds
		case a.ready():
			w.Report = w.Report || !c.inherits(a, r.Have) && c.inherits(a, have)
		case a.Claimed < a.Since:
			w.Copy = append(w.Copy, a.Replica)
		default: // a learner where nobody serves
			orphaned := c.orphaned(a)
			w.Report = w.Report || !c.holdsAll(r.Have, &orphaned) && c.holdsAll(have, &orphaned)
		}
	}
	return w
}

// isAsked tells whether the round on a dead assignment waits for a life.
func (c *Configuration) isAsked(life LifeID, dead *Assignment) bool {
	for i := range c.Assignments {
		if a := &c.Assignments[i]; a.Life == life && a.holds(dead) {
			return true
		}
	}
	return false
}
