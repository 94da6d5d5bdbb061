package kvsim

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sequitur-kv/sequitur/checker"
	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/store"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
	"github.com/sequitur-kv/sequitur/netsim"
)

// The audit is what a healed store owes: nothing waits, replicas and views are equal, nothing
// acknowledged is lost, and every token that the store gave is honoured by any node. Half of it looks
// into the machines at one moment, the other half asks the nodes as any client does.

// auditTimeout is how long a question of the audit may take: no fault is left.
const auditTimeout = 2 * netsim.Second

// auditGap is how long after another client the next one begins.
const auditGap = netsim.Second

// planAudit appends the questions of the audit, each client's share in turn.
func (r *run) planAudit(plan []Operation) []Operation {
	s := r.scenario
	for client := range s.Workload.Clients {
		asked := 0
		ask := func(o Operation) {
			// One client after the other: together they might overload a node.
			o.Number, asked = asked, asked+1
			o.Client, o.At, o.Timeout = client, s.Settled+netsim.Time(client)*auditGap, auditTimeout
			plan = append(plan, o)
		}
		for number := range s.Audits {
			draw := r.seed.Stream("audit", uint64(client), uint64(number))
			node := int(draw.Below(uint64(s.Servers)))
			ask(Operation{Node: node, Op: wire.OpGet, Key: r.keys[draw.Below(uint64(len(r.keys)))]})
		}
		for node := client; node < s.Servers; node += s.Workload.Clients {
			ask(Operation{Node: node, Op: wire.OpView})
			for id := range max(s.Shards, s.Administration.MostShards) {
				ask(Operation{Node: node, Op: wire.OpKeyCount, Shard: shard.ID(id + 1)})
			}
		}
	}
	return plan
}

func (r *run) isAudit(number int32) bool { return number >= r.audits }

// collectedFor picks the operation whose token a read of the audit uses; -1 for none.
func (r *run) collectedFor(number int32) int32 {
	if r.plan[number].Op != wire.OpGet || len(r.collected) == 0 {
		return -1
	}
	audit := &r.plan[number]
	key := netsim.Seed(r.seed.Draw("audited", uint64(audit.Client), uint64(audit.Number)))
	// The highest score wins, so that an operation left out disturbs only the question that used it.
	best, score := int32(-1), uint64(0)
	for _, candidate := range r.collected {
		o := &r.plan[candidate]
		if at := key.At(uint64(o.Client), uint64(o.Number)); best < 0 || at > score {
			best, score = candidate, at
		}
	}
	return best
}

// beginAudit judges the settled machines, once.
func (r *run) beginAudit() {
	if r.settled {
		return
	}
	r.settled = true
	r.goesOn = false // a run that has failed already has shown what it can
	if r.unformable() {
		return
	}
	r.mourn()
	for _, promise := range settledPromises() {
		if r.failure != nil {
			return
		}
		if promise.atRest && r.unfinished() || r.betrayed && trusting[promise.name] {
			continue
		}
		if err := promise.check(r, nil); err != nil {
			r.fail(promise.name, err.Error())
		}
	}
}

// settledPromises must hold some time after the world has healed.
func settledPromises() []invariant {
	return []invariant{
		{name: "settled.all_formed", check: allFormed},
		{name: "settled.configurations_agree", check: configurationsAgree},
		{name: "settled.coverage_is_tidy", check: coverageIsTidy, atRest: true},
		{name: "settled.every_operation_ended", check: everyOperationEnded},
		{name: "settled.nothing_waits", check: nothingWaits},
		{name: "settled.vectors_are_equal", check: vectorsAreEqual, atRest: true},
		{name: "settled.vectors_are_complete", check: vectorsAreComplete, atRest: true},
		{name: "settled.replicas_agree", check: replicasAgree, atRest: true},
		{name: "settled.nothing_lost", check: nothingLost, atRest: true},
	}
}

// allFormed: every node serves, but those that were deleted know that and say so.
func allFormed(r *run, _ *observation) error {
	for i, s := range r.servers {
		if r.dead(i) {
			continue
		}
		c, obstacle := s.machine.Configuration(), s.machine.Obstacle()
		deleted := r.ghost.newest != nil && r.ghost.newest.MemberAt(r.names[i]) < 0
		switch {
		case !r.isMember(i) && r.undecidable():
			if obstacle == "" || c != nil {
				return fmt.Errorf("%s is no member of the store any more, cannot become one, and does not say so: it %s", r.names[i], saying(obstacle))
			}
		case deleted && (c != nil || obstacle == "" || !s.deleted):
			return fmt.Errorf("%s was deleted from the view and does not know: it %s", r.names[i], saying(obstacle))
		case !deleted && (c == nil || obstacle != ""):
			return fmt.Errorf("%s does not serve: it %s", r.names[i], saying(obstacle))
		}
	}
	return nil
}

