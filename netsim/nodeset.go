package netsim

import (
	"fmt"
	"math/bits"
	"strings"
)

// NodeID is a node's index in Config.Names.
type NodeID int

// MaxNodes bounds a world, so that a set of nodes is one machine word, with room
// for Met and ButMet.
const MaxNodes = 62

// NodeSet is a set of nodes; the zero value is empty.
type NodeSet uint64

// Members of a set that are not known before a run: in a fault with a Trigger
// they stand for the node that met the situation.
const (
	// Met adds that node: "met", "n1,met".
	Met NodeSet = 1 << 63
	// ButMet takes it out of the nodes beside it: "n1..n6 but met".
	ButMet NodeSet = 1 << 62

	relative = Met | ButMet
)

// Nodes returns the set of the given nodes, each in [0, MaxNodes).
func Nodes(ids ...NodeID) NodeSet {
	var set NodeSet
	for _, id := range ids {
		set |= 1 << uint(id)
	}
	return set
}

// FirstNodes returns the set of the nodes 0 to n-1.
func FirstNodes(n int) NodeSet {
	return 1<<uint(min(n, MaxNodes)) - 1
}

// Has reports whether id is a member.
func (s NodeSet) Has(id NodeID) bool { return s>>uint(id)&1 != 0 }

// Len is the number of members that are known.
func (s NodeSet) Len() int { return bits.OnesCount64(uint64(s &^ relative)) }

// valid reports whether the set stays within a world. Only where a situation was
// met does Met say anything.
func (s NodeSet) valid(world NodeSet, met bool) bool {
	nodes := s &^ relative
	switch {
	case nodes&^world != 0, s&relative != 0 && !met, s&relative == relative:
		return false
	}
	return s&ButMet == 0 || nodes != 0
}

// metBy is the set of known nodes that s is once a node has met the situation.
func (s NodeSet) metBy(id NodeID) NodeSet {
	nodes := s &^ relative
	switch {
	case s&Met != 0:
		nodes |= Nodes(id)
	case s&ButMet != 0:
		nodes &^= Nodes(id)
	}
	return nodes
}

// first is the smallest member of a set that is not empty.
func (s NodeSet) first() NodeID { return NodeID(bits.TrailingZeros64(uint64(s))) }

// nth is the member with n smaller ones; n is below Len.
func (s NodeSet) nth(n int) NodeID {
	for ; n > 0; n-- {
		s &= s - 1
	}
	return s.first()
}

// format writes runs of three or more as a range: "n1,n2,n4..n6", "n1,met",
// "n1..n5 but met"; "all but met" where the nodes are those of the world.
func (s NodeSet) format(names []string) string {
	var b strings.Builder
	if s == FirstNodes(len(names))|ButMet {
		return "all but met"
	}
	for id := 0; id < len(names); id++ {
		if !s.Has(NodeID(id)) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(names[id])
		last := id
		for last+1 < len(names) && s.Has(NodeID(last+1)) {
			last++
		}
		if last-id >= 2 {
			b.WriteString("..")
			b.WriteString(names[last])
			id = last
		}
	}
	switch {
	case s&ButMet != 0:
		b.WriteString(" but met")
	case s&Met != 0 && b.Len() > 0:
		b.WriteString(",met")
	case s&Met != 0:
		b.WriteString("met")
	}
	return b.String()
}

// parseNodeSet reads "n1,n4..n6", "n1,met", "all" or "others".
func parseNodeSet(text string, names []string) (NodeSet, error) {
	switch text {
	case "all":
		return FirstNodes(len(names)), nil
	case "others":
		return FirstNodes(len(names)) | ButMet, nil
	}
	var set NodeSet
	for _, part := range strings.Split(text, ",") {
		if part == "met" {
			set |= Met
			continue
		}
		low, high, ranged := strings.Cut(part, "..")
		if !ranged {
			high = low
		}
		from, until := indexOf(names, low), indexOf(names, high)
		if from < 0 || until < 0 || from > until {
			return 0, fmt.Errorf("%q names no node; known are %s", part, strings.Join(names, ", "))
		}
		for ; from <= until; from++ {
			set |= 1 << uint(from)
		}
	}
	return set, nil
}

func indexOf(names []string, name string) int {
	for i, candidate := range names {
		if candidate == name {
			return i
		}
	}
	return -1
}

// checkNames refuses what the text form of a schedule could not tell apart.
func checkNames(names []string) error {
	if len(names) == 0 || len(names) > MaxNodes {
		return fmt.Errorf("netsim: %d node names; a world has 1 to %d nodes", len(names), MaxNodes)
	}
	for i, name := range names {
		if !validName(name) {
			return fmt.Errorf("netsim: node name %q; use letters, digits, '-', '_', ':' and single dots inside, not one of the words all, but, from, met, others and via, and no empty name", name)
		}
		if indexOf(names, name) != i {
			return fmt.Errorf("netsim: node name %q is given twice", name)
		}
	}
	return nil
}

func validName(name string) bool {
	switch name {
	case "", "all", "but", "from", "met", "others", "via":
		return false
	}
	for _, c := range name {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && !strings.ContainsRune("-_:.", c) {
			return false
		}
	}
	return !strings.Contains(name, "..") && name[0] != '.' && name[len(name)-1] != '.'
}
