package netsim

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Trigger makes a fault begin when a situation is met (Outbox.Probe) instead of
// at a time. The zero value is none.
type Trigger struct {
	// Probe is the name of the situation: a letter, then letters, digits, '-', '_',
	// ':' and '.'.
	Probe string
	// By: only when one of these nodes meets it; empty: any.
	By NodeSet
	// Skip is how often it is met in vain before.
	Skip uint32
	// After is how long after that the fault begins; zero: as the next event.
	After Time
}

// MetNode as Fault.Via stands for the node that met the situation.
const MetNode NodeID = -2

// triggered reports whether the fault waits for a situation.
func (f *Fault) triggered() bool { return f.When != Trigger{} }

func (t *Trigger) validate(world NodeSet) error {
	switch {
	case !validProbe(t.Probe):
		return fmt.Errorf("situation %q; use a letter, then letters, digits, '-', '_', ':' and '.'", t.Probe)
	case !t.By.valid(world, false):
		return errors.New("the nodes that may meet the situation are nodes of the world")
	case t.After < 0:
		return errors.New("a fault begins when its situation is met, or later")
	}
	return nil
}

func validProbe(name string) bool {
	if name == "" {
		return false
	}
	for i, c := range name {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || (c < '0' || c > '9') && !strings.ContainsRune("-_:.", c)) {
			return false
		}
	}
	return true
}

// format is "when 3rd stream.gap at n1,n2 then after 50ms".
func (t *Trigger) format(names []string) string {
	text := "when "
	if t.Skip > 0 {
		text += ordinal(uint64(t.Skip)+1) + " "
	}
	text += t.Probe
	if t.By != 0 {
		text += " at " + t.By.format(names)
	}
	text += " then"
	if t.After != 0 {
		text += " after " + t.After.String()
	}
	return text
}

// ordinal is "1st", "2nd", "3rd", "11th".
func ordinal(n uint64) string {
	suffix := "th"
	if tens := n / 10 % 10; tens != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.FormatUint(n, 10) + suffix
}

// trigger reads what format writes, behind the word when.
func (p *lineParser) trigger() (t Trigger) {
	word := p.next()
	if digits := strings.TrimRight(word, "stndrh"); digits != "" && '0' <= word[0] && word[0] <= '9' {
		n, err := strconv.ParseUint(digits, 10, 32)
		if err != nil || n == 0 || word != ordinal(n) {
			p.fail(fmt.Errorf("%q does not say how often; write it like 3rd", word))
			return t
		}
		t.Skip = uint32(n - 1)
		word = p.next()
	}
	t.Probe = word
	if p.accept("at") {
		t.By = p.set()
	}
	p.expect("then")
	if p.accept("after") {
		t.After = p.time()
	}
	return t
}

// metBy is the fault of a time and of known nodes that a triggered one becomes
// when a node meets its situation. False: no nodes are left for it.
func (f *Fault) metBy(id NodeID, begins Time) (Fault, bool) {
	e := *f
	e.When, e.At = Trigger{}, begins
	e.Nodes, e.Peers = f.Nodes.metBy(id), f.Peers.metBy(id)
	if f.Kind.target() != onGroups {
		return e, (e.Nodes != 0 || f.Nodes == 0) && (e.Peers != 0 || f.Peers == 0)
	}
	if f.Via == MetNode {
		e.Via = id
	}
	taken := NodeSet(0) // from the groups that do not name it
	for _, group := range f.Groups {
		if group&Met != 0 {
			taken = Nodes(id)
		}
	}
	e.Groups = nil
	for _, group := range f.Groups {
		known := group.metBy(id)
		if group&Met == 0 {
			known &^= taken
		}
		if f.Kind == Bridge {
			known &^= Nodes(e.Via)
		}
		if known != 0 {
			e.Groups = append(e.Groups, known)
		}
	}
	return e, len(e.Groups) >= 2
}

// meet tells the faults that wait for a situation that a node has met it.
func (w *World[M]) meet(name string, id NodeID) {
	waiting := w.waitingFaults[:0]
	for _, index := range w.waitingFaults {
		f := &w.faults[index]
		if f.When.Probe != name || f.When.By != 0 && !f.When.By.Has(id) {
			waiting = append(waiting, index)
			continue
		}
		if f.skipped < f.When.Skip {
			f.skipped++
			waiting = append(waiting, index)
			continue
		}
		w.trigger(index, id)
	}
	w.waitingFaults = waiting
}

// trigger queues the beginning and the end of a fault, before everything else
// that happens at the same times. What would begin at the end of chaos or later
// never does.
func (w *World[M]) trigger(index int32, id NodeID) {
	f := &w.faults[index]
	begins := w.now + min(f.When.After, w.chaosEnd)
	if begins >= w.chaosEnd {
		return
	}
	effect, hits := f.metBy(id, begins)
	if !hits {
		return
	}
	f.situation, f.met = f.When.Probe, id
	f.Fault = effect
	w.queueFault(index, w.queue.pushUrgent)
}