// configurationsAgree: all members have the same configuration, and nothing is left to do in it that can still be
// done.
func configurationsAgree(r *run, _ *observation) error {
	c := r.ghost.newest
	if c == nil {
		return nil // no store has formed, and whoever could form one is gone
	}
	for i, s := range r.servers {
		if own := s.machine.Configuration(); r.isMember(i) && own != nil && own.Index != c.Index && (own.Epoch != c.Epoch || !r.crippled()) {
			return fmt.Errorf("the newest configuration is that of index %d, epoch %d; %s has that of index %d, epoch %d",
				c.Index, c.Epoch, r.names[i], own.Index, own.Epoch)
		}
	}
	if r.undecidable() || r.unfinished() {
		return nil
	}
	for i := range c.Members {
		m := &c.Members[i]
		at := int(r.serverAt(m.Address))
		if (m.Leaving || r.dead(at) || r.servers[at].machine.Life() != m.Life) && !r.abandoned(m.Shard) {
			return errors.New(r.memberInWords(m))
		}
	}
	for i := range c.Assignments {
		if a := &c.Assignments[i]; a.Stage != view.Serving || a.Target {
			return errors.New(r.assignmentInWords(a))
		}
	}
	for i := range c.Shards {
		if len(c.Shards[i].Serving) == 0 {
			return fmt.Errorf("nobody serves shard %s", c.Shards[i].ID)
		}
	}
	return nil
}

// coverageIsTidy: members hold the slots that they serve, and name no replica that has retired.
func coverageIsTidy(r *run, _ *observation) error {
	for i, s := range r.servers {
		if !r.isMember(i) {
			continue
		}
		c, have := s.machine.Configuration(), s.machine.Have()
		var charged shard.Set
		for _, a := range c.AssignmentsOf(s.life) {
			charged = charged.Union(&a.Slots)
		}
		if held := have.Slots(); held != charged {
			return fmt.Errorf("%s is in charge of %s and holds %d", r.names[i], counted(charged.Len(), "slot"), held.Len())
		}
		for k := range have {
			for _, dot := range have[k].Vector {
				if c.Assignment(dot.Replica) == nil {
					return fmt.Errorf("%s still names replica %d, which has retired", r.names[i], dot.Replica)
				}
			}
		}
	}
	return nil
}

func everyOperationEnded(r *run, _ *observation) error {
	for number := range r.fates[:r.audits] {
		if r.fates[number].ending == pending {
			return fmt.Errorf("%s has neither an answer nor been given up", r.plan[number].name())
		}
	}
	return nil
}

func nothingWaits(r *run, _ *observation) error {
	for i, s := range r.servers {
		if r.dead(i) {
			continue
		}
		if waiting := s.machine.Waiting(); waiting != 0 {
			return fmt.Errorf("still waiting at %s: %s", r.names[i], counted(waiting, "request"))
		}
	}
	return nil
}

// vectorsAreEqual: whoever holds a slot covers the same of it.
func vectorsAreEqual(r *run, _ *observation) error {
	for i, s := range r.servers {
		for j, other := range r.servers[:i] {
			if r.isMember(i) && r.isMember(j) && !equalInCommon(s.machine.Have(), other.machine.Have()) {
				return fmt.Errorf("%s and %s do not cover the same writes of what both hold: %s covers %s, %s covers %s",
					r.names[i], r.names[j], r.names[i], inWords(s.machine.Have()), r.names[j], inWords(other.machine.Have()))
			}
		}
	}
	return nil
}

// vectorsAreComplete: every write ever made that counts has reached everybody who holds its slot.
func vectorsAreComplete(r *run, _ *observation) error {
	for i, s := range r.servers {
		if !r.isMember(i) {
			continue
		}
		c, have := s.machine.Configuration(), s.machine.Have()
		for j := range c.Assignments {
			a := &c.Assignments[j]
			if r.undecidable() && c.MemberOf(a.Life) >= 0 && r.isLost(&c.Members[c.MemberOf(a.Life)]) {
				continue // nobody can say any more how many of them count
			}
			made := r.ghost.made(a.Replica)
			for k := range have {
				common := have[k].Slots.Intersect(&a.Slots)
				slot, ok := common.First()
				if !ok {
					continue
				}
				need := c.Need(slot, causal.Dot{Replica: a.Replica, Seq: made})
				if has := have[k].Vector.Get(a.Replica); has != need {
					return fmt.Errorf("%s made %s as replica %d, %s has %d of them",
						r.names[r.ghost.serverOf(a.Life)], counted(int(made), "write"), a.Replica, r.names[i], has)
				}
			}
		}
	}
	return nil
}

