package core_test

import (
	"fmt"
	"strings"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// invite NODE MEMBER: adds a member to the view.
func (s *script) cmdInvite(d directive) {
	s.ask(d, core.Request{Op: wire.OpInvite, Member: d.word(1)})
}

// remove NODE MEMBER: deletes a member from the view.
func (s *script) cmdRemove(d directive) {
	s.ask(d, core.Request{Op: wire.OpRemove, Member: d.word(1)})
}

// add-member NODE MEMBER SHARD: assigns a member to a shard.
func (s *script) cmdAddMember(d directive) {
	s.ask(d, core.Request{Op: wire.OpAddMember, Member: d.word(1), Shard: d.shard(2)})
}

// reshard NODE SHARDS: another number of shards.
func (s *script) cmdReshard(d directive) {
	s.ask(d, core.Request{Op: wire.OpReshard, Count: int(d.shard(1))})
}

// progress NODE: how far a reshard has come.
func (s *script) cmdProgress(d directive) { s.ask(d, core.Request{Op: wire.OpProgress}) }

// leader: who leads the configuration log, and how many vote.
func (s *script) cmdLeader(directive) {
	leader := s.leader()
	if leader == "" {
		s.print("nobody leads\n")
		return
	}
	s.print("%s leads %d voters\n", leader, s.nodes[leader].machine.Figures().Voters)
}

// leader is the first running node that takes itself for the leader of the configuration log.
func (s *script) leader() string {
	for _, name := range s.names {
		if m := s.nodes[name].machine; m != nil && m.Figures().Leader == name {
			return name
		}
	}
	return ""
}

// configuration [NODE…]: the members and assignments that a node knows of.
func (s *script) cmdConfiguration(d directive) {
	for _, name := range s.chosen(d) {
		c := s.nodes[name].machine.Configuration()
		if c == nil {
			s.print("%s: none\n", name)
			continue
		}
		s.print("%s: epoch %d, %d shards\n", name, c.Epoch, len(c.Shards))
		for i := range c.Members {
			m := &c.Members[i]
			life := "not seen yet"
			if m.Life != 0 {
				life = s.life(m.Life)
			}
			s.print("  %s: %s", m.Address, life)
			for _, a := range c.AssignmentsOf(m.Life) {
				s.print("; %s", describeAssignment(a))
			}
			if m.Leaving {
				s.print("; leaving")
			}
			s.print("\n")
		}
		for i := range c.Assignments {
			if a := &c.Assignments[i]; a.Dead {
				s.print("  dead: %s\n", describeAssignment(a))
			}
		}
	}
}

func describeAssignment(a *view.Assignment) string {
	text := fmt.Sprintf("replica %d of shard %s %s", a.Replica, a.Shard, strings.ToLower(stageName(a.Stage)))
	if a.Target {
		text += " for the new layout"
	}
	if a.Stage == view.Closed && a.Fixed {
		text += " at"
		for _, f := range a.Finals {
			text += fmt.Sprintf(" %d", f.Seq)
		}
		if len(a.Finals) == 0 {
			text += " 0"
		}
	}
	return text
}

func stageName(s view.Stage) string {
	return [...]string{"learning", "prepared", "serving", "closed"}[s]
}
