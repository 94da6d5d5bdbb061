package kvsim

import (
	"slices"

	"github.com/anishathalye/porcupine"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// The administration of a store is linearizable: there is an order of all requests that explains all
// answers, in which each takes effect at one moment between question and answer. An answer names that moment:
// it is an entry of the log. A request whose outcome the client does not know took effect in an entry after it
// was made that no answer names, or never. What the store does by itself (a deleted node is gone when it has
// handed over, a reshard ends, a life joins) is part of that order, too, but nobody is told when.

// administrationBudget is how many steps the search may take.
const administrationBudget = 3_000_000

// maxAdministered is the number of nodes that a state has room for.
const maxAdministered = 8

// place is what the answers so far say of a node.
type place struct {
	present, seen, leaving bool
	copies                 bool // it takes part in the reshard that copies
	shard                  int8 // that it belongs to, 0 for none; or somewhere
}

// somewhere: the node belongs to a shard, but no answer has told to which since the last reshard.
const somewhere int8 = -1

// succession is the state of the store as those who run it can know it.
type succession struct {
	count   int   // of shards
	copying int32 // the request for the reshard that copies, counted from 1; zero: none
	nodes   [maxAdministered]place
	goes    uint64 // deletions that are decided and not known to be over: a bit for each, see event.mark
}

// eventKind says what an event of the administration is.
type eventKind uint8

const (
	decision   eventKind = iota // a request is decided
	conclusion                  // what it set off is over
	joining                     // a life becomes a member
	standing                    // the state in the end
)

// event is one moment in the administration. It is what porcupine calls an input.
type event struct {
	kind   eventKind
	op     core.Op
	number int32 // of the request, counted from 1
	server int
	shard  int8
	count  int
	mark   uint64     // a bit of its own for a deletion that is answered when it is over
	state  succession // standing
}

// finding is what is known of an event: porcupine's output.
type finding struct {
	result  view.Result // decision: of the request
	maybe   bool        // it need not have happened
	aborted bool        // ending of a reshard: the old layout stays
	either  bool        // ending of a reshard: aborted or not
}

// after lists the states that an event with a finding can lead to; none: it cannot happen in this state.
func (s succession) after(e *event, f *finding) (next []any) {
	for _, from := range s.variants() {
		if f.maybe {
			next = add(next, from)
		}
		switch e.kind {
		case decision:
			next = from.decide(e, f, next)
		case conclusion:
			next = from.end(e, f, next)
		case joining:
			next = from.join(e, next)
		case standing:
			if from.agrees(&e.state) {
				next = add(next, from)
			}
		}
	}
	return next
}

func add(list []any, s succession) []any {
	if slices.Contains(list, any(s)) {
		return list
	}
	return append(list, s)
}

// variants lists the states that s may have become by itself: each node that was leaving may be gone.
func (s succession) variants() []succession {
	list := []succession{s}
	for i := range s.nodes {
		if !s.nodes[i].leaving {
			continue
		}
		for _, v := range list {
			v.nodes[i] = place{}
			list = append(list, v)
		}
	}
	return list
}

// decide adds the states that a request leads to when it is decided as the finding says.
func (s succession) decide(e *event, f *finding, next []any) []any {
	n := &s.nodes[e.server]
	if f.result != view.Done {
		if s.declines(e, f.result) {
			if f.result == view.Already {
				n.shard = e.shard
			}
			next = add(next, s)
		}
		return next
	}
	switch e.op {
	case wire.OpInvite:
		if !n.present {
			*n = place{present: true}
			next = add(next, s)
		}
	case wire.OpRemove:
		if !n.present {
			return next
		}
		took := n.copies
		s.goes |= e.mark
		n.leaving = true
		next = add(next, s)
		*n = place{}
		next = add(next, s)
		if took {
			s.copying = 0
			next = add(next, s)
		}
	case wire.OpAddMember:
		if n.present && !n.leaving && s.copying == 0 && n.shard == 0 && int(e.shard) <= s.count {
			n.shard, n.seen = e.shard, true
			next = add(next, s)
		}
	case wire.OpReshard:
		if s.copying != 0 {
			return next
		}
		s.copying = e.number
		for i := range s.nodes {
			m := &s.nodes[i]
			m.copies = m.present && m.seen && !m.leaving
		}
		next = add(next, s)
	default: // asks, and changes nothing
	}
	return next
}

// declines tells whether a request can be declined in this state for a reason.
func (s *succession) declines(e *event, result view.Result) bool {
	n := &s.nodes[e.server]
	switch result {
	case view.Exists:
		return n.present
	case view.NotFound:
		return !n.present && (e.op == wire.OpRemove || int(e.shard) <= s.count)
	case view.LastMember:
		return n.present && n.shard != 0
	case view.Busy:
		return s.copying != 0 && (e.op == wire.OpReshard || n.present)
	case view.NoShard:
		return int(e.shard) > s.count
	case view.NotSeen:
		return n.present && !n.seen
	case view.Down:
		return n.present && !n.leaving && n.shard == 0
	case view.Leaving:
		return n.leaving
	case view.Already:
		return n.present && (n.shard == e.shard || n.shard == somewhere)
	case view.Elsewhere:
		return n.present && n.shard != 0 && n.shard != e.shard
	case view.TooFew:
		return s.copying == 0
	default:
		return false
	}
}

// end adds the states that follow when what a request set off is over.
func (s succession) end(e *event, f *finding, next []any) []any {
	if e.op == wire.OpRemove {
		if s.goes&e.mark != 0 && !s.nodes[e.server].leaving {
			s.goes &^= e.mark
			next = add(next, s)
		}
		return next
	}
	if s.copying != e.number { // given up before, with one of those who took part
		if f.aborted || f.either {
			next = add(next, s)
		}
		return next
	}
	s.copying = 0
	if f.aborted || f.either {
		given := s
		for i := range given.nodes {
			given.nodes[i].copies = false
		}
		next = add(next, given)
	}
	if f.aborted {
		return next
	}
	s.count = e.count
	for i := range s.nodes {
		n := &s.nodes[i]
		if n.shard = 0; n.copies {
			n.shard = somewhere
		}
		n.copies = false
	}
	return add(next, s)
}

// join adds the states in which a life has become a member, or taken the place of one.
func (s succession) join(e *event, next []any) []any {
	n := &s.nodes[e.server]
	if n.copies { // who takes part is another life now
		given := s
		given.copying = 0
		next = add(next, given)
	}
	if !n.present {
		*n = place{present: true}
	}
	n.seen = true
	return add(next, s)
}

// agrees tells whether a state is what was found.
func (s *succession) agrees(found *succession) bool {
	for i := range s.nodes {
		n, is := &s.nodes[i], &found.nodes[i]
		if n.present != is.present || n.leaving || n.shard != is.shard && (n.shard != somewhere || is.shard == 0) {
			return false
		}
	}
	return s.count == found.count && s.copying == 0
}

// successions is the model for porcupine. budget stands for the steps that are left: below zero, the
// answer means nothing.
func successions(first succession, budget *int) porcupine.Model {
	model := porcupine.NondeterministicModel{
		Init: func() []any { return []any{first} },
		Step: func(state, input, output any) []any {
			if *budget--; *budget < 0 {
				return nil
			}
			e, f := input.(event), output.(finding)
			return state.(succession).after(&e, &f)
		},
	}
	return model.ToModel()
}