// entries lists what a machine holds, sorted by key.
func entries(m *core.Machine) []checker.Entry {
	var list []checker.Entry
	m.Versions(func(v *store.Version) bool {
		list = append(list, checker.Entry{
			Key: v.Key, Version: v.Dot.String(), Value: string(v.Value), Stamp: stampOf(orderOf(v)), Deleted: v.Deleted,
		})
		return true
	})
	slices.SortFunc(list, func(a, b checker.Entry) int { return strings.Compare(a.Key, b.Key) })
	return list
}

func replicasAgree(r *run, _ *observation) error {
	var replicas []checker.Replica
	for i, s := range r.servers {
		if r.isMember(i) && s.machine.Shard() != 0 {
			replicas = append(replicas, checker.Replica{Name: r.names[i], Shard: s.machine.Shard().String(), Entries: entries(s.machine)})
		}
	}
	if len(replicas) == 0 && r.ruin() != "" {
		return nil
	}
	agreement, err := checker.CheckAgreement(replicas)
	if err != nil {
		return err
	}
	if !agreement.OK() {
		return explained(agreement.Explain)
	}
	return nil
}

// nothingLost: what the shards hold in the end is what the history of acknowledged writes demands.
func nothingLost(r *run, _ *observation) error {
	final := r.final()
	if r.betrayed {
		return nil
	}
	r.complete()
	operations, _ := r.judged()
	history := checker.History{Operations: operations, Sessions: r.sessions}
	losses, err := checker.CheckNothingLost(history, final)
	if err != nil {
		return err
	}
	if losses.Status == checker.Violated {
		return explained(func(w io.Writer) error { return losses.Explain(w, history) })
	}
	return nil // undecided: the verdict on causal consistency says why
}

// final is what the shards hold in the end, sorted by key. It counts the keys that live.
func (r *run) final() (final []checker.Final) {
	r.live = resize(r.live, len(r.ghost.newest.Shards)+1)
	clear(r.live)
	seen := make([]bool, len(r.live))
	for i, s := range r.servers {
		id := s.machine.Shard()
		if !r.isMember(i) || id == 0 || seen[id] {
			continue
		}
		seen[id] = true
		for _, e := range entries(s.machine) {
			final = append(final, checker.Final{Key: e.Key, Version: e.Version, Stamp: e.Stamp})
			if !e.Deleted {
				r.live[id]++
			}
		}
	}
	slices.SortFunc(final, func(a, b checker.Final) int { return strings.Compare(a.Key, b.Key) })
	return final
}

// auditAnswered judges the answer to a question of the audit.
func (r *run) auditAnswered(number int32, response *core.Response) {
	plan := &r.plan[number]
	node := r.names[r.fates[number].asks]
	unknown := int(plan.Shard) >= len(r.live) // there are fewer shards now
	switch {
	case r.excused(number, response.Status) && (!response.Status.Succeeded() || plan.Op == wire.OpKeyCount):
	case plan.Op == wire.OpKeyCount && unknown:
		if response.Status != wire.StatusNoShard {
			r.fail("audit.key_counts_are_right", fmt.Sprintf("%s answers \"%s\" about shard %s, which does not exist", node, response.Status, plan.Shard))
		}
	case !response.Status.Succeeded():
		r.fail("audit.every_question_is_answered", fmt.Sprintf("%s answers \"%s\" to the question for %s after everything healed%s",
			node, response.Status, questionInWords(plan), because(response.Reason)))
	case plan.Op == wire.OpView && !slices.Equal(response.Members, r.members()):
		r.fail("audit.views_are_complete", fmt.Sprintf("the view of %s is %s; members are %s", node, enumerate(response.Members), enumerate(r.members())))
	case plan.Op == wire.OpKeyCount && response.Count != r.live[plan.Shard]:
		r.fail("audit.key_counts_are_right", fmt.Sprintf("%s counts %s in shard %s, there are %d",
			node, counted(int(response.Count), "key"), plan.Shard, r.live[plan.Shard]))
	}
}

// members lists the addresses of all who belong to the store and are not lost: what a view shows.
func (r *run) members() (addresses []string) {
	for i := range r.ghost.newest.Members {
		if m := &r.ghost.newest.Members[i]; !r.isLost(m) && (m.Life != 0 || !r.stuck) {
			addresses = append(addresses, m.Address)
		}
	}
	return addresses
}

// auditExpired: silence is no answer either.
func (r *run) auditExpired(number int32) {
	if r.excused(number, 0) {
		return
	}
	plan := &r.plan[number]
	r.fail("audit.every_question_is_answered", fmt.Sprintf("%s does not answer the question for %s within %s, though everything healed",
		r.names[r.fates[number].asks], questionInWords(plan), seconds(plan.Timeout)))
}
