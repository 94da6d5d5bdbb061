package kvsim

import "github.com/sequitur-kv/sequitur/netsim"

// Losses are faults that nothing undoes. A run has those of one kind at most, and few: what the store
// promises ends where a majority of its members has lost its memory.
type Losses struct {
	Wipes int          // at most so many nodes lose their disks and restart with an empty memory
	Share netsim.Ratio // of the runs that have them
	Kills netsim.Ratio // share of the other runs in which one node never comes back
	Alone netsim.Ratio // share of the losses that hit a node which has been cut off for a while: it takes writes along
}

// draw draws the losses of a seed.
func (l *Losses) draw(seed netsim.Seed, s *Scenario) (schedule netsim.Schedule) {
	choice := seed.Stream("losses")
	switch {
	case l.Wipes > 1 && choice.Chance(l.Share) && choice.Chance(netsim.Ratio{Num: 1, Den: 4}):
		return l.pair(&choice, s)
	case choice.Chance(l.Share):
		for i := range 1 + choice.Below(uint64(max(1, l.Wipes))) {
			draw := seed.Stream("wipe", i)
			f := netsim.Fault{Kind: netsim.Wipe, For: draw.Between(100*netsim.Millisecond, 8*netsim.Second)}
			f.Nodes = netsim.Nodes(netsim.NodeID(draw.Below(uint64(s.Servers))))
			if draw.Below(2) == 0 {
				f.At = draw.Between(0, s.ChaosEnd*9/10)
				schedule = append(schedule, l.alone(&draw, s, f.Nodes, f.At)...)
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

// alone may cut nodes off for a while before a loss: they still serve their clients.
func (l *Losses) alone(draw *netsim.Stream, s *Scenario, nodes netsim.NodeSet, loss netsim.Time) netsim.Schedule {
	before := min(loss, draw.Between(100*netsim.Millisecond, 4*netsim.Second))
	if !draw.Chance(l.Alone) || before == 0 {
		return nil
	}
	rest := netsim.FirstNodes(s.Servers) &^ nodes
	return netsim.Schedule{{Kind: netsim.Partition, At: loss - before, For: before + netsim.Millisecond, Groups: []netsim.NodeSet{nodes, rest}}}
}

// pair takes the memory of two nodes of a shard that have been cut off together: of the second one when
// it has just said what it holds of the first one's writes.
func (l *Losses) pair(draw *netsim.Stream, s *Scenario) (schedule netsim.Schedule) {
	size := s.founders() / s.Shards
	first := size * int(draw.Below(uint64(s.Shards)))
	one := int(draw.Below(uint64(size)))
	other := (one + 1 + int(draw.Below(uint64(size-1)))) % size
	both := netsim.Nodes(netsim.NodeID(first+one), netsim.NodeID(first+other))
	at := draw.Between(8*netsim.Second, s.ChaosEnd*3/4)
	schedule = l.alone(draw, s, both, at)
	for i, node := range []int{one, other} {
		f := netsim.Fault{
			Kind: netsim.Wipe, At: at, For: draw.Between(100*netsim.Millisecond, 3*netsim.Second),
			Nodes: netsim.Nodes(netsim.NodeID(first + node)),
		}
		if i == 1 {
			f.At, f.When = 0, netsim.Trigger{Probe: ProbeRoundComplete}
			if draw.Below(2) == 0 {
				f.When.After = draw.Between(0, 50*netsim.Millisecond)
			}
		}
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
