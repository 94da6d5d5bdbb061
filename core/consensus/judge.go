package consensus

import pb "go.etcd.io/raft/v3/raftpb"

// Result says what became of a message.
type Result uint8

// The results of a Step.
const (
	Stepped     Result = iota // raft took it
	Ignored                   // well-formed, of no use now
	Malformed                 // no Log of this release sent it
	Misdirected               // for another life
	// Rollback means that this node's disk lost what it had called durable: the leader knows it to
	// hold entries that it lacks. It must not go on under this ID.
	Rollback
)

// Step takes a message of a peer. The log keeps payload. Tick comes first, so that the log knows
// what time it is.
func (l *Log) Step(from ID, payload []byte) Result {
	m, ok := readMessage(from, payload)
	switch {
	case !ok || !from.valid() || from == l.config.Self:
		return Malformed
	case ID(m.GetTo()) != l.config.Self:
		return Misdirected
	}
	if result := l.judge(m); result != Stepped {
		return result
	}
	l.note(m)
	term, vote := l.status.Term, l.vote
	l.dirty = true
	if l.node.Step(m) != nil {
		return Ignored
	}
	l.observe()
	switch {
	case l.leading:
		l.heard[from] = l.now
	case l.status.Leader == from && l.status.Term == m.GetTerm(), // it was heard
		l.vote == from && (vote != from || term != l.status.Term): // it may become the leader
		l.waitForLeader()
	}
	return Stepped
}

// judge finds the messages that raft must not see.
func (l *Log) judge(m *pb.Message) Result {
	if l.Buried(ID(m.GetFrom())) {
		return Ignored
	}
	switch m.GetType() {
	case pb.MsgProp: // one hop is enough: who was taken for the leader is none
		if !l.leading || l.unsteady() {
			return Ignored
		}
	case pb.MsgPreVote: // whoever hears from a leader wants no other (Raft thesis, 6.2)
		if l.leading || l.status.Leader != 0 && l.now < l.leaderUntil {
			return Ignored
		}
	case pb.MsgHeartbeat:
		if m.GetTerm() >= l.status.Term {
			return l.judgeHeartbeat(m)
		}
	case pb.MsgApp:
		if m.GetTerm() >= l.status.Term && l.contradicts(m) {
			return Rollback
		}
	case pb.MsgAppResp:
		if !m.GetReject() && m.GetIndex() > l.storage.last() {
			return Ignored
		}
	default:
	}
	return Stepped
}

// judgeHeartbeat looks at what the leader knows this node to have: all up to the commit index in it. Entries that a
// disk has brought back are taken for those of the leader by their index alone, so an index is news only if the entry
// there is of the leader's term. Whoever is behind gets the rest, and the index with it.
func (l *Log) judgeHeartbeat(m *pb.Message) Result {
	if m.GetCommit() > l.storage.last() {
		return Rollback
	}
	if m.GetTerm() > l.knownTerm {
		l.knownTerm, l.known = m.GetTerm(), 0
	}
	l.known = max(l.known, m.GetCommit())
	if committed := l.storage.hard.GetCommit(); m.GetCommit() > committed {
		if term, err := l.storage.Term(m.GetCommit()); err != nil || term != m.GetTerm() {
			m.Commit = new(committed)
		}
	}
	return Stepped
}

// contradicts tells whether a leader has another entry where this node has one that is committed, or that the leader
// knows it to have.
func (l *Log) contradicts(m *pb.Message) bool {
	common := l.storage.hard.GetCommit()
	if m.GetTerm() == l.knownTerm {
		common = max(common, l.known)
	}
	if m.GetIndex() > common {
		return false
	}
	term, err := l.storage.Term(m.GetIndex())
	return err == nil && term != m.GetLogTerm()
}
