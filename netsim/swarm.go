package netsim

// Swarm draws schedules by swarm testing (Groce et al., ISSTA 2012): each run
// first draws which kinds of faults exist in it at all and how strong they are,
// then the faults. A run with three kinds reaches states that a mix of all kinds
// would never reach.
type Swarm struct {
	// Targets are the nodes that may be hit. Faults of links are drawn for links
	// between targets only, so that other nodes meet nothing but latency.
	Targets NodeSet
	// Kinds are those that may occur; nil means Recoverable().
	Kinds []FaultKind
	// Count is the usual number of faults, give or take a third; zero means 12.
	Count int
	// Begin and End bound the faults: the chaos phase. Nothing is drawn unless
	// End is later.
	Begin, End Time
	// Longest bounds the length of a fault; zero means a third of the phase.
	Longest Time
	// Situations are names of probes. That share of the faults which Triggered says
	// waits for one of them to be met by a target, instead of for a time, and is
	// mostly aimed at the node that met it, or at all other targets. Such a fault may
	// begin before Begin and after End; the world ends it with the chaos.
	Situations []string
	Triggered  Ratio
	// Kills bounds how many nodes Kill hits in a run; zero: it is not drawn.
	Kills int
	// Strongest bounds the amounts of Delay and Reorder; those of Slow and SlowSync
	// are at most a quarter of it, those of clocks at most ten times. Zero means one
	// second.
	Strongest Time
}

