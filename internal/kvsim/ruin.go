package kvsim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/store"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
	"github.com/sequitur-kv/sequitur/netsim"
)

// A person who writes faults can do more to a store than it promises to survive. What that takes away is not
// demanded any more; everything else is, and the result says so.

// ruinous tells whether a schedule takes something away for good.
func ruinous(schedule netsim.Schedule) bool {
	return takes(schedule, netsim.Kill) || takes(schedule, netsim.Wipe)
}

// takes tells whether a schedule has a fault of a kind.
func takes(schedule netsim.Schedule, kind netsim.FaultKind) bool {
	for i := range schedule {
		if schedule[i].Kind == kind {
			return true
		}
	}
	return false
}

// forgotten tells whether nobody is left who knows of the store that was founded: they are dead, or have lost
// their memory.
func (r *run) forgotten() bool {
	return r.ruinous && r.ghost.founded && !slices.ContainsFunc(r.servers, func(s *server) bool {
		return s == nil || s.adopted != nil && !r.dead(s.index) && !s.wiped()
	})
}

// gone tells whether the store is forgotten that clients have used. What the nodes do next is another store, which
// cannot make anything of their tokens: the run ends.
func (r *run) gone() bool { return r.forgotten() && len(r.collected) > 0 }

// isLost tells whether the life of a member is over, though the store does not know.
func (r *run) isLost(m *view.Member) bool {
	server := int(r.serverAt(m.Address))
	s := r.servers[server]
	return m.Life != 0 && (r.dead(server) || s.life != m.Life || s.wiped())
}

// unformable tells whether a founder died before anybody who is left knew of the store: forming takes all founders.
func (r *run) unformable() bool {
	if r.world.Killed()&netsim.FirstNodes(r.scenario.founders()) == 0 {
		return false
	}
	return !slices.ContainsFunc(r.servers, func(s *server) bool {
		return s != nil && !r.dead(s.index) && s.machine.Configuration() != nil
	})
}

// undecidable tells whether too few voters are left to decide anything: who belongs to the store and who owns what
// stays as it is.
func (r *run) undecidable() bool {
	if r.ghost.newest == nil || r.stuck {
		return r.stuck
	}
	lost, voters, dead, open := r.voters()
	// Half of them, all together, can take in again those that lost their memory, but no dead, and not while it is
	// open who the voters are.
	return 2*lost > voters || 2*lost == voters && (dead > 0 || open)
}

// voters counts those who vote in the log, as far as anybody knows who is left. The lives of the lost are over, or
// they are dead.
func (r *run) voters() (lost, voters, dead int, open bool) {
	g := &r.ghost
	over := func(life view.LifeID) bool {
		server := g.serverOf(life)
		s := r.servers[server]
		return s.life != life || s.wiped() || r.dead(server) || g.newest.HasEnded(life)
	}
	var left *server
	for _, s := range r.servers {
		if s != nil && !over(s.life) && (left == nil || s.machine.LogStatus().Applied > left.machine.LogStatus().Applied) {
			left = s
		}
	}
	if left == nil {
		return 0, 0, 0, true
	}
	status := left.machine.LogStatus()
	for _, id := range status.Voters {
		life := view.LifeID(id)
		if !over(life) {
			continue
		}
		lost++
		if r.dead(g.serverOf(life)) && !g.newest.HasEnded(life) {
			dead++ // nobody tells the others
		}
	}
	return lost, len(status.Voters), dead, !status.Settled || status.Lost
}

// unfinished tells whether a change is under way that cannot end, because it needs what is lost for good.
func (r *run) unfinished() bool {
	c := r.ghost.newest
	return c != nil && slices.ContainsFunc(c.Assignments, func(a view.Assignment) bool { return a.Stage != view.Serving || a.Target }) && r.crippled()
}

