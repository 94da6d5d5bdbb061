package netsim

import (
	"errors"
	"fmt"
)

// FaultKind says what a fault does. The zero value is no fault.
type FaultKind uint8

// The kinds, in the words of a schedule's text. Links are those from one set of
// nodes to another, those that touch a set, or all of them.
const (
	// Partition drops messages between groups: "partition n1,n2 | n3..n6". Nodes
	// that are not named see everybody.
	Partition FaultKind = iota + 1
	// Block drops messages in one direction: "block n1 -> n2,n3".
	Block
	// Bridge lets two groups see each other through one node only:
	// "bridge n1,n2 | n4,n5 via n3".
	Bridge
	// Isolate cuts each named node off from all others, or from some:
	// "isolate n3", "isolate n3 from n1,n2".
	Isolate
	// Loss drops messages with a probability: "loss 1/5 n1 -> n2".
	Loss
	// Duplicate delivers messages again, later: "duplicate 1/4 n1,n2".
	Duplicate
	// Reorder delays each message by its own random time: "reorder 50ms all". What
	// is sent later may overtake it, also after the fault.
	Reorder
	// Delay delays each message by a fixed time: "delay 100ms n1 -> n2".
	Delay
	// Clog holds what arrives and delivers it at its end in one burst, in order:
	// "clog n1 -> n2".
	Clog
	// Pause keeps nodes from handling anything, like a long garbage collection;
	// what arrives waits: "pause n2".
	Pause
	// Slow delays each handling of a node, not beyond its own end: "slow 5ms n2".
	Slow
	// Crash kills processes. What is not durable of the log, held messages and what
	// arrives meanwhile are lost; they restart when it ends: "crash n1".
	Crash
	// Wipe is a crash that also empties the disk: "wipe n1". It can destroy the
	// only copy of something; Swarm never draws it unasked.
	Wipe
	// Skew sets a wall clock off, until it ends: "skew -250ms n1".
	Skew
	// Jump sets a wall clock off and slews it back evenly until it ends, as a time
	// daemon would: "jump +2s n1".
	Jump
	// Freeze stops a wall clock: "freeze n1".
	Freeze
	// SlowSync makes each sync of a disk take longer, not beyond its own end:
	// "slow-sync 30ms n1".
	SlowSync
	// Kill is a crash for good: the process never restarts, not even after the
	// chaos: "kill n3". Swarm never draws it unasked.
	Kill
	// Tear is a crash that leaves more of the log than what is durable: a drawn part
	// of what the sync under way was about, from nothing to all of it: "tear n1".
	Tear
	// FailDisk lets the next sync of a disk fail. The process ends with it, as in a
	// Tear, and restarts when the fault ends: "fail-disk n1".
	FailDisk
	// FillDisk lets Outbox.DiskFull say so: "fill-disk n1".
	FillDisk
	// FalseSync lets the syncs of a disk report success although nothing is durable:
	// a crash takes it back unless an honest sync came between: "false-sync n1". No
	// store can keep its word then; Swarm never draws it unasked.
	FalseSync
	lastKind = FalseSync
)

// String is the word that stands for the kind in a schedule.
func (k FaultKind) String() string {
	words := [...]string{"none", "partition", "block", "bridge", "isolate", "loss", "duplicate", "reorder",
		"delay", "clog", "pause", "slow", "crash", "wipe", "skew", "jump", "freeze", "slow-sync", "kill",
		"tear", "fail-disk", "fill-disk", "false-sync"}
	if int(k) < len(words) {
		return words[k]
	}
	return "unknown"
}

// target is what a kind is aimed at.
type target uint8

const (
	onGroups target = iota + 1
	onLinks
	onNodes
)

func (k FaultKind) target() target {
	switch {
	case k == Partition || k == Bridge:
		return onGroups
	case k >= Block && k <= Clog:
		return onLinks
	}
	return onNodes
}

