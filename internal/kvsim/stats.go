package kvsim

import (
	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/wire"
	"github.com/sequitur-kv/sequitur/netsim"
)

// Stats counts what happened to operations and faults. AtOnce to Unanswered add up to Operations.
type Stats struct {
	Operations uint64 // asked by clients before the audit
	AtOnce     uint64 // succeeded without waiting for a dependency and without a detour
	Waited     uint64 // succeeded after waiting for a dependency
	Proxied    uint64 // succeeded; a read that a sibling of the owner was asked
	Refused    uint64 // nothing happened, and nothing will
	Unknown    uint64 // the answer says that the outcome is unknown
	Unanswered uint64 // the client gave up

	Forwarded   uint64 // sent on to an owner, whatever came of it
	Overlapping uint64 // under way while a fault that touched something was in effect

	// Administrative requests. AdminDone to AdminUnknown add up to Admin.
	Admin         uint64 // asked
	AdminDone     uint64 // answered: it took effect, or was so already
	AdminDeclined uint64 // decided: no
	AdminRefused  uint64 // not decided: nothing happened
	AdminUnknown  uint64 // it may have taken effect, or goes on, or was rolled back
	AdminWithheld uint64 // not asked: it would have put at risk what the scenario takes for granted

	Writes uint64 // made
	Lost   uint64 // of them, those of which the world destroyed every copy

	Faults  uint64 // that touched something
	Idle    uint64 // faults that touched nothing: they count for nothing
	Tokens  uint64 // collected for the audit
	Session uint64 // sessions of the history
}

// Add adds the counts of another run.
func (s *Stats) Add(o Stats) {
	s.Operations += o.Operations
	s.AtOnce += o.AtOnce
	s.Waited += o.Waited
	s.Proxied += o.Proxied
	s.Refused += o.Refused
	s.Unknown += o.Unknown
	s.Unanswered += o.Unanswered
	s.Forwarded += o.Forwarded
	s.Overlapping += o.Overlapping
	s.Admin += o.Admin
	s.AdminDone += o.AdminDone
	s.AdminDeclined += o.AdminDeclined
	s.AdminRefused += o.AdminRefused
	s.AdminUnknown += o.AdminUnknown
	s.AdminWithheld += o.AdminWithheld
	s.Writes += o.Writes
	s.Lost += o.Lost
	s.Faults += o.Faults
	s.Idle += o.Idle
	s.Tokens += o.Tokens
	s.Session += o.Session
}

// stats counts over the fates of the workload.
func (r *run) stats(faults []netsim.FaultReport) Stats {
	var s Stats
	for _, f := range faults {
		if f.Touched > 0 {
			s.Faults++
		} else {
			s.Idle++
		}
	}
	for number := range r.fates[:r.audits] {
		f := &r.fates[number]
		if !f.asked || !r.plan[number].Op.OnKey() {
			continue
		}
		s.Operations++
		switch {
		case f.ending == refused:
			s.Refused++
		case f.ending == unknown:
			s.Unknown++
		case f.ending != succeeded:
			s.Unanswered++
		case f.proxied:
			s.Proxied++
		case f.waited:
			s.Waited++
		default:
			s.AtOnce++
		}
		if f.forwarded {
			s.Forwarded++
		}
		if overlaps(f, faults) {
			s.Overlapping++
		}
	}
	for number := range r.fates[:r.audits] {
		if r.plan[number].Op.Administers() {
			s.countAdministration(&r.fates[number])
		}
	}
	for id := range r.ghost.writes {
		for i := range r.ghost.writes[id] {
			s.Writes++
			if r.ghost.lost(causal.Dot{Replica: causal.ReplicaID(id), Seq: uint64(i + 1)}) {
				s.Lost++
			}
		}
	}
	s.Tokens, s.Session = uint64(len(r.collected)), uint64(len(r.sessions))
	return s
}

func (s *Stats) countAdministration(f *fate) {
	if f.asked {
		s.Admin++
	}
	switch {
	case !f.asked:
		s.AdminWithheld++
	case f.ending == succeeded:
		s.AdminDone++
	case f.status == wire.StatusDeclined:
		s.AdminDeclined++
	case f.ending == refused && f.status != wire.StatusRolledBack:
		s.AdminRefused++
	default:
		s.AdminUnknown++
	}
}

// overlaps tells whether an operation was under way while a fault was in effect that touched something.
func overlaps(f *fate, faults []netsim.FaultReport) bool {
	for i := range faults {
		fault := &faults[i]
		ended := f.invoked <= fault.Ended || fault.Effect.Kind == netsim.Kill // which never ends
		if fault.Touched > 0 && fault.Began <= f.returned && ended {
			return true
		}
	}
	return false
}
