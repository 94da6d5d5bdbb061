package consensus

import (
	"math"
	"slices"
	"time"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
)

// never is a time that does not come.
const never = time.Duration(math.MaxInt64)

// unknownFloor stands for the end of the log, which is known when the library's work is drained.
const unknownFloor = math.MaxUint64

// timers replaces the library's: it counts ticks and draws timeouts from crypto/rand.
type timers struct {
	started      bool          // the first Tick told where the clock stands
	now          time.Duration // of the last Tick
	due          time.Duration // of the next event below; zero before the first Tick
	electionDue  time.Duration // as follower or candidate: stand for election; as learner: forget the leader
	leaderUntil  time.Duration // as follower: the leader is not doubted before
	heartbeatDue time.Duration // as leader
	quorumDue    time.Duration // as leader: see who spoke
	ledSince     time.Duration // as leader
	sending      []ID          // as leader: who was receiving a snapshot when the quorum was last checked; ascending
}

// Tick tells the time by a monotonic clock of any origin, which never goes back, and does what has
// come due.
func (l *Log) Tick(now time.Duration) {
	l.now = now
	if now >= l.due || !l.started {
		l.expire()
	}
}

// Due is when Tick must be called next, at the latest: at once before the first call.
func (l *Log) Due() time.Duration {
	if !l.started {
		return math.MinInt64
	}
	return l.due
}

func (l *Log) expire() {
	switch {
	case !l.started:
		l.started = true
		l.waitForLeader()
		l.leaderUntil = l.now // nobody was heard
		if voters := l.status.Voters; len(voters) == 1 && voters[0] == l.config.Self || l.first() {
			l.electionDue = l.now // who else could lead, or who else is to?
		}
	case l.leading:
		l.lead()
	case l.now >= l.electionDue:
		l.waitForLeader()
		l.leaderUntil = l.now
		l.dirty = true
		if l.votes() {
			l.granted = nil
			_ = l.node.Campaign()
		} else {
			_ = l.node.ForgetLeader() // a learner only stops sending it proposals
		}
	}
	l.observe()
}

// votes tells whether this node knows itself to be a voter.
func (l *Log) votes() bool {
	_, found := slices.BinarySearch(l.status.Voters, l.config.Self)
	return found
}

// first tells whether this node is to lead a log that nobody has led yet, as far as it knows: one founder
// stands at once, so that a new cluster need not wait for an election timeout.
func (l *Log) first() bool {
	return len(l.status.Voters) > 0 && l.status.Voters[0] == l.config.Self && l.storage.last() == genesisIndex &&
		l.status.Leader == 0 && (l.vote == 0 || l.vote == l.config.Self)
}

// waitForLeader draws the time by which a leader must have been heard.
func (l *Log) waitForLeader() {
	timeout := l.config.ElectionTimeout
	l.electionDue = l.now + timeout + time.Duration(l.config.Random.Uint64()%uint64(timeout))
	if l.first() {
		l.electionDue = l.now + l.config.HeartbeatInterval // the others may not have started yet
	}
	l.leaderUntil = l.now + timeout
	l.schedule()
}

// lead does what a leader does from time to time.
func (l *Log) lead() {
	if l.now >= l.heartbeatDue {
		l.heartbeatDue = l.now + l.config.HeartbeatInterval
		l.dirty = true
		l.node.Tick()
	}
	if l.now >= l.quorumDue {
		l.quorumDue = l.now + l.config.ElectionTimeout
		l.dirty = true
		l.resendSnapshots()
		l.vouch()
		// The library's check, made deterministic: a leader steps down that has not heard from a majority
		// since the last one. Without it, one that can send but not receive would be obeyed for ever. The
		// message is local; its sender is the only name under which RawNode takes it.
		_ = l.node.Step(&pb.Message{Type: pb.MsgCheckQuorum.Enum(), From: new(raft.LocalAppendThread)})
	}
}

// resendSnapshots gives up those that were under way at the last check too: raft sends nothing to
// their receivers until it is told of their fate, and a message may be lost.
func (l *Log) resendSnapshots() {
	var sending, lost []ID
	l.node.WithProgress(func(id uint64, _ raft.ProgressType, progress tracker.Progress) {
		if progress.State != tracker.StateSnapshot {
			return
		}
		if slices.Contains(l.sending, ID(id)) {
			lost = append(lost, ID(id))
		} else {
			sending = append(sending, ID(id))
		}
	})
	for _, id := range lost {
		l.node.ReportSnapshot(uint64(id), raft.SnapshotFailure)
	}
	l.sending = sending
}

// observe learns what the library made of what it was told.
func (l *Log) observe() {
	s := l.node.BasicStatus()
	if s.RaftState != l.role || s.GetTerm() != l.status.Term {
		l.role, l.granted = s.RaftState, nil
	}
	l.status.Leader, l.status.Term, l.vote = ID(s.Lead), s.GetTerm(), ID(s.GetVote())
	if leading := s.RaftState == raft.StateLeader; leading != l.leading {
		l.leading = leading
		if leading {
			l.ledSince = l.now
			l.heartbeatDue, l.quorumDue = l.now+l.config.HeartbeatInterval, l.now+l.config.ElectionTimeout
			l.heard, l.sending = make(map[ID]time.Duration), nil
			l.confFloor, l.settling = unknownFloor, false
		} else {
			l.waitForLeader()
			l.leaderUntil = l.now
		}
	}
	l.schedule()
}

func (l *Log) schedule() {
	switch {
	case l.leading:
		l.due = min(l.heartbeatDue, l.quorumDue)
	case l.votes() || l.status.Leader != 0:
		l.due = l.electionDue
	default:
		l.due = never
	}
}