// crippled tells whether something that the store needs is lost for good.
func (r *run) crippled() bool {
	c := r.ghost.newest
	return r.undecidable() || c != nil && slices.ContainsFunc(c.Shards, func(s view.Shard) bool { return r.abandoned(s.ID) })
}

// abandoned tells whether everybody is lost for good who serves a shard, or could begin to.
func (r *run) abandoned(id shard.ID) bool {
	c := r.ghost.newest
	if int(id) > len(c.Shards) || id == 0 {
		return false
	}
	undecidable := r.undecidable()
	if len(c.Shards[id-1].Serving) == 0 { // a learner may begin to, if it comes back and that can be decided
		return undecidable || !slices.ContainsFunc(c.Assignments, func(a view.Assignment) bool {
			return a.Shard == id && !a.Target && a.Stage != view.Closed && !r.dead(r.ghost.serverOf(a.Life))
		})
	}
	for _, i := range c.Shards[id-1].Serving {
		m := &c.Members[i]
		if !r.isLost(m) || !undecidable && !r.dead(int(r.serverAt(m.Address))) {
			return false
		}
	}
	return true
}

// excused tells whether a question of the audit needs what is lost for good. status is that of the answer, zero for
// none.
func (r *run) excused(number int32, status wire.Status) bool {
	plan, c := &r.plan[number], r.ghost.newest
	switch {
	case r.unformable():
		return true
	case c == nil:
		return false
	case status == wire.StatusOverloaded && r.undecidable():
		return true // nobody can find out that a question waits in vain: such questions fill the queue
	case plan.Op == wire.OpKeyCount:
		return r.unfinished() || r.abandoned(plan.Shard)
	case plan.Op != wire.OpGet:
		return false
	}
	if owner := c.Layout.Owner(shard.SlotOf(plan.Key)); r.abandoned(owner) {
		return true
	}
	if !r.undecidable() {
		return false
	}
	// Who came back without a memory stays outside.
	return status == wire.StatusForming || slices.ContainsFunc(r.fates[number].need.Vector, r.ghost.lost)
}

// ruin says what the run did to the store beyond what the store promises to survive; "" for nothing.
func (r *run) ruin() string {
	c := r.ghost.newest
	switch {
	case !r.ruinous || r.world == nil:
		return ""
	case r.gone():
		return fmt.Sprintf("everybody who knew of the store was dead or had lost its memory at %s: the run ends there, what came before is judged",
			seconds(r.world.Now()))
	case r.unformable():
		return "a founder died before the store had formed, which takes all of them: nothing is asked of it"
	case c == nil:
		return ""
	}
	var lost []string
	if r.undecidable() {
		count, voters, _, _ := r.voters()
		lost = append(lost, fmt.Sprintf("%d of %d voters are lost for good, too many to decide anything: members and owners stay as they are",
			count, voters))
	}
	for i := range c.Shards {
		if id := c.Shards[i].ID; r.abandoned(id) {
			lost = append(lost, fmt.Sprintf("nobody is left who serves shard %s: its keys are not asked for", id))
		}
	}
	return strings.Join(lost, "; ")
}

// mourn takes stock of what is left when everything has healed: the writes that only nodes held which never come
// back are lost, and what only they know of the configuration is not to be had.
func (r *run) mourn() {
	g := &r.ghost
	for i, s := range r.servers {
		if r.isMember(i) {
			s.machine.Versions(func(v *store.Version) bool {
				if w := g.lookup(v.Dot); w != nil { // a message that was under way has saved it
					w.destroyed = false
				}
				return true
			})
		}
	}
	if !r.ruinous || g.newest == nil {
		return
	}
	if r.stuck = r.undecidable(); r.stuck {
		var known *view.Configuration
		for i, s := range r.servers {
			if c := s.machine.Configuration(); c != nil && !r.dead(i) && (known == nil || c.Index > known.Index) {
				known = c
			}
		}
		g.newest = known
	}
	if r.world.Killed() != 0 {
		r.noteDestroyed()
	}
}
