package view

import (
	"cmp"
	"slices"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
)

// Phase is how far the last reshard has come.
type Phase uint8

// The phases of a reshard.
const (
	NoReshard Phase = iota // there never was one
	Copying                // the members of the new layout copy, the old layout serves
	Switched               // the new layout is in force
	Aborted                // the old layout stays in force
)

// Reshard is the last change of the layout.
type Reshard struct {
	Phase   Phase
	Count   int                // of shards
	Started uint64             // index of the entry that started it
	By      LifeID             // who asked for it
	Number  uint64             // of that request
	Moves   int                // slots that change their shard
	Require []causal.ReplicaID // that must be Prepared before the new layout comes into force; ascending
}

func (o StartReshard) request(c *change) Outcome {
	up, down := c.eligible(o.Up)
	alone := o.Count == 1 && len(up) == 1 && len(c.Members) == 1
	switch {
	case c.Reshard.Phase == Copying:
		return Outcome{Result: Busy}
	case o.Count < 1 || o.Count > shard.MaxShards || 2*o.Count > len(up) && !alone:
		return Outcome{Result: TooFew}
	}
	c.Target = c.Layout.Resized(o.Count)
	c.Reshard = Reshard{
		Phase: Copying, Count: o.Count, Started: c.index, By: c.by, Number: c.number,
		Moves: shard.Moves(c.Layout, c.Target),
	}
	homes := place(up, down, o.Count)
	for i, s := range append(up, down...) {
		replica := c.assign(s.life, homes[i], c.Target)
		if i < len(up) {
			c.Reshard.Require = append(c.Reshard.Require, replica)
		}
	}
	return Outcome{Result: Done}
}

// A seat is a member that a reshard gives a shard, and what it has now.
type seat struct {
	life  LifeID
	home  shard.ID
	stage Stage
}

// eligible are the members that a reshard can count on, and those that are there but not reachable.
// Who serves comes first, then by address.
func (c *change) eligible(reachable []string) (up, down []seat) {
	for i := range c.Members {
		m := &c.Members[i]
		if m.Life == 0 || m.Leaving {
			continue
		}
		s := seat{life: m.Life}
		if a := c.current(m.Life); a != nil {
			s.home, s.stage = a.Shard, a.Stage
		}
		if slices.Contains(reachable, m.Address) {
			up = append(up, s)
		} else {
			down = append(down, s)
		}
	}
	servingFirst := func(a, b seat) int { return -cmp.Compare(a.stage, b.stage) }
	slices.SortStableFunc(up, servingFirst)
	slices.SortStableFunc(down, servingFirst)
	return up, down
}

// place chooses the shards, 1 to count, of up and then down: so that the numbers of those that are up
// differ by at most one, then those of all as far as possible, and as many as possible stay where they
// are.
func place(up, down []seat, count int) []shard.ID {
	sizes := make([]int, count+1)
	homes := fill(nil, up, sizes, evenly(up, count))
	all := slices.Concat(up, down)
	limit := (len(all) + count - 1) / count
	limits := make([]int, count+1)
	for id := range limits {
		limits[id] = limit
	}
	return fill(homes, down, sizes, limits)
}

// evenly is how many of the seats each of the shards is to have, by id. Those that do not divide evenly
// go where most are now.
func evenly(seats []seat, count int) []int {
	now := make([]int, count+1)
	for _, s := range seats {
		if int(s.home) <= count {
			now[s.home]++
		}
	}
	return shard.Even(len(seats), count, now)
}

// fill leaves seats in their shards up to the limits, gives the others the shard with fewest, and
// appends the shards to homes. sizes are the numbers so far.
func fill(homes []shard.ID, seats []seat, sizes, limits []int) []shard.ID {
	chosen := make([]shard.ID, len(seats))
	for i, s := range seats {
		if id := int(s.home); id > 0 && id < len(sizes) && sizes[id] < limits[id] {
			chosen[i] = s.home
			sizes[id]++
		}
	}
	for i := range seats {
		if chosen[i] != 0 {
			continue
		}
		fewest := 0
		for id := 1; id < len(sizes); id++ {
			if sizes[id] < limits[id] && (fewest == 0 || sizes[id] < sizes[fewest]) {
				fewest = id
			}
		}
		chosen[i] = shard.ID(fewest)
		sizes[fewest]++
	}
	return append(homes, chosen...)
}

// Prepared is how many members hold all of a layout that is not in force yet.
func (c *Configuration) Prepared() (count int) {
	for i := range c.Assignments {
		if c.Assignments[i].Stage == Prepared {
			count++
		}
	}
	return count
}

func (o Abort) request(c *change) Outcome {
	if c.Reshard.Phase != Copying || c.Reshard.Started != o.Started {
		return Outcome{Result: Over}
	}
	c.abort()
	return Outcome{Result: Done}
}

// abort gives up the reshard that copies. Nothing was written under the replica ids of its layout, but
// their lives may hold what others lost by now: they hand over before those retire.
func (c *change) abort() {
	c.Target, c.Reshard.Phase = nil, Aborted
	for i := range c.Assignments {
		if a := &c.Assignments[i]; a.Target {
			c.close(a)
		}
	}
}

// switchOver brings the new layout into force when all that it waits for are prepared. Who is not goes
// on learning. Every replica id of the old layout closes.
func (c *change) switchOver() bool {
	if c.Reshard.Phase != Copying {
		return false
	}
	for _, replica := range c.Reshard.Require {
		if a := c.find(replica); a == nil || a.Stage != Prepared {
			return false
		}
	}
	c.Layout, c.Target, c.Reshard.Phase = c.Target, nil, Switched
	for i := range c.Assignments {
		switch a := &c.Assignments[i]; {
		case !a.Target:
			c.close(a)
		case a.Stage == Prepared:
			a.Stage, a.Target = Serving, false
		default:
			a.Target = false
		}
	}
	return true
}