// Recoverable returns all kinds that a correct store survives without losing
// an acknowledged write: everything but Wipe, Kill and FalseSync.
func Recoverable() []FaultKind {
	kinds := make([]FaultKind, 0, lastKind)
	for kind := Partition; kind <= lastKind; kind++ {
		if kind != Wipe && kind != Kill && kind != FalseSync {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// Draw returns the schedule of a seed, in the order of time. Whether a kind
// exists, and each fault, is keyed on its own: a new kind does not reshuffle the
// faults of the others.
func (s Swarm) Draw(seed Seed) Schedule {
	if s.End <= s.Begin || s.Targets == 0 {
		return nil
	}
	if s.Count == 0 {
		s.Count = 12
	}
	if s.Longest == 0 {
		s.Longest = max(1, (s.End-s.Begin)/3)
	}
	if s.Strongest == 0 {
		s.Strongest = Second
	}
	kinds := s.drawKinds(seed)
	if len(kinds) == 0 {
		return nil
	}
	number := seed.Stream("swarm count")
	third := uint64(s.Count / 3)
	count := s.Count + int(number.Below(2*third+1)) - int(third)
	var schedule Schedule
	limit := killLimit{left: s.Kills}
	for i := range count {
		kind := winner(seed, kinds, uint64(i))
		fault := s.drawFault(seed, kind, uint64(i))
		if kind == Kill && !limit.allows(fault.Nodes) {
			continue
		}
		at := len(schedule)
		for at > 0 && schedule[at-1].At > fault.At {
			at--
		}
		schedule = append(schedule, Fault{})
		copy(schedule[at+1:], schedule[at:])
		schedule[at] = fault
	}
	return schedule
}

// killLimit keeps the kills of a run within Swarm.Kills.
type killLimit struct {
	left   int
	killed NodeSet
}

func (l *killLimit) allows(nodes NodeSet) bool {
	more := nodes &^ l.killed &^ relative
	need := more.Len()
	if nodes&Met != 0 { // it may be one that nobody killed before
		need++
	}
	if need > l.left {
		return false
	}
	l.left -= need
	l.killed |= more
	return true
}

// drawKinds keeps each kind with probability 1/2, and at least one.
func (s Swarm) drawKinds(seed Seed) []FaultKind {
	kinds := s.Kinds
	if kinds == nil {
		kinds = Recoverable()
	}
	var possible, drawn []FaultKind
	for _, kind := range kinds {
		if !s.possible(kind) {
			continue
		}
		possible = append(possible, kind)
		if seed.Draw("swarm kind", uint64(kind))&1 == 0 {
			drawn = append(drawn, kind)
		}
	}
	if len(drawn) == 0 && len(possible) > 0 {
		drawn = append(drawn, winner(seed, possible, ^uint64(0)))
	}
	return drawn
}

// possible reports whether there are enough targets for a kind.
func (s Swarm) possible(kind FaultKind) bool {
	switch {
	case kind == 0 || kind > lastKind:
		return false
	case kind == Kill:
		return s.Kills > 0
	case kind == Bridge:
		return s.Targets.Len() >= 3
	case kind.target() != onNodes:
		return s.Targets.Len() >= 2
	}
	return true
}

// winner gives each kind a score per fault; the highest wins (rendezvous
// hashing), so that one more kind takes over some faults and leaves the rest.
func winner(seed Seed, kinds []FaultKind, index uint64) FaultKind {
	key := seed.Key("swarm winner")
	best := kinds[0]
	for _, kind := range kinds[1:] {
		if key.At(index, uint64(kind)) > key.At(index, uint64(best)) {
			best = kind
		}
	}
	return best
}

func (s Swarm) drawFault(seed Seed, kind FaultKind, index uint64) Fault {
	draw := seed.Stream("swarm fault", index, uint64(kind))
	strength := seed.Stream("swarm strength", uint64(kind))
	f := Fault{Kind: kind}
	f.For = spread(&draw, max(1, s.Longest/64), s.Longest)
	f.For = min(f.For, s.End-s.Begin)
	f.At = draw.Between(s.Begin, s.End-f.For)
	f.At = max(s.Begin, f.At-f.At%Millisecond) // for the reader of a schedule
	if kind.hasChance() {
		// One strength per kind and run, from 1/50 to 1/2.
		f.Chance = Ratio{1, uint32(2 + strength.Below(6)*strength.Below(9) + strength.Below(9))}
	}
	if kind.hasAmount() {
		f.Amount = s.drawAmount(&draw, &strength, kind)
	}
	switch kind.target() {
	case onGroups:
		s.drawGroups(&draw, &f)
	case onLinks:
		s.drawLinks(&draw, &f)
	default:
		f.Nodes = s.drawNodes(&draw, kind)
	}
	if kind == Kill {
		f.For = 0
	}
	if len(s.Situations) > 0 && s.Triggered.Num > 0 && s.Triggered.Hits(seed.Draw("swarm triggered", index)) {
		s.drawTrigger(seed.Stream("swarm trigger", index), seed, index, &f)
	}
	return f
}

// drawAmount draws around the strength that the kind has in this run.
func (s Swarm) drawAmount(draw, strength *Stream, kind FaultKind) Time {
	most := s.Strongest
	switch kind {
	case Slow, SlowSync:
		most = s.Strongest / 4
	case Skew, Jump:
		most = s.Strongest * 10
	default:
	}
	most = max(most, Millisecond)
	limit := spread(strength, most/100, most)
	amount := rounded(spread(draw, max(limit/8, Microsecond), max(limit, Microsecond)))
	if kind.signed() && draw.Below(2) == 0 {
		return -amount
	}
	return amount
}

// spread draws a length whose order of magnitude is uniform.
func spread(draw *Stream, low, high Time) Time {
	low = max(low, 1)
	doublings := uint64(0)
	for bound := low; bound < high/2; bound *= 2 {
		doublings++
	}
	low <<= draw.Below(doublings + 1)
	return rounded(draw.Between(min(low, high), min(2*low, high)))
}

// rounded keeps three digits or so, for the reader of a schedule.
func rounded(t Time) Time {
	unit := Time(1)
	for t/unit >= 1000 {
		unit *= 10
	}
	return max(1, t/unit*unit)
}

func (s Swarm) drawGroups(draw *Stream, f *Fault) {
	rest := s.Targets
	if f.Kind == Bridge {
		f.Via = rest.nth(int(draw.Below(uint64(rest.Len()))))
		rest &^= Nodes(f.Via)
	}
	sides := 2
	if f.Kind == Partition && rest.Len() > 2 && draw.Below(5) == 0 {
		sides = 3
	}
	f.Groups = make([]NodeSet, sides)
	// One node for each side first, so that none is empty.
	for i := range f.Groups {
		id := rest.nth(int(draw.Below(uint64(rest.Len()))))
		f.Groups[i] |= Nodes(id)
		rest &^= Nodes(id)
	}
	for ; rest != 0; rest &= rest - 1 {
		f.Groups[draw.Below(uint64(sides))] |= Nodes(rest.first())
	}
}

// drawLinks picks two different sets of targets, or one and the same: all.
func (s Swarm) drawLinks(draw *Stream, f *Fault) {
	if f.Kind == Isolate {
		f.Nodes = Nodes(s.Targets.nth(int(draw.Below(uint64(s.Targets.Len())))))
		f.Peers = s.Targets &^ f.Nodes
		return
	}
	if f.Kind != Block && draw.Below(4) == 0 {
		f.Nodes, f.Peers = s.Targets, s.Targets
		return
	}
	for f.Nodes == 0 || f.Nodes == s.Targets {
		f.Nodes = s.Targets & NodeSet(draw.Uint64())
	}
	f.Peers = s.Targets &^ f.Nodes
	if draw.Below(2) == 0 { // towards one node only
		f.Peers = Nodes(f.Peers.nth(int(draw.Below(uint64(f.Peers.Len())))))
	}
}

// drawNodes picks one node, sometimes two; a frozen or skewed clock may be
// common to many.
func (s Swarm) drawNodes(draw *Stream, kind FaultKind) NodeSet {
	var set NodeSet
	count := uint64(1)
	if draw.Below(4) == 0 {
		count = 2
	}
	if (kind == Skew || kind == Jump) && draw.Below(4) == 0 {
		count += draw.Below(uint64(s.Targets.Len()))
	}
	for range count {
		set |= Nodes(s.Targets.nth(int(draw.Below(uint64(s.Targets.Len())))))
	}
	return set
}
