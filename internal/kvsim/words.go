package kvsim

import (
	"fmt"
	"strings"

	"github.com/sequitur-kv/sequitur/netsim"
)

// reportInWords is a fault that began, and why: "as n2 meets stream.gap, n3 is paused for 2 s".
func reportInWords(f *netsim.FaultReport, names []string) string {
	text := faultInWords(&f.Effect, names)
	if f.Met == netsim.NoNode {
		return text
	}
	when := &f.Fault.When
	situation := fmt.Sprintf("%s meets %s", names[f.Met], when.Probe)
	if when.Skip > 0 {
		situation += fmt.Sprintf(", which had been met %s before", counted(int(when.Skip), "time"))
	}
	if when.After > 0 {
		return fmt.Sprintf("%s after %s, %s", seconds(when.After), situation, text)
	}
	return fmt.Sprintf("as %s, %s", situation, text)
}

// faultInWords is a fault of a time as a person would tell it: "n3 is cut off from n1 and n2 for 2 s".
func faultInWords(f *netsim.Fault, names []string) string {
	if f.Kind == netsim.Kill {
		return faultEffect(f, names)
	}
	return faultEffect(f, names) + " for " + seconds(f.For)
}

func faultEffect(f *netsim.Fault, names []string) string {
	nodes, peers := nodesInWords(f.Nodes, names), nodesInWords(f.Peers, names)
	is := "is"
	if f.Nodes.Len() > 1 {
		is = "are"
	}
	switch f.Kind {
	case netsim.Partition, netsim.Bridge:
		sides := make([]string, len(f.Groups))
		for i, group := range f.Groups {
			sides[i] = nodesInWords(group, names)
		}
		if f.Kind == netsim.Bridge {
			return fmt.Sprintf("%s see each other through %s only", strings.Join(sides, " | "), names[f.Via])
		}
		return "the network splits into " + strings.Join(sides, " | ")
	case netsim.Block:
		return fmt.Sprintf("nothing gets from %s to %s", nodes, peers)
	case netsim.Isolate:
		if f.Peers == 0 {
			peers = "everybody"
		}
		return fmt.Sprintf("%s %s cut off from %s", nodes, is, peers)
	case netsim.Pause:
		return fmt.Sprintf("%s %s paused", nodes, is)
	case netsim.Crash:
		return nodes + " crashed, with the disk kept,"
	case netsim.Kill:
		return nodes + " crashed and never came back"
	case netsim.Wipe:
		return nodes + " crashed, and the disk is lost,"
	case netsim.Slow:
		return fmt.Sprintf("%s takes %s longer for everything", nodes, seconds(f.Amount))
	case netsim.SlowSync:
		return fmt.Sprintf("the disk of %s takes %s longer", nodes, seconds(f.Amount))
	case netsim.Skew:
		return fmt.Sprintf("the clock of %s is off by %s", nodes, seconds(f.Amount))
	case netsim.Jump:
		return fmt.Sprintf("the clock of %s jumps by %s, to come back slowly,", nodes, seconds(f.Amount))
	case netsim.Freeze:
		return fmt.Sprintf("the clock of %s stands still", nodes)
	default:
		return linkInWords(f, names)
	}
}

// linkInWords tells a fault of links that lets messages through.
func linkInWords(f *netsim.Fault, names []string) string {
	where := "everywhere"
	switch {
	case f.Peers != 0:
		where = "from " + nodesInWords(f.Nodes, names) + " to " + nodesInWords(f.Peers, names)
	case f.Nodes != 0:
		where = "to and from " + nodesInWords(f.Nodes, names)
	}
	switch f.Kind {
	case netsim.Loss:
		return fmt.Sprintf("%v of the messages %s get lost", f.Chance, where)
	case netsim.Duplicate:
		return fmt.Sprintf("%v of the messages %s arrive twice", f.Chance, where)
	case netsim.Reorder:
		return fmt.Sprintf("messages %s take up to %s longer, each its own time,", where, seconds(f.Amount))
	case netsim.Delay:
		return fmt.Sprintf("messages %s take %s longer", where, seconds(f.Amount))
	case netsim.Clog:
		return fmt.Sprintf("messages %s are held back", where)
	default:
		return f.Kind.String() + " " + where
	}
}

// nodesInWords is "n1", "n1 and n2" or "n1, n2 and n3".
func nodesInWords(set netsim.NodeSet, names []string) string {
	var list []string
	for id, name := range names {
		if set.Has(netsim.NodeID(id)) {
			list = append(list, name)
		}
	}
	return enumerate(list)
}

func enumerate(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}

// seconds is a length of time for a person: "2 s", "150 ms".
func seconds(t netsim.Time) string {
	if t > netsim.Second || t < -netsim.Second {
		t -= t % netsim.Millisecond
	}
	text := t.String()
	unit := strings.IndexFunc(text, func(c rune) bool { return c >= 'a' && c <= 'z' })
	return text[:unit] + " " + text[unit:]
}
