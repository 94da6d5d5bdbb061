package kvsim

import (
	"cmp"
	"slices"

	"github.com/sequitur-kv/sequitur/netsim"
)

// weaken makes what is left shorter, smaller and aimed at less.
func (s *shrinker) weaken() {
	s.step = "weakening"
	for fault := 0; fault < len(s.best.Faults); fault++ {
		s.weakenTrigger(fault)
		s.weakenFault(fault)
	}
	for _, flag := range []func(o *Operation) *bool{
		func(o *Operation) *bool { return &o.Fresh },
		func(o *Operation) *bool { return &o.Both },
	} {
		s.all(func(i int) candidate {
			if i >= len(s.best.Operations) {
				return nil
			}
			return func(c *Capsule) bool {
				set := flag(&c.Operations[i])
				before := *set
				*set = false
				return before
			}
		})
	}
	s.fewerNodes()
}

// weakenTrigger lets a fault begin as soon as any node meets its situation for the first time.
func (s *shrinker) weakenTrigger(fault int) {
	s.try(func(c *Capsule) bool {
		by := &c.Faults[fault].When.By
		named := *by != 0
		*by = 0
		return named
	})
	s.try(func(c *Capsule) bool {
		skip := &c.Faults[fault].When.Skip
		skips := *skip > 0
		*skip = 0
		return skips
	})
	s.untilUseless(func(c *Capsule) bool {
		after := &c.Faults[fault].When.After
		waits := *after > 0
		if !halve(after, netsim.Millisecond) {
			*after = 0
		}
		return waits
	})
}

// weakenFault makes a fault shorter, smaller and aimed at less.
func (s *shrinker) weakenFault(fault int) {
	s.untilUseless(func(c *Capsule) bool { return halve(&c.Faults[fault].For, 10*netsim.Millisecond) })
	s.untilUseless(func(c *Capsule) bool {
		f := &c.Faults[fault]
		if f.Amount < 0 {
			f.Amount = -f.Amount
			defer func() { f.Amount = -f.Amount }()
		}
		return f.Amount != 0 && halve(&f.Amount, netsim.Millisecond)
	})
	s.all(func(i int) candidate {
		one := netsim.Met // before those that are named: a reader knows them
		if i > netsim.MaxNodes {
			return nil
		} else if i > 0 {
			one = netsim.Nodes(netsim.NodeID(i - 1))
		}
		return func(c *Capsule) bool { return spare(&c.Faults[fault], one) }
	})
}

// untilUseless repeats a change as long as the rule stays broken.
func (s *shrinker) untilUseless(change candidate) {
	for s.try(change) {
	}
}

// halve makes a length shorter, unless it is short already.
func halve(t *netsim.Time, enough netsim.Time) bool {
	if *t <= enough {
		return false
	}
	*t /= 2
	for unit := 100 * netsim.Second; unit >= enough/10 && unit > 0; unit /= 10 { // two digits, for the reader
		if *t >= 10*unit {
			*t -= *t % unit
			break
		}
	}
	return true
}

// spare takes a node out of a fault; false if that leaves no fault, or was not in it.
func spare(f *netsim.Fault, one netsim.NodeSet) bool {
	sets := []*netsim.NodeSet{&f.Nodes, &f.Peers}
	for i := range f.Groups {
		sets = append(sets, &f.Groups[i])
	}
	for _, set := range sets {
		if *set&one != 0 && *set&^netsim.ButMet != one {
			*set &^= one
			return true
		}
	}
	return false
}

// fewerNodes asks a node that is used anyway instead of another one.
func (s *shrinker) fewerNodes() {
	var used [netsim.MaxNodes]int
	for i := range s.best.Operations {
		used[s.best.Operations[i].Node]++
	}
	var nodes []int
	for node := range used {
		if used[node] > 0 {
			nodes = append(nodes, node)
		}
	}
	slices.SortStableFunc(nodes, func(a, b int) int { return cmp.Compare(used[a], used[b]) })
	var list []candidate
	for i, from := range nodes {
		for _, to := range slices.Backward(nodes[i+1:]) {
			list = append(list, func(c *Capsule) bool {
				moved := false
				for i := range c.Operations {
					if c.Operations[i].Node == from {
						c.Operations[i].Node, moved = to, true
					}
				}
				return moved
			})
		}
	}
	s.all(func(i int) candidate {
		if i >= len(list) {
			return nil
		}
		return list[i]
	})
}

