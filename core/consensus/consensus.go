package consensus

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
)

// ID names one life of a node. Zero is nobody.
type ID uint64

// valid tells whether id may take part: the library keeps the two greatest for itself.
func (id ID) valid() bool { return id != 0 && !raft.IsLocalMsgTarget(uint64(id)) }

// MaxVoters bounds the members whose majority commits. Other members are learners: they receive the
// log and take no part in decisions.
const MaxVoters = 7

const (
	// maxMessageBytes bounds the entries of one message, more only by one entry.
	maxMessageBytes = 256 << 10
	// maxUncommittedBytes bounds what a leader without a majority takes: proposals are repeated.
	maxUncommittedBytes = 4 << 20
	// maxInflight bounds the unacknowledged messages with entries to one follower.
	maxInflight = 64
	// compactBytes of entries make a log ask for compaction, however few they are.
	compactBytes = 1 << 20
	// neverTicks is an election timeout that the library never reaches: only leaders tick, and none
	// lives that long.
	neverTicks = math.MaxInt32
)

// ErrConfig reports a Config that no Log can be made of.
var ErrConfig = errors.New("consensus: invalid configuration")

// ErrRecords reports records that no Log has written.
var ErrRecords = errors.New("consensus: invalid records")

// Config is what a Log is made with.
type Config struct {
	Self ID // neither 0 nor one of the two greatest uint64
	// Founders are the members that the log begins with, in ascending order: the first MaxVoters are
	// voters, the others learners; the very first stands for election at once. A node that is not among them joins later: it waits, without a
	// vote, until a leader sends it the state. Ignored when there are records.
	Founders []ID
	// Genesis is the state of the application that the log begins with: its snapshot at index 1.
	Genesis []byte

	HeartbeatInterval time.Duration // between the signs of life of a leader; positive
	// ElectionTimeout is how long a follower waits for a leader at least, twice as long at most; and
	// how long a leader does without a majority. It must be greater than HeartbeatInterval; ten
	// times that is usual.
	ElectionTimeout time.Duration
	Random          *rand.Rand // jitter of elections; used by this Log alone

	// CompactAfter is how many entries make the log ask for compaction; it keeps a quarter as many
	// afterwards, for followers that lag a little. Zero means 1024.
	CompactAfter int
}

func (c *Config) validate() error {
	switch {
	case !c.Self.valid():
		return fmt.Errorf("%w: node %d", ErrConfig, c.Self)
	case c.HeartbeatInterval <= 0 || c.ElectionTimeout <= c.HeartbeatInterval:
		return fmt.Errorf("%w: heartbeats every %v, elections after %v", ErrConfig, c.HeartbeatInterval, c.ElectionTimeout)
	case c.Random == nil:
		return fmt.Errorf("%w: no source of jitter", ErrConfig)
	case c.CompactAfter < 0:
		return fmt.Errorf("%w: compaction after %d entries", ErrConfig, c.CompactAfter)
	}
	for i, id := range c.Founders {
		if !id.valid() || i > 0 && c.Founders[i-1] >= id {
			return fmt.Errorf("%w: founders %d", ErrConfig, c.Founders)
		}
	}
	return nil
}

// Message is for one peer. It may be lost, repeated, delayed and overtaken.
type Message struct {
	To      ID
	Payload []byte
}

// Record is a change of durable state: Key now has Value, or nothing if Value is nil. The first byte
// of a key is one of this package's own.
type Record struct{ Key, Value []byte }

// Entry is a committed proposal.
type Entry struct {
	Index uint64 // ascending, with gaps
	Data  []byte // not to be modified
}

// Snapshot is the state of the application after the entry at Index and all before it. Index is
// zero for none.
type Snapshot struct {
	Index uint64
	Data  []byte // not to be modified
}

// Output collects what there is to do. It belongs to the caller: a Log only appends.
type Output struct {
	Records  []Record  // in this order; those of one step of the caller are one atomic unit
	Messages []Message // once all Records so far are durable, and not before

	// Installed replaces the whole state of the application, before Committed applies: the genesis,
	// what was on record at a restart, or what a leader sent to a follower that lagged far behind.
	Installed Snapshot
	Committed []Entry
	// Compact asks the caller to call Compact, once it has applied the above.
	Compact bool
}

