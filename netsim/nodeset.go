package netsim

import (
	"fmt"
	"math/bits"
	"strings"
)

// NodeID is a node's index in Config.Names.
type NodeID int

// MaxNodes bounds a world, so that a set of nodes is one machine word.
const MaxNodes = 64

// NodeSet is a set of nodes; the zero value is empty.
type NodeSet uint64

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
	if n >= MaxNodes {
		return ^NodeSet(0)
	}
	return 1<<uint(n) - 1
}

// Has reports whether id is a member.
func (s NodeSet) Has(id NodeID) bool { return s>>uint(id)&1 != 0 }

// Len is the number of members.
func (s NodeSet) Len() int { return bits.OnesCount64(uint64(s)) }

// first is the smallest member of a set that is not empty.
func (s NodeSet) first() NodeID { return NodeID(bits.TrailingZeros64(uint64(s))) }

// nth is the member with n smaller ones; n is below Len.
func (s NodeSet) nth(n int) NodeID {
	for ; n > 0; n-- {
		s &= s - 1
	}
	return s.first()
}

// format writes runs of three or more as a range: "n1,n2,n4..n6".
func (s NodeSet) format(names []string) string {
	var b strings.Builder
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
	return b.String()
}

// parseNodeSet reads "n1,n4..n6" or "all".
func parseNodeSet(text string, names []string) (NodeSet, error) {
	if text == "all" {
		return FirstNodes(len(names)), nil
	}
	var set NodeSet
	for _, part := range strings.Split(text, ",") {
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
			return fmt.Errorf("netsim: node name %q; use letters, digits, '-', '_', ':' and single dots inside, not all, via, from or an empty name", name)
		}
		if indexOf(names, name) != i {
			return fmt.Errorf("netsim: node name %q is given twice", name)
		}
	}
	return nil
}

func validName(name string) bool {
	switch name {
	case "", "all", "via", "from":
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
