package store

import (
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
	newest  causal.Vector // the last write of each replica among them
	beyond  causal.Vector // the same of what to does not cover: whoever copies from here has to find that, too
}

// NewCopy begins a copy that will hold everything that to covers.
func NewCopy(to causal.Coverage) *Copy { return &Copy{to: to} }

// To is what the copy covers; not to be modified.
func (c *Copy) To() causal.Coverage { return c.to }

// Len is the number of versions that came.
func (c *Copy) Len() int { return c.count }

// Clock is the highest hybrid time that came, zero for none.
func (c *Copy) Clock() hlc.Time { return c.clock }

// Newest names the last write of each replica that came; not to be modified.
func (c *Copy) Newest() causal.Vector { return c.newest }

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
		c.newest = c.newest.Raise(v.Dot)
		if !c.to.At(slot).Covers(v.Dot) {
			c.beyond = c.beyond.Raise(v.Dot)
		}
	}
	c.count += len(versions)
}