// Reset empties o and keeps its memory.
func (o *Output) Reset() {
	clear(o.Records)
	clear(o.Messages)
	clear(o.Committed)
	*o = Output{Records: o.Records[:0], Messages: o.Messages[:0], Committed: o.Committed[:0]}
}

// Status is what a Log knows. Its slices are not to be modified.
type Status struct {
	Leader   ID // of Term, as far as is known; 0: none
	Term     uint64
	Voters   []ID   // ascending; empty: this node has not been told of the members yet
	Learners []ID   // ascending
	Applied  uint64 // index up to which entries were handed out: all those known to be committed
	Last     uint64 // index and term of the last entry, committed or not
	LastTerm uint64
	// Settled says that the last change of voters is over: nobody can decide anything by the voters
	// before it any more. Until then the log does not recover from the loss of half of the voters.
	Settled bool
	// Lost says that so many voters lost their memory that there will never be a majority again, unless
	// others know more than this node.
	Lost bool
}

// Log is one member's part of the replicated log. Make one with New.
type Log struct {
	config  Config
	node    *raft.RawNode
	storage storage
	dirty   bool     // something happened since the last Ready
	booted  Output   // what New found to do
	news    []Record // of deaths

	status  Status
	vote    ID
	role    raft.StateType
	granted []ID // as candidate, of whatever kind: who voted for it
	leading bool
	backlog uint64 // about the size of the applied entries that the snapshot does not cover

	timers
	heard       map[ID]time.Duration // as leader: when a peer last spoke
	confFloor   uint64               // as leader: a change of members may be pending until this index is applied
	settling    bool                 // as leader: the entry is in the log that settles the last change of voters
	appliedTerm uint64               // term of the entry at status.Applied

	known, knownTerm uint64 // up to which index the leader of a term has said that this node has its entries
}

// New makes the Log of a node that starts, from the records that are durable, in any order; none for
// a new life. It fails with ErrConfig or ErrRecords. The first Ready hands out the state.
func New(config Config, records []Record) (*Log, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	if config.CompactAfter == 0 {
		config.CompactAfter = 1024
	}
	l := &Log{config: config}
	switch _, founder := slices.BinarySearch(config.Founders, config.Self); {
	case len(records) > 0:
		if err := l.storage.restore(records); err != nil {
			return nil, err
		}
	case founder:
		l.storage.found(config.Founders, config.Genesis)
		l.booted.Records = l.storage.appendAll(nil)
	}
	node, err := raft.NewRawNode(&raft.Config{
		ID: uint64(config.Self), Storage: &l.storage, Applied: l.storage.snapshot.Index, Logger: silent{},
		ElectionTick: neverTicks, HeartbeatTick: 1, PreVote: true, StepDownOnRemoval: true,
		MaxSizePerMsg: maxMessageBytes, MaxCommittedSizePerReady: math.MaxUint64,
		MaxUncommittedEntriesSize: maxUncommittedBytes, MaxInflightMsgs: maxInflight,
	})
	if err != nil {
		return nil, fmt.Errorf("consensus: %w", err)
	}
	l.node = node
	l.booted.Installed = l.storage.snapshot.Snapshot
	l.adoptSnapshot()
	l.observe()
	l.drain(&l.booted)
	l.dirty = true // hand out what was found
	return l, nil
}

// Propose asks for data to be appended to the log and tells whether that may happen: false means
// surely not. A proposal is lost or repeated as easily as a message: propose it again until it is
// committed, and apply it once. The log keeps data, which must not be empty.
func (l *Log) Propose(data []byte) bool {
	if len(data) == 0 || l.unsteady() || l.node.Propose(data) != nil {
		return false
	}
	l.dirty = true
	return true
}

// unsteady tells whether this leader's log may hold a change of voters that is not committed. Nothing is
// appended until it is: what follows would be decided by the voters before the change.
func (l *Log) unsteady() bool {
	return l.leading && (l.confFloor == unknownFloor || !slices.Equal(l.nextVoters(), l.status.Voters))
}

// Ready appends to out all there is to do since it was last called. It must be called before what a
// call changed is revealed to anybody, and costs nothing when there is nothing.
func (l *Log) Ready(out *Output) {
	if l.dirty {
		l.ready(out)
	}
}

