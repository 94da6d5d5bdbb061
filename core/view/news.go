package view

import (
	"fmt"
	"slices"
)

// News says in sentences what became different from one configuration to a later one, for those who watch a store: who
// came, came back without memory or was deleted, by address, and how far a reshard has come. Of what came and went in
// between it says nothing.
func News(old, next *Configuration) (lines []string) {
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for i := range next.Members {
		m := &next.Members[i]
		was := LifeID(0)
		if at := old.MemberAt(m.Address); at >= 0 {
			was = old.Members[at].Life
		}
		switch {
		case m.Life == was || m.Life == 0 && was == 0:
		case was == 0:
			say("%s has joined the store", m.Address)
		case m.Life == 0:
			say("%s was deleted from the view, and invited again", m.Address)
		default:
			say("%s came back without its memory, as a new life", m.Address)
		}
	}
	for i := range old.Members {
		if address := old.Members[i].Address; next.MemberAt(address) < 0 {
			say("%s was deleted from the view", address)
		}
	}
	return append(lines, newsOfReshard(old, next)...)
}

func newsOfReshard(old, next *Configuration) (lines []string) {
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	r := &next.Reshard
	same := old.Reshard.Started == r.Started
	if same && old.Reshard.Phase == r.Phase && old.handingOver() == next.handingOver() {
		return nil
	}
	name := fmt.Sprintf("reshard to %d shards, epoch %d", r.Count, next.Epoch)
	if r.Count == 1 {
		name = fmt.Sprintf("reshard to 1 shard, epoch %d", next.Epoch)
	}
	known := same && old.Reshard.Phase != Copying
	switch r.Phase {
	case NoReshard:
	case Copying:
		say("%s: begun, from %d; %d slots move", name, len(old.Shards), r.Moves)
	case Aborted:
		say("%s: rolled back, %d serve as before", name, len(next.Shards))
	case Switched:
		if !known {
			say("%s: switched, the new owners serve", name)
		}
		if !next.handingOver() {
			say("%s: done, the former owners have handed over", name)
		}
	}
	return lines
}

// handingOver tells whether replica ids of the layout before the last reshard, or of an earlier one, have not retired.
func (c *Configuration) handingOver() bool {
	return c.Reshard.Phase == Switched && len(c.Reshard.Require) > 0 && slices.ContainsFunc(c.Assignments, func(a Assignment) bool {
		return a.Stage == Closed && a.Replica < c.Reshard.Require[0]
	})
}
