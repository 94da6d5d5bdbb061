package kvsim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// theEnd is after all entries of the log.
const theEnd uint64 = 1 << 40

// founded is the state that the store begins with.
func (r *run) founded() (first succession) {
	first.count = r.scenario.Shards
	sizes, more := r.scenario.founders()/r.scenario.Shards, r.scenario.founders()%r.scenario.Shards
	server := 0
	for id := 1; id <= r.scenario.Shards; id++ {
		size := sizes
		if id <= more {
			size++
		}
		for range size {
			first.nodes[server] = place{present: true, seen: true, shard: int8(id)}
			server++
		}
	}
	return first
}

// found is the state that the store has in the end.
func (r *run) found() (s succession) {
	c := r.ghost.newest
	s.count = len(c.Shards)
	for i := range c.Members {
		s.nodes[r.serverAt(c.Members[i].Address)] = place{present: true, shard: int8(c.Members[i].Shard)}
	}
	return s
}

// events is the administration up to an entry of the log. What may have happened later may not have happened at all.
func (r *run) events(until uint64) (history []porcupine.Operation) {
	// Entries are moments: what is over with one of them comes before all that begins after it.
	put := func(e event, f finding, at span) {
		o := porcupine.Operation{ClientId: len(history), Input: e, Call: 2*int64(at.from) + 1, Output: f, Return: 2 * int64(at.to)}
		if at.to > until {
			f.maybe = true
			o.Output, o.Return = f, int64(2*theEnd)
		}
		if at.from < until {
			history = append(history, o)
		}
	}
	for number := range r.plan {
		plan, f := &r.plan[number], &r.fates[number]
		if !plan.Op.Administers() || !f.asked {
			continue
		}
		e := event{kind: decision, op: plan.Op, number: int32(number + 1), shard: int8(plan.Shard), count: plan.Count}
		if f.about != "" {
			e.server = int(r.serverAt(f.about))
		}
		over := e
		over.kind = conclusion
		switch {
		case f.index != 0:
			if plan.Op == wire.OpRemove && f.status == wire.StatusAnswered {
				e.mark = 1 << (len(history) % 64) // more of them at once there are not
				over.mark = e.mark
				put(over, finding{}, span{f.index - 1, max(f.index, f.known)})
			}
			put(e, finding{result: f.result}, span{f.index - 1, f.index})
			if at, ok := r.ghost.over(f.index); ok && plan.Op == wire.OpReshard && f.result == view.Done {
				put(over, finding{aborted: f.status == wire.StatusRolledBack, either: f.ending == unknown}, at)
			}
		case !f.delivered, f.ending == refused: // nothing happened
		default:
			at, ended := r.mayBe(f)
			if at == (span{}) {
				continue // it explains nothing, and costs much
			}
			put(e, finding{result: view.Done, maybe: true}, at)
			if plan.Op == wire.OpReshard && ended != (span{}) { // a node that is leaving may be gone at any time anyway
				put(over, finding{maybe: true, either: true}, ended)
			}
		}
	}
	for i := range r.ghost.births {
		if b := &r.ghost.births[i]; b.joined != (span{}) {
			put(event{kind: joining, server: b.server}, finding{maybe: b.unseen}, b.joined)
		}
	}
	if until == theEnd {
		put(event{kind: standing, state: r.found()}, finding{}, span{theEnd - 1, theEnd})
	}
	return history
}

// succeeds judges the administration up to a moment. The zero verdict means that the budget did not suffice.
func (r *run) succeeds(until uint64) Verdict {
	budget := administrationBudget
	ok := porcupine.CheckOperations(successions(r.founded(), &budget), r.events(until))
	return searched(ok, budget)
}

// checkAdministration judges all of it; nil if it is linearizable.
func (r *run) checkAdministration() *Failure {
	if r.ghost.newest == nil {
		return nil // there was nothing to administer
	}
	order := r.decided()
	for i, number := range order {
		switch f := &r.fates[number]; {
		case f.index <= f.since:
			return r.misplaced(number, "an entry of the log that was in force before it was asked")
		case i > 0 && f.index == r.fates[order[i-1]].index:
			return r.misplaced(number, "the entry of the log that another request was answered with")
		}
	}
	until := theEnd
	if r.ruin() != "" { // then it need not come to rest
		until = r.ghost.newest.Index
	}
	switch r.succeeds(until) {
	case Holds:
		return nil
	case Undecided:
		return &Failure{Kind: KindUndecided, Name: "administration", Explanation: fmt.Sprintf(
			"the administration is undecided: its history takes more than %d steps; try another seed", administrationBudget)}
	case Violated:
	}
	first, _ := slices.BinarySearchFunc(order, Violated, func(number int32, _ Verdict) int {
		if r.succeeds(r.fates[number].index) == Violated {
			return 0
		}
		return -1
	})
	failure := &Failure{Kind: KindLinearizability, Name: "administration"}
	const heading = "the administration of the store is not linearizable: no order of the requests explains "
	if first == len(order) {
		failure.Explanation = heading + "the members and shards in the end: " + r.found().inWords(r.names) + r.administrationUntil(theEnd)
		return failure
	}
	failure.read = order[first] + 1
	failure.Explanation = heading + "the answer to the last of these:" + r.administrationUntil(r.fates[order[first]].index)
	return failure
}

// decided lists the requests whose answers name the entries of the log that decided them, in that order.
func (r *run) decided() (order []int32) {
	for number := range r.plan {
		if f := &r.fates[number]; r.plan[number].Op.Administers() && f.asked && f.index != 0 {
			order = append(order, int32(number))
		}
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(r.fates[a].index, r.fates[b].index) })
	return order
}

// misplaced is the failure of an answer that names what cannot have decided its request.
func (r *run) misplaced(number int32, entry string) *Failure {
	return &Failure{
		Kind: KindLinearizability, Name: "administration", read: number + 1,
		Explanation: fmt.Sprintf("the administration of the store is not linearizable: %s, and the answer names %s", r.operationInWords(number), entry),
	}
}

// administrationUntil lists what was asked and decided until an entry of the log, a line each.
func (r *run) administrationUntil(until uint64) string {
	place := func(number int32) uint64 { // of what was not decided: after all that was known when it was asked
		f := &r.fates[number]
		return cmp.Or(2*f.index, 2*f.since+1)
	}
	var order []int32
	for number := range r.plan {
		if r.plan[number].Op.Administers() && r.fates[number].asked && place(int32(number)) <= 2*until {
			order = append(order, int32(number))
		}
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(place(a), place(b)) })
	var b strings.Builder
	for _, number := range order {
		f := &r.fates[number]
		fmt.Fprintf(&b, "\n    %s to %s   %s", seconds(f.invoked), seconds(f.returned), r.operationInWords(number))
	}
	return b.String()
}

// inWords lists the nodes with their shards.
func (s succession) inWords(names []string) string {
	text := counted(s.count, "shard")
	for i := range s.nodes {
		if n := &s.nodes[i]; n.present {
			where := "no shard"
			if n.shard != 0 {
				where = "shard " + shard.ID(n.shard).String()
			}
			text += fmt.Sprintf(", %s in %s", names[i], where)
		}
	}
	return text
}
