package kvsim

import "github.com/sequitur-kv/sequitur/netsim"

// Losses are faults that nothing undoes. A run has those of one kind at most, and few: what the store
// promises ends where a majority of its members has lost its memory.
type Losses struct {
	Wipes int          // at most so many nodes lose their disks and restart with an empty memory
	Share netsim.Ratio // of the runs that have them
	Kills netsim.Ratio // share of the other runs in which one node never comes back
}

// draw draws the losses of a seed.
func (l *Losses) draw(seed netsim.Seed, s *Scenario) (schedule netsim.Schedule) {
	choice := seed.Stream("losses")
	switch {
	case choice.Chance(l.Share):
		for i := range 1 + choice.Below(uint64(max(1, l.Wipes))) {
			draw := seed.Stream("wipe", i)
			f := netsim.Fault{Kind: netsim.Wipe, For: draw.Between(100*netsim.Millisecond, 8*netsim.Second)}
			f.Nodes = netsim.Nodes(netsim.NodeID(draw.Below(uint64(s.Servers))))
			if draw.Below(2) == 0 {
				f.At = draw.Between(0, s.ChaosEnd*9/10)
			} else {
				l.trigger(&draw, &f)
			}
			schedule = append(schedule, f)
		}
	case choice.Chance(l.Kills):
		// Not before the store has formed, which needs all of its founders.
		draw := seed.Stream("kill")
		f := netsim.Fault{Kind: netsim.Kill, Nodes: netsim.Nodes(netsim.NodeID(draw.Below(uint64(s.Servers))))}
		l.trigger(&draw, &f)
		schedule = append(schedule, f)
	}
	return schedule
}

// trigger makes a loss wait for a change of the configuration, and sometimes hit the node that met it.
func (l *Losses) trigger(draw *netsim.Stream, f *netsim.Fault) {
	situations := situations()
	f.At = 0
	f.When = netsim.Trigger{Probe: situations[draw.Below(uint64(len(situations)))]}
	if draw.Below(3) == 0 {
		f.When.Skip = uint32(draw.Below(6))
	}
	if draw.Below(2) == 0 {
		f.When.After = draw.Between(0, 3*netsim.Second)
	}
	if draw.Below(3) == 0 {
		f.Nodes = netsim.Met
	}
}
