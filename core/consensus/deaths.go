package consensus

import (
	"slices"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"google.golang.org/protobuf/proto"
)

// Bury tells the log for certain that a life is over for ever: because its memory is gone, as a new life
// runs in its place, or because an entry of this log ended it. From then on the log, also after a restart, takes no message of it; and if half of
// the voters are buried, the log does without them: see the package comment. It has no effect on who is
// no member, as far as this node knows, and on this node itself.
func (l *Log) Bury(id ID) {
	if id == l.config.Self || !l.member(id) {
		return
	}
	if at, found := slices.BinarySearch(l.storage.buried, id); !found {
		l.storage.buried = slices.Insert(l.storage.buried, at, id)
		l.news = append(l.news, deathRecord(id))
		l.dirty = true
	}
}

// Buried tells whether a life was buried here, and is still counted among the members.
func (l *Log) Buried(id ID) bool {
	_, found := slices.BinarySearch(l.storage.buried, id)
	return found
}

// Decides tells whether the voters for whom up holds are enough to decide something, provided that they
// reach each other. The buried are never up.
func (l *Log) Decides(up func(ID) bool) bool {
	count := 0
	for _, id := range l.status.Voters {
		if !l.Buried(id) && up(id) {
			count++
		}
	}
	if 2*count > len(l.status.Voters) {
		return true
	}
	_, rest, ok := l.halves()
	return ok && !slices.ContainsFunc(rest, func(id ID) bool { return !up(id) })
}

// judgeLoss finds out whether too many voters are buried.
func (l *Log) judgeLoss() {
	dead := 0
	for _, id := range l.status.Voters {
		if l.Buried(id) {
			dead++
		}
	}
	_, _, ok := l.halves()
	l.status.Lost = 2*dead > len(l.status.Voters) || dead > 0 && 2*dead == len(l.status.Voters) && !ok
}

// halves finds the half of the voters that is buried, and the rest, who decide together if they are
// unanimous. ok is false unless exactly half is buried: with less, a majority is left, and with more, what
// was decided may be known to nobody. A change of the voters that is in the log, and may be committed or
// not, must not make a difference: voters before it and after it count, and enough of both must be left.
func (l *Log) halves() (dead, rest []ID, ok bool) {
	if len(l.storage.buried) == 0 || !l.status.Settled {
		return nil, nil, false
	}
	for _, id := range l.status.Voters {
		if l.Buried(id) {
			dead = append(dead, id)
		} else {
			rest = append(rest, id)
		}
	}
	if 2*len(dead) != len(l.status.Voters) {
		return nil, nil, false
	}
	next := l.nextVoters()
	gone := 0
	for _, id := range next {
		switch {
		case l.Buried(id):
			gone++
		case !slices.Contains(rest, id):
			rest = append(rest, id)
		}
	}
	return dead, rest, 2*gone <= len(next)
}

// nextVoters are the voters once everything in the log is committed.
func (l *Log) nextVoters() []ID {
	next := l.status.Voters
	for _, e := range l.storage.entries[max(l.status.Applied, l.storage.base.index)-l.storage.base.index:] {
		if e.GetType() != pb.EntryConfChange {
			continue
		}
		change, ok := readChange(e.GetData())
		if !ok {
			continue
		}
		id := ID(change.GetNodeId())
		switch at, found := slices.BinarySearch(next, id); {
		case change.GetType() == pb.ConfChangeAddNode && !found:
			next = slices.Insert(slices.Clone(next), at, id)
		case change.GetType() == pb.ConfChangeRemoveNode && found:
			next = slices.Delete(slices.Clone(next), at, at+1)
		}
	}
	return next
}

// note takes down who granted this candidate a vote.
func (l *Log) note(m *pb.Message) {
	if m.GetReject() {
		return
	}
	switch {
	case l.role == raft.StatePreCandidate && m.GetType() == pb.MsgPreVoteResp && m.GetTerm() == l.status.Term+1,
		l.role == raft.StateCandidate && m.GetType() == pb.MsgVoteResp && m.GetTerm() == l.status.Term:
		l.granted = append(l.granted, ID(m.GetFrom()))
	}
}

// standIn has the buried half of the voters agree to whatever all the others agree to.
func (l *Log) standIn() {
	dead, rest, ok := l.halves()
	if !ok {
		return
	}
	unanimous := !slices.ContainsFunc(rest, func(id ID) bool {
		return id != l.config.Self && !slices.Contains(l.granted, id)
	})
	switch {
	case l.role == raft.StatePreCandidate && unanimous:
		l.speakFor(dead, pb.MsgPreVoteResp, l.status.Term+1, 0)
	case l.role == raft.StateCandidate && unanimous:
		l.speakFor(dead, pb.MsgVoteResp, l.status.Term, 0)
	case l.role == raft.StateLeader:
		l.acknowledge(dead, rest)
	}
}

// acknowledge has the dead acknowledge the entries that the rest has acknowledged, every one of them.
func (l *Log) acknowledge(dead, rest []ID) {
	match, found := uint64(unknownFloor), 0
	var behind []ID
	l.node.WithProgress(func(id uint64, _ raft.ProgressType, progress tracker.Progress) {
		if slices.Contains(rest, ID(id)) {
			match, found = min(match, progress.Match), found+1
		}
	})
	l.node.WithProgress(func(id uint64, _ raft.ProgressType, progress tracker.Progress) {
		if slices.Contains(dead, ID(id)) && progress.Match < match {
			behind = append(behind, ID(id))
		}
	})
	if found == len(rest) {
		l.speakFor(behind, pb.MsgAppResp, l.status.Term, match)
	}
}

// vouch has the dead be heard by this leader if all the others were, so that it goes on leading.
func (l *Log) vouch() {
	dead, rest, ok := l.halves()
	if ok && !slices.ContainsFunc(rest, func(id ID) bool { return !l.alive(id) }) {
		l.speakFor(dead, pb.MsgHeartbeatResp, l.status.Term, 0)
	}
}

func (l *Log) speakFor(dead []ID, kind pb.MessageType, term, index uint64) {
	for _, id := range dead {
		_ = l.node.Step(&pb.Message{
			Type: kind.Enum(), From: new(uint64(id)), To: new(uint64(l.config.Self)), Term: new(term), Index: new(index),
		})
	}
}

// canvass asks those for their votes who may be voters already, by an entry that is not known to be
// committed: where half of the voters is buried, they have to agree too.
func (l *Log) canvass(requests []*pb.Message, out *Output) {
	_, rest, ok := l.halves()
	if !ok {
		return
	}
	at := slices.IndexFunc(requests, func(m *pb.Message) bool {
		return m.GetType() == pb.MsgVote || m.GetType() == pb.MsgPreVote
	})
	if at < 0 {
		return
	}
	for _, id := range rest {
		if !slices.Contains(l.status.Voters, id) && id != l.config.Self {
			request := proto.Clone(requests[at]).(*pb.Message)
			request.To = new(uint64(id))
			out.Messages = append(out.Messages, Message{To: id, Payload: appendMessage(nil, request)})
		}
	}
}