func (k FaultKind) hasChance() bool { return k == Loss || k == Duplicate }

func (k FaultKind) hasAmount() bool {
	switch k {
	case Reorder, Delay, Slow, Skew, Jump, SlowSync:
		return true
	default:
		return false
	}
}

// signed kinds take an amount of either sign, the others a positive one.
func (k FaultKind) signed() bool { return k == Skew || k == Jump }

// Fault is one disturbance as data. Only the fields that its kind needs are set;
// ParseSchedule shows all forms.
type Fault struct {
	Kind FaultKind
	// When makes it wait for a situation instead. At is zero then, and the sets of
	// nodes may say Met and ButMet.
	When Trigger
	// At is when it begins, For how long it lasts: more than zero, but zero for
	// Kill. The world cuts it short at Config.ChaosEnd.
	At, For Time
	// Groups are the sides of a Partition (two or more) or a Bridge (two).
	Groups []NodeSet
	// Via is the node that a Bridge leaves; MetNode is the one that met a situation.
	Via NodeID
	// Nodes are those that a fault of nodes hits. For a fault of links: with Peers
	// empty the links to and from Nodes, else the links from Nodes to Peers; both
	// empty: all links. Isolate cuts both directions between Nodes and Peers.
	Nodes, Peers NodeSet
	// Chance is the probability of Loss and Duplicate, per message.
	Chance Ratio
	// Amount is the length of Reorder (the most), Delay, Slow, SlowSync, and the
	// offset of Skew and Jump.
	Amount Time
}

// covers reports whether a fault of links or groups touches the link.
func (f *Fault) covers(from, to NodeID) bool {
	switch {
	case f.Kind.target() == onGroups:
		a, b := f.group(from), f.group(to)
		return a >= 0 && b >= 0 && a != b
	case f.Peers != 0:
		return f.Nodes.Has(from) && f.Peers.Has(to) ||
			f.Kind == Isolate && f.Peers.Has(from) && f.Nodes.Has(to)
	case f.Nodes != 0:
		return f.Nodes.Has(from) || f.Nodes.Has(to)
	}
	return true
}

// group is the index of the group of a node, -1 when it is not named.
func (f *Fault) group(id NodeID) int {
	for i, group := range f.Groups {
		if group.Has(id) {
			return i
		}
	}
	return -1
}

// cuts reports whether the kind drops every message on the links it covers.
func (k FaultKind) cuts() bool { return k >= Partition && k <= Isolate }

// validate checks a fault against a world of n nodes.
func (f *Fault) validate(n int) error {
	world := FirstNodes(n)
	switch {
	case f.Kind == 0 || f.Kind > lastKind:
		return fmt.Errorf("fault kind %d is unknown", f.Kind)
	case f.At < 0 || f.For < 0 || f.For == 0 && f.Kind != Kill:
		return errors.New("a fault begins at zero or later and lasts longer than zero")
	case f.For != 0 && f.Kind == Kill:
		return errors.New("kill is for good and takes no length of time")
	case (f.Nodes|f.Peers)&^relative&^world != 0:
		return fmt.Errorf("it names a node beyond the %d of the world", n)
	case !f.Nodes.valid(world, f.triggered()) || !f.Peers.valid(world, f.triggered()):
		return errMet
	case f.triggered() && f.At != 0:
		return errors.New("a fault waits for a situation or for a time, not for both")
	case f.Kind.hasChance() && (f.Chance.Num == 0 || !f.Chance.valid()):
		return fmt.Errorf("%v needs a probability above 0 and at most 1", f.Kind)
	case !f.Kind.hasChance() && f.Chance != Ratio{}:
		return fmt.Errorf("%v takes no probability", f.Kind)
	case f.Kind.hasAmount() && (f.Amount == 0 || f.Amount < 0 && !f.Kind.signed()):
		return fmt.Errorf("%v needs a length", f.Kind)
	case !f.Kind.hasAmount() && f.Amount != 0:
		return fmt.Errorf("%v takes no length", f.Kind)
	}
	if f.triggered() {
		if err := f.When.validate(world); err != nil {
			return err
		}
	}
	return f.validateTarget(world)
}

