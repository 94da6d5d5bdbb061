package consensus

import (
	"slices"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
)

// members is who takes part at some index of the log; both slices ascend and are never modified.
type members struct{ voters, learners []ID }

func membersOf(state *pb.ConfState) members {
	return members{voters: idsOf(state.GetVoters()), learners: idsOf(state.GetLearners())}
}

func idsOf(numbers []uint64) []ID {
	ids := make([]ID, len(numbers))
	for i, n := range numbers {
		ids[i] = ID(n)
	}
	slices.Sort(ids)
	return ids
}

func (m members) state() *pb.ConfState {
	state := &pb.ConfState{AutoLeave: new(false)}
	for _, id := range m.voters {
		state.Voters = append(state.Voters, uint64(id))
	}
	for _, id := range m.learners {
		state.Learners = append(state.Learners, uint64(id))
	}
	return state
}

func (l *Log) setMembers(m members) {
	l.status.Voters, l.status.Learners = m.voters, m.learners
	l.status.Applied = max(l.status.Applied, l.storage.snapshot.Index)
	l.schedule()
}

// adoptSnapshot takes over what the snapshot on record says about the members.
func (l *Log) adoptSnapshot() {
	l.status.Settled, l.appliedTerm = l.storage.snapshot.settled, l.storage.snapshot.term
	l.setMembers(l.storage.snapshot.members)
}

func (l *Log) member(id ID) bool {
	return slices.Contains(l.status.Voters, id) || slices.Contains(l.status.Learners, id)
}

// settle finds out where a change of members may be pending, and appends an entry once none is: its
// commitment settles the last change of voters.
func (l *Log) settle() {
	if l.leading && l.confFloor == unknownFloor && !l.node.HasReady() {
		l.confFloor = l.storage.last()
	}
	if l.leading && !l.unsteady() && !l.status.Settled && !l.settling {
		l.settling = l.node.Propose(nil) == nil
	}
}

// Reconcile takes one step from the members that there are to those that are desired, in order of
// priority, and tells whether it proposed one. Only a leader does, one step at a time: call it again
// and again. Members that are not desired go first, then the missing ones join as learners, then
// learners that have caught up become voters up to MaxVoters; voters that are desired stay. A leader
// that is not desired removes itself last.
//
// No step takes the majority away from the voters that are alive, as far as the leader can tell: it
// learns within an election timeout that a peer fell silent.
func (l *Log) Reconcile(desired []ID) bool {
	if !l.leading || l.status.Applied < l.confFloor {
		return false
	}
	kind, id := l.nextChange(desired)
	if id == 0 {
		return false
	}
	if l.node.ProposeConfChange(&pb.ConfChange{Type: kind.Enum(), NodeId: new(uint64(id))}) != nil {
		return false
	}
	l.confFloor = unknownFloor
	l.dirty = true
	return true
}

// nextChange finds the next step of Reconcile; the ID is zero for none.
func (l *Log) nextChange(desired []ID) (pb.ConfChangeType, ID) {
	if id := l.unwantedLearner(desired); id != 0 {
		return pb.ConfChangeRemoveNode, id
	}
	id, more := l.unwantedVoter(desired)
	if id != 0 {
		return pb.ConfChangeRemoveNode, id
	}
	for _, id := range desired {
		if id.valid() && !slices.Contains(l.status.Voters, id) && !slices.Contains(l.status.Learners, id) {
			return pb.ConfChangeAddLearnerNode, id
		}
	}
	if id := l.readyLearner(desired); id != 0 {
		return pb.ConfChangeAddNode, id
	}
	if self := l.config.Self; !more && !slices.Contains(desired, self) && l.dispensable(self) {
		return pb.ConfChangeRemoveNode, self
	}
	return 0, 0
}

func (l *Log) unwantedLearner(desired []ID) ID {
	for _, id := range l.status.Learners {
		if !slices.Contains(desired, id) {
			return id
		}
	}
	return 0
}

// unwantedVoter finds the next voter to remove. More says that there is one, but it is too early to
// know who is alive, or another voter must come first. The buried can go at once: nobody is worse off.
func (l *Log) unwantedVoter(desired []ID) (id ID, more bool) {
	for _, id := range l.status.Voters {
		if id == l.config.Self || slices.Contains(desired, id) {
			continue
		}
		if l.Buried(id) || l.now-l.ledSince >= l.config.ElectionTimeout && l.dispensable(id) {
			return id, true
		}
		more = true
	}
	return 0, more
}

// alive tells whether a peer spoke within an election timeout. As long as a leader has not led for
// that long, it takes everybody to be alive but the buried.
func (l *Log) alive(id ID) bool {
	spoke, known := l.heard[id]
	if !known {
		spoke = l.ledSince
	}
	return id == l.config.Self || !l.Buried(id) && l.now-spoke < l.config.ElectionTimeout
}

// dispensable tells whether the voters without one of them have a majority that is alive.
func (l *Log) dispensable(id ID) bool {
	rest, alive := 0, 0
	for _, voter := range l.status.Voters {
		if voter != id {
			rest++
			if l.alive(voter) {
				alive++
			}
		}
	}
	return alive > rest/2
}

// readyLearner finds the first desired learner that may become a voter: it has acknowledged all that is
// committed. Else the majority could have to wait for it.
func (l *Log) readyLearner(desired []ID) ID {
	if len(l.status.Voters) >= MaxVoters || len(l.status.Learners) == 0 {
		return 0
	}
	var ready []ID
	l.node.WithProgress(func(id uint64, kind raft.ProgressType, progress tracker.Progress) {
		if kind == raft.ProgressTypeLearner && progress.Match >= l.status.Applied {
			ready = append(ready, ID(id))
		}
	})
	for _, id := range desired {
		if slices.Contains(ready, id) {
			return id
		}
	}
	return 0
}
