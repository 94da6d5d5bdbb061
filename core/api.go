package core

import (
	"time"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/hlc"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// Config is what a machine is started with. Zero durations and limits stand for the defaults that
// the fields name.
type Config struct {
	Address    string   // own host:port as peers reach it; an opaque name to the machine
	View       []string // addresses of the first members; own address is added when absent
	ShardCount int      // shards to begin with; 0: not given

	// Entropy is fresh randomness for this boot, at least 128 bits of it unpredictable: it becomes the
	// life of a node without records, and seeds all jitter.
	Entropy [32]byte
	// Volatile machines produce no record contents: nothing can be restored. Positions count all the same.
	Volatile bool

	HeartbeatInterval  time.Duration // 500 ms
	SuspectAfter       time.Duration // silence after which a peer counts as down; 2 s
	DependencyWait     time.Duration // how long a request waits for its dependencies; 20 s
	ForwardTimeout     time.Duration // how long to wait for an owner that gives no sign; 5 s
	RetryInterval      time.Duration // pulls, proxied and forwarded reads, hellos are tried again after this; 1 s
	AdministrationWait time.Duration // how long an administrative request waits to be decided; 10 s
	ReshardPatience    time.Duration // a reshard is rolled back after this long without progress, and what is decided is waited for as long; 30 s

	MaxWaiting      int           // requests waiting here for dependencies, and as many for other nodes; 10,000
	MaxWaitingBytes int           // keys and values of these requests, likewise; 64 MiB
	MaxBuffered     int           // replicated writes held per replica until what they follow arrives; 1,024
	MaxBufferedSize int           // bytes of keys and values of these writes, more only by one batch; 16 MiB
	ChunkBytes      int           // size aimed at for one part of a transfer; 16 KiB
	CopyPause       time.Duration // at most, between two parts of a full copy, for the sake of requests; 15 ms
}

// Position counts the changes of a machine's durable state. Zero is "nothing".
type Position uint64

// InputKind says what an Input is.
type InputKind uint8

// The kinds of input. The zero value is invalid.
const (
	InputWake    InputKind = iota + 1 // time passed, or more became durable; also the first input of a boot
	InputRequest                      // a client's request
	InputCancel                       // the client of Request.ID is gone: forget the request; a write that waits here is answered: it never runs
	InputMessage                      // a message of a peer
)

// Input is one thing that happens to a machine. The times and the durable position are read for
// every kind.
type Input struct {
	Kind    InputKind
	Wall    int64         // wall clock, milliseconds since the Unix epoch; may jump
	Mono    time.Duration // monotonic clock, any origin; never goes back while the machine lives
	Durable Position      // everything up to here survives a crash
	// Full says that nothing new is to be made durable for now: the disk is full, or nearly. The step makes no
	// records then; the machine goes on with reading, and says so to the others.
	Full bool

	Request Request       // for InputRequest; InputCancel reads its ID
	Message *wire.Message // for InputMessage; the machine keeps parts of it, so the caller must not reuse it
}

// RequestID is chosen by the shell, unique among its unanswered requests, not zero and less than 1<<63: from there on
// are the numbers that imports have.
type RequestID uint64

// Op is what a request asks for.
type Op = wire.Op

// Request is what a client asks of a node.
type Request struct {
	ID     RequestID
	Op     Op
	Key    string   // OpGet, OpPut, OpDelete
	Value  []byte   // OpPut: JSON text, kept by the machine
	Tokens string   // causal-metadata texts, separated by commas; "" depends on nothing
	Shard  shard.ID // OpShardMembers, OpKeyCount, OpAddMember
	Member string   // OpInvite, OpRemove, OpAddMember: its address
	Count  int      // OpReshard: how many shards; at least 1
}

// Status is how a request ended.
type Status = wire.Status

// Response answers one request.
type Response struct {
	ID     RequestID
	After  Position // must not be shown before the log is durable up to here
	Status Status

	Value   []byte     // StatusFound: JSON text, not to be modified
	Token   []byte     // causal-metadata text; valid until the next Step
	Shard   shard.ID   // owner of the key; for OpNodeShard the node's own
	Dot     causal.Dot // the version read or written; of a tombstone too; zero for none
	Clock   hlc.Time   // of that version
	Count   uint64     // OpKeyCount
	Members []string   // OpView, OpShardMembers: addresses, sorted; OpShardIDs: ids in numeric order
	Reason  string     // StatusForming, StatusRefused, StatusBadToken, StatusNoMajority, StatusFull: a sentence for the client

	Outcome  view.Outcome // of an administrative request: StatusAnswered, StatusDeclined
	Progress Progress     // OpProgress
}

// Progress says how far a reshard has come.
type Progress struct {
	Phase  Phase
	Moved  uint64 // keys that members have copied because they are to own them after it
	ToMove uint64 // keys that they are to copy, as far as this node knows; not less than Moved
}

// Phase is a phase of a reshard.
type Phase uint8

// The phases. The zero value is that of a store whose slots do not move.
const (
	PhaseIdle     Phase = iota
	PhaseCopying        // new owners copy, the old ones serve
	PhaseSwitched       // the new owners serve; what the old ones wrote last is still under way
)

// String is the name of the phase in the HTTP API.
func (p Phase) String() string {
	names := [...]string{"idle", "copying", "switched"}
	return names[min(int(p), len(names)-1)]
}

// Send asks the shell to deliver a message to a peer. It may be lost, repeated or overtaken.
type Send struct {
	To      string   // address
	After   Position // must not leave before the log is durable up to here
	Message *wire.Message
}

// Record is a change of durable state: Key now has Value, or is gone if Value is empty. The records of
// one Step are one atomic unit.
type Record struct{ Key, Value []byte }

// Accepted tells which request minted a dot: for logs, and for histories that must name the
// writes whose outcome their client never learned.
type Accepted struct {
	Dot     causal.Dot
	Life    view.LifeID // of the node that received the request from its client
	Request RequestID   // there
}

// Output receives what a Step wants done. It belongs to the caller, is reset by each Step and valid
// until the next one.
type Output struct {
	Sends    []Send
	Replies  []Response
	Accepted []Accepted
	Probes   []Probe
	Logs     []string      // what an operator should know, a sentence each: rare
	Alarms   []string      // what an operator must act upon, likewise
	Forget   bool          // all records of earlier Steps are void: a new life began
	Records  []Record      // to be made durable as one unit, which is number Position; empty if Volatile
	Position Position      // of the state after this Step; unchanged if nothing durable changed
	WakeAt   time.Duration // monotonic time of the next InputWake; always set

	text []byte // memory of the tokens in Replies
}

func (o *Output) reset() {
	clear(o.Sends)
	clear(o.Replies)
	clear(o.Records)
	*o = Output{
		Sends: o.Sends[:0], Replies: o.Replies[:0], Accepted: o.Accepted[:0], Probes: o.Probes[:0],
		Records: o.Records[:0], text: o.text[:0],
	}
}
