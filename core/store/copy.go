package store

import (
	"slices"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/hlc"
	"github.com/sequitur-kv/sequitur/core/shard"
)

// Copy is a copy under way: what came of it so far, sorted, so that little is left to do when it is
// whole. Nobody sees it before that. Make one with NewCopy.
type Copy struct {
	to      causal.Coverage
	shelves [shard.Slots]*shelf
	count   int           // versions that came
	clock   hlc.Time      // the highest of theirs
	beyond  causal.Vector // the last write of each replica among them that to does not cover
}

// NewCopy begins a copy that will hold everything that to covers.
func NewCopy(to causal.Coverage) *Copy { return &Copy{to: to} }

// To is what the copy covers; not to be modified.
func (c *Copy) To() causal.Coverage { return c.to }

// Len is the number of versions that came.
func (c *Copy) Len() int { return c.count }

// Clock is the highest hybrid time that came, zero for none.
func (c *Copy) Clock() hlc.Time { return c.clock }

// Overtaken tells whether versions came that the source got while the copy was made, so that they are beyond
// its coverage; gone names replicas that no coverage names any more.
func (c *Copy) Overtaken(gone func(causal.ReplicaID) bool) bool {
	return slices.ContainsFunc(c.beyond, func(dot causal.Dot) bool { return !gone(dot.Replica) })
}

// Follow goes on with a copy: the source covers to by now, and with it all that came so far. What it covers
// more than before is still to come.
func (c *Copy) Follow(to causal.Coverage) { c.to, c.beyond = c.to.RaiseAll(to), nil }

// Add takes a part. A key may come again.
func (c *Copy) Add(versions []Version) {
	for i := range versions {
		v := &versions[i]
		slot := shard.SlotOf(v.Key)
		if c.shelves[slot] == nil {
			c.shelves[slot] = new(shelf)
		}
		c.shelves[slot].offer(v, 0, 0)
		c.clock = max(c.clock, v.Clock())
		if !c.to.At(slot).Covers(v.Dot) {
			c.beyond = c.beyond.Raise(v.Dot)
		}
	}
	c.count += len(versions)
}