func (l *Log) ready(out *Output) {
	l.dirty = false
	if b := &l.booted; b.Installed.Index != 0 || len(b.Records) > 0 {
		out.Records = append(out.Records, b.Records...)
		out.Installed, out.Committed = b.Installed, append(out.Committed, b.Committed...)
		l.booted = Output{}
	}
	out.Records = append(out.Records, l.news...)
	l.news = nil
	l.drain(out)
}

// drain takes all work from the library and tells it at once that it is done: see the package
// comment for why that is safe.
func (l *Log) drain(out *Output) {
	l.standIn()
	l.settle()
	for l.node.HasReady() {
		work := l.node.Ready()
		if !raft.IsEmptySnap(work.Snapshot) {
			out.Records = l.storage.install(work.Snapshot, out.Records)
			clear(out.Committed)
			out.Installed, out.Committed = l.storage.snapshot.Snapshot, out.Committed[:0]
			l.backlog = 0
			l.adoptSnapshot()
			out.Records = l.storage.exhume(l.member, out.Records)
		}
		if len(work.Entries) > 0 {
			out.Records = l.storage.append(work.Entries, out.Records)
		}
		if !raft.IsEmptyHardState(work.HardState) {
			out.Records = l.storage.setHard(work.HardState, out.Records)
		}
		l.canvass(work.Messages, out)
		for _, m := range work.Messages {
			if l.Buried(ID(m.GetTo())) {
				continue
			}
			out.Messages = append(out.Messages, Message{To: ID(m.GetTo()), Payload: appendMessage(nil, m)})
		}
		for _, e := range work.CommittedEntries {
			l.apply(e, out)
		}
		l.node.Advance(work)
		l.observe()
		l.standIn()
		l.settle()
	}
	l.judgeLoss()
	l.status.Last, l.status.LastTerm = l.storage.last(), l.storage.lastTerm()
	out.Compact = out.Compact || l.storage.wanted || l.overgrown()
}

// apply hands out a committed entry, or obeys it.
func (l *Log) apply(e *pb.Entry, out *Output) {
	l.status.Applied = e.GetIndex()
	// The first entry of a term may be older than what its leader knows of the members; none after it is.
	l.status.Settled = l.status.Settled || e.GetTerm() == l.appliedTerm
	l.appliedTerm = e.GetTerm()
	l.backlog += entryBytes(e)
	if e.GetType() == pb.EntryNormal {
		if len(e.GetData()) > 0 { // a new leader's first entry is empty
			out.Committed = append(out.Committed, Entry{Index: e.GetIndex(), Data: e.GetData()})
		}
		return
	}
	if change, ok := readChange(e.GetData()); ok {
		before := l.status.Voters
		l.setMembers(membersOf(l.node.ApplyConfChange(change)))
		l.storage.changed = e.GetIndex()
		if !slices.Equal(before, l.status.Voters) {
			l.status.Settled, l.settling = false, false
		}
		if change.GetType() == pb.ConfChangeRemoveNode {
			out.Records = l.storage.exhume(func(id ID) bool { return id != ID(change.GetNodeId()) }, out.Records)
		}
	}
}

// Status is what the log knows since the last Ready.
func (l *Log) Status() Status { return l.status }

// Leading tells whether this node is the leader, as far as it knows.
func (l *Log) Leading() bool { return l.leading }

func (l *Log) overgrown() bool {
	return l.status.Applied-l.storage.snapshot.Index >= uint64(l.config.CompactAfter) || l.backlog >= compactBytes
}

// Compact replaces the older part of the log by the state of the application, which must have
// applied all that Ready has handed out; call it at any time, and whenever an Output asks for it. The
// log keeps state.
func (l *Log) Compact(state []byte, out *Output) {
	if len(l.status.Voters) == 0 || l.status.Applied == l.storage.snapshot.Index {
		return
	}
	out.Records = l.storage.compact(stored{
		Snapshot: Snapshot{Index: l.status.Applied, Data: state},
		members:  members{voters: l.status.Voters, learners: l.status.Learners}, settled: l.status.Settled,
	}, uint64(l.config.CompactAfter/4), out.Records)
	out.Compact, l.backlog = false, 0
}