var errMet = errors.New("met is a node where a fault waits for a situation, once in a set of nodes and beside others to be left out of")

func (f *Fault) validateTarget(world NodeSet) error {
	if f.Kind.target() == onGroups {
		return f.validateGroups(world)
	}
	needsNodes := f.Kind.target() == onNodes || f.Kind == Block || f.Kind == Isolate
	switch {
	case len(f.Groups) != 0 || f.Via != 0:
		return fmt.Errorf("%v takes no groups", f.Kind)
	case f.Nodes == 0 && (needsNodes || f.Peers != 0):
		return fmt.Errorf("%v needs nodes", f.Kind)
	case f.Peers == 0 && f.Kind == Block:
		return fmt.Errorf("%v needs a direction, like n1 -> n2", f.Kind)
	case f.Peers != 0 && f.Kind.target() == onNodes:
		return fmt.Errorf("%v takes no second set of nodes", f.Kind)
	}
	return nil
}

func (f *Fault) validateGroups(world NodeSet) error {
	if f.Nodes|f.Peers != 0 {
		return fmt.Errorf("%v takes groups only", f.Kind)
	}
	if len(f.Groups) < 2 || f.Kind == Bridge && len(f.Groups) != 2 {
		return fmt.Errorf("%v needs groups, like n1 | n2,n3", f.Kind)
	}
	var named NodeSet
	for _, group := range f.Groups {
		if group == 0 || group&^relative&^world != 0 || group&named != 0 {
			return fmt.Errorf("the groups of %v are empty, overlap or leave the world", f.Kind)
		}
		if !group.valid(world, f.triggered()) {
			return errMet
		}
		named |= group &^ ButMet
	}
	if f.Kind == Partition && f.Via != 0 {
		return errors.New("only a bridge has a node in the middle")
	}
	if f.Kind == Bridge && f.Via == MetNode && f.triggered() {
		if named&Met != 0 {
			return errMiddle
		}
		return nil
	}
	if f.Kind == Bridge && (f.Via < 0 || !world.Has(f.Via) || named.Has(f.Via)) {
		return errMiddle
	}
	return nil
}

var errMiddle = errors.New("the node in the middle of a bridge stands in neither group")

// format writes the fault in the form that ParseSchedule reads.
func (f *Fault) format(names []string) string {
	effect := f.formatEffect(names)
	switch {
	case f.Kind == Kill && f.triggered():
		return f.When.format(names) + " " + effect
	case f.Kind == Kill:
		return "at " + f.At.String() + " " + effect
	case f.triggered():
		return f.When.format(names) + " " + effect + " for " + f.For.String()
	}
	return "at " + f.At.String() + " for " + f.For.String() + " " + effect
}

// formatEffect writes what the fault does, without the times.
func (f *Fault) formatEffect(names []string) string {
	text := f.Kind.String()
	if f.Kind.hasChance() {
		text += " " + f.Chance.String()
	}
	if f.Kind.hasAmount() {
		text += " "
		if f.Kind.signed() && f.Amount > 0 {
			text += "+"
		}
		text += f.Amount.String()
	}
	if f.Kind.target() == onGroups {
		separator := " "
		for _, group := range f.Groups {
			text += separator + group.format(names)
			separator = " | "
		}
		switch {
		case f.Kind != Bridge:
		case f.Via == MetNode:
			text += " via met"
		default:
			text += " via " + names[f.Via]
		}
		return text
	}
	if f.Nodes == 0 {
		return text + " all"
	}
	text += " " + f.Nodes.format(names)
	if f.Peers == 0 {
		return text
	}
	if f.Kind == Isolate {
		return text + " from " + f.Peers.format(names)
	}
	return text + " -> " + f.Peers.format(names)
}