// gather brings things closer together and forward: silence explains nothing.
func (s *shrinker) gather() {
	s.step = "gathering"
	s.untilUseless(func(c *Capsule) bool { return c.Phases.move(-c.Phases.ChaosEnd/2, c.latest()) })
	for i := 0; i < len(s.moments()); i++ {
		for _, kept := range []netsim.Time{64, 8, 2} { // parts of the gap
			s.untilUseless(func(c *Capsule) bool {
				moments := c.moments()
				if i >= len(moments) {
					return false
				}
				before := netsim.Time(0)
				if i > 0 {
					before = moments[i-1]
				}
				gap := moments[i] - before
				if gap < 50*netsim.Millisecond {
					return false
				}
				c.shift(moments[i], gap-gap/kept)
				return true
			})
		}
	}
	s.untilUseless(func(c *Capsule) bool { return c.Phases.move(-c.Phases.ChaosEnd/2, c.latest()) })
}

func (s *shrinker) moments() []netsim.Time { return s.best.moments() }

// moments are the times at which something is due, in order.
func (c *Capsule) moments() []netsim.Time {
	var moments []netsim.Time
	for i := range c.Faults {
		if c.Faults[i].When.Probe == "" { // else nobody knows
			moments = append(moments, c.Faults[i].At)
		}
	}
	for i := range c.Operations {
		moments = append(moments, c.Operations[i].At)
	}
	slices.Sort(moments)
	return slices.Compact(moments)
}

// shift lets all that is due from a time on come earlier.
func (c *Capsule) shift(from, earlier netsim.Time) {
	for i := range c.Faults {
		if c.Faults[i].At >= from {
			c.Faults[i].At -= earlier
		}
	}
	for i := range c.Operations {
		if c.Operations[i].At >= from {
			c.Operations[i].At -= earlier
		}
	}
}

// latest is when nothing more is due.
func (c *Capsule) latest() netsim.Time {
	latest := netsim.Time(0)
	for i := range c.Faults {
		latest = max(latest, c.Faults[i].At+c.Faults[i].For)
	}
	for i := range c.Operations {
		latest = max(latest, c.Operations[i].At)
	}
	return latest
}

// move shifts all phases, but not before the time at which things are due.
func (p *Phases) move(by, latest netsim.Time) bool {
	by = max(by, latest+netsim.Second-p.ChaosEnd)
	by -= by % netsim.Second
	if by >= 0 {
		return false
	}
	p.ChaosEnd, p.Settled, p.End = p.ChaosEnd+by, p.Settled+by, p.End+by
	return true
}

// round makes the figures short, for the reader.
func (s *shrinker) round() {
	s.step = "rounding"
	for i := range s.best.Faults {
		for _, unit := range []netsim.Time{netsim.Second, 100 * netsim.Millisecond, 10 * netsim.Millisecond, netsim.Millisecond} {
			at := s.try(func(c *Capsule) bool { return roundTo(&c.Faults[i].At, unit) })
			length := s.try(func(c *Capsule) bool { return c.Faults[i].For >= unit && roundTo(&c.Faults[i].For, unit) })
			s.try(func(c *Capsule) bool { return roundTo(&c.Faults[i].When.After, unit) })
			if at && length {
				break
			}
		}
	}
	for i := range s.best.Operations {
		s.try(func(c *Capsule) bool { return roundTo(&c.Operations[i].Timeout, netsim.Second) })
		for _, unit := range []netsim.Time{100 * netsim.Millisecond, 10 * netsim.Millisecond, netsim.Millisecond, 100 * netsim.Microsecond} {
			if s.try(func(c *Capsule) bool { return roundTo(&c.Operations[i].At, unit) }) {
				break
			}
		}
	}
}

// roundTo rounds to the nearest multiple; false if it is one.
func roundTo(t *netsim.Time, unit netsim.Time) bool {
	rounded := (*t + unit/2) / unit * unit
	if rounded == *t || rounded == 0 {
		return false
	}
	*t = rounded
	return true
}
