package netsim

import "slices"

// drawTrigger makes a fault wait for a situation. It draws under keys of its own:
// the faults that wait for a time stay as they are.
func (s Swarm) drawTrigger(draw Stream, seed Seed, index uint64, f *Fault) {
	f.At = 0
	f.When = Trigger{Probe: s.situation(seed, index), By: s.Targets}
	if draw.Below(3) == 0 {
		// Some situations are met once in a run, others all the time.
		f.When.Skip = uint32(draw.Below(1 << (1 + draw.Below(6))))
	}
	if draw.Below(2) == 0 {
		f.When.After = spread(&draw, Microsecond, max(s.Strongest, Millisecond))
	}
	if slices.Contains(DiskPoints(), f.When.Probe) {
		// A disk is at its points all the time: somewhere in the run, and right there.
		f.When.Skip, f.When.After = uint32(draw.Below(1<<(1+draw.Below(10)))), 0
	}
	others := s.Targets | ButMet
	if s.Targets.Len() < 2 {
		others = Met // there are none
	}
	switch f.Kind.target() {
	case onGroups:
		s.aimGroups(&draw, f)
	case onLinks:
		f.Nodes, f.Peers = Met, others
		if f.Kind != Isolate && draw.Below(2) == 0 {
			f.Nodes, f.Peers = others, Met
		}
	default:
		f.Nodes = Met
		if f.Kind != Kill && draw.Below(2) == 0 {
			f.Nodes = others
		}
	}
}

// situation picks by the highest score, so that one more takes over some faults
// and leaves the rest.
func (s Swarm) situation(seed Seed, index uint64) string {
	key := seed.Key("swarm situation")
	best := s.Situations[0]
	for _, name := range s.Situations[1:] {
		if key.Draw(name, index) > key.Draw(best, index) {
			best = name
		}
	}
	return best
}

// aimGroups puts the node that met the situation alone on a side, or on one of
// those drawn, or in the middle of a bridge.
func (s Swarm) aimGroups(draw *Stream, f *Fault) {
	if f.Kind == Bridge {
		f.Groups[0] |= Nodes(f.Via)
		f.Via = MetNode
	} else if draw.Below(2) == 0 {
		f.Groups = []NodeSet{Met, s.Targets | ButMet}
		return
	}
	for i := range f.Groups {
		f.Groups[i] |= ButMet
	}
	if f.Kind == Partition {
		f.Groups[0] = f.Groups[0]&^ButMet | Met
	}
}
