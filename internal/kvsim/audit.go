package kvsim

import (
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
	for _, promise := range settledPromises() {
		if r.failure != nil {
			return
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
		{name: "settled.coverage_is_tidy", check: coverageIsTidy},
		{name: "settled.every_operation_ended", check: everyOperationEnded},
		{name: "settled.nothing_waits", check: nothingWaits},
		{name: "settled.vectors_are_equal", check: vectorsAreEqual},
		{name: "settled.vectors_are_complete", check: vectorsAreComplete},
		{name: "settled.replicas_agree", check: replicasAgree},
		{name: "settled.nothing_lost", check: nothingLost},
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
		case deleted && (c != nil || obstacle == "" || !s.deleted):
			return fmt.Errorf("%s was deleted from the view and does not know: %q", r.names[i], obstacle)
		case !deleted && (c == nil || obstacle != ""):
			return fmt.Errorf("%s does not serve: %q", r.names[i], obstacle)
		}
	}
	return nil
}

// configurationsAgree: all members have the same configuration, and nothing is left to do in it.
func configurationsAgree(r *run, _ *observation) error {
	c := r.ghost.newest
	if c == nil {
		return nil // no store has formed, and whoever could form one is gone
	}
	for i, s := range r.servers {
		if own := s.machine.Configuration(); r.isMember(i) && own != nil && own.Index != c.Index {
			return fmt.Errorf("the newest configuration is that of index %d, epoch %d; %s has that of index %d, epoch %d",
				c.Index, c.Epoch, r.names[i], own.Index, own.Epoch)
		}
	}
	for i := range c.Members {
		m := &c.Members[i]
		if at := int(r.serverAt(m.Address)); m.Leaving || r.dead(at) || r.servers[at].machine.Life() != m.Life {
			return fmt.Errorf("%s, life %s, is still a member; leaving: %t, for good: %t, lives %s",
				m.Address, m.Life, m.Leaving, r.dead(at), r.servers[at].machine.Life())
		}
	}
	for i := range c.Assignments {
		if a := &c.Assignments[i]; a.Stage != view.Serving || a.Target {
			return fmt.Errorf("replica %d of %s, in shard %s, is at stage %d; final known: %t, dead: %t",
				a.Replica, r.names[r.ghost.serverOf(a.Life)], a.Shard, a.Stage, a.Fixed, a.Dead)
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
			return fmt.Errorf("%s is in charge of %d slots and holds %d", r.names[i], charged.Len(), held.Len())
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
			return fmt.Errorf("operation %d of client %s has neither an answer nor been given up",
				number+1, clientName(r.plan[number].Client))
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
			return fmt.Errorf("%d requests still wait at %s", waiting, r.names[i])
		}
	}
	return nil
}

// vectorsAreEqual: whoever holds a slot covers the same of it.
func vectorsAreEqual(r *run, _ *observation) error {
	for i, s := range r.servers {
		for j, other := range r.servers[:i] {
			if r.isMember(i) && r.isMember(j) && !equalInCommon(s.machine.Have(), other.machine.Have()) {
				return fmt.Errorf("%s has %s, %s has %s", r.names[i], s.machine.Have(), r.names[j], other.machine.Have())
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
			made := r.ghost.made(a.Replica)
			for k := range have {
				common := have[k].Slots.Intersect(&a.Slots)
				slot, ok := common.First()
				if !ok {
					continue
				}
				need := c.Need(slot, causal.Dot{Replica: a.Replica, Seq: made})
				if has := have[k].Vector.Get(a.Replica); has != need {
					return fmt.Errorf("%s made %d writes as replica %d, %s has %d of them",
						r.names[r.ghost.serverOf(a.Life)], made, a.Replica, r.names[i], has)
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
	r.complete()
	var final []checker.Final
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

// auditAnswered judges the answer to a question of the audit.
func (r *run) auditAnswered(number int32, response *core.Response) {
	plan := &r.plan[number]
	node := r.names[r.fates[number].asks]
	unknown := int(plan.Shard) >= len(r.live) // there are fewer shards now
	switch {
	case plan.Op == wire.OpKeyCount && unknown:
		if response.Status != wire.StatusNoShard {
			r.fail("audit.key_counts_are_right", fmt.Sprintf("%s answers %q about shard %s, which does not exist", node, response.Status, plan.Shard))
		}
	case !response.Status.Succeeded():
		r.fail("audit.every_question_is_answered", fmt.Sprintf("%s answers %q to a %s of %q after everything healed: %s",
			node, response.Status, plan.Op, plan.Key, response.Reason))
	case plan.Op == wire.OpView && !slices.Equal(response.Members, r.members()):
		r.fail("audit.views_are_complete", fmt.Sprintf("the view of %s is %s", node, strings.Join(response.Members, ",")))
	case plan.Op == wire.OpKeyCount && response.Count != r.live[plan.Shard]:
		r.fail("audit.key_counts_are_right", fmt.Sprintf("%s counts %d keys in shard %s, there are %d",
			node, response.Count, plan.Shard, r.live[plan.Shard]))
	}
}

// members lists the addresses of all who belong to the store.
func (r *run) members() (addresses []string) {
	for i := range r.ghost.newest.Members {
		addresses = append(addresses, r.ghost.newest.Members[i].Address)
	}
	return addresses
}

// auditExpired: silence is no answer either.
func (r *run) auditExpired(number int32) {
	plan := &r.plan[number]
	r.fail("audit.every_question_is_answered", fmt.Sprintf("%s gives no answer to a %s of %q within %v, though everything healed",
		r.names[r.fates[number].asks], plan.Op, plan.Key, plan.Timeout))
}
