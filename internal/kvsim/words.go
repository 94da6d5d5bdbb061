package kvsim

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
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
	case netsim.Tear:
		return nodes + " crashed in the middle of writing, with a part of it on disk,"
	case netsim.FailDisk:
		return fmt.Sprintf("the disk of %s refuses what is written, which ends the process,", nodes)
	case netsim.FillDisk:
		return fmt.Sprintf("the disk of %s is full", nodes)
	case netsim.FalseSync:
		return fmt.Sprintf("the disk of %s says that it wrote what it did not", nodes)
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

// memberInWords says why a member should not be one any more.
func (r *run) memberInWords(m *view.Member) string {
	server := int(r.serverAt(m.Address))
	why := ""
	switch {
	case r.dead(server):
		why = "though it never comes back"
	case m.Life == 0:
		why = "of which the store has heard nothing yet, though it was added to the view"
	case r.servers[server].machine.Life() != m.Life:
		why = "with the life that ended when it lost its memory, and not with the one that it has begun since"
	default:
		why = "though it was deleted"
	}
	return fmt.Sprintf("%s is still a member, %s", m.Address, why)
}

// assignmentInWords says what is left to do with an assignment.
func (r *run) assignmentInWords(a *view.Assignment) string {
	what := ""
	switch {
	case a.Target:
		what = "still takes part in a reshard"
	case a.Stage == view.Learning:
		what = "still copies what it is to serve"
	case a.Stage == view.Prepared:
		what = "has copied everything and still does not serve"
	case !a.Fixed:
		what = "does not write any more, and nobody has settled yet which of its writes count"
	default:
		what = "does not write any more, and has not retired yet, though everybody knows which of its writes count"
	}
	return fmt.Sprintf("%s, as replica %d of shard %s, %s", r.names[r.ghost.serverOf(a.Life)], a.Replica, a.Shard, what)
}

// questionInWords is what an operation asks for that changes nothing.
func questionInWords(o *Operation) string {
	switch o.Op {
	case wire.OpKeyCount:
		return "the number of keys in shard " + o.Shard.String()
	case wire.OpView:
		return "its view"
	default:
		return o.Key
	}
}

// valueInWords is a value of a key in quotes, or nothing.
func valueInWords(value string) string {
	if value == "" {
		return "nothing"
	}
	return strconv.Quote(value)
}

// inWords is what somebody covers: "1.4 and 2.1" or, where slots differ, "1.4 in 512 slots, 2.1 in 512 slots".
func inWords(c causal.Coverage) string {
	parts := make([]string, len(c))
	for i := range c {
		dots := make([]string, len(c[i].Vector))
		for k, dot := range c[i].Vector {
			dots[k] = dot.String()
		}
		if parts[i] = enumerate(dots); len(dots) == 0 {
			parts[i] = "nothing"
		}
		if len(c) > 1 {
			parts[i] += " in " + counted(c[i].Slots.Len(), "slot")
		}
	}
	if len(c) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// saying is what a node says that keeps it from serving.
func saying(obstacle string) string {
	if obstacle == "" {
		return "says that nothing keeps it from serving"
	}
	return "says: " + obstacle
}

// because is a reason at the end of a sentence, "" for none.
func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
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
