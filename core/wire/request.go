package wire

import (
	"bytes"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/hlc"
	"github.com/sequitur-kv/sequitur/core/shard"
)

// Op is what a request asks for. The zero value is invalid.
type Op uint8

// The operations. Those on keys and the key count are forwarded to an owner.
const (
	OpGet Op = iota + 1
	OpPut
	OpDelete
	OpKeyCount     // live keys of a shard
	OpView         // members that are up
	OpShardIDs     // all shards
	OpNodeShard    // the shard of this node
	OpShardMembers // members assigned to a shard, up or down
	OpInvite       // add a member to the view
	OpRemove       // delete a member from the view
	OpAddMember    // assign a member to a shard
	OpReshard      // another number of shards
	OpProgress     // how far a reshard has come
	opEnd
)

// Writes tells whether the operation changes a key.
func (o Op) Writes() bool { return o == OpPut || o == OpDelete }

// OnKey tells whether the operation names a key.
func (o Op) OnKey() bool { return o == OpGet || o.Writes() }

// Administers tells whether the operation changes who belongs to the store or who owns what.
func (o Op) Administers() bool { return o >= OpInvite && o <= OpReshard }

// String is the name of the operation as in the HTTP API.
func (o Op) String() string {
	names := [...]string{"invalid", "GET", "PUT", "DELETE", "key count", "view", "shard ids", "node shard", "shard members",
		"add to view", "delete from view", "add member", "reshard", "reshard progress"}
	return names[min(int(o), len(names)-1)]
}

// Status is how a request ended. The zero value is invalid.
type Status uint8

// The ways a request can end.
const (
	StatusFound     Status = iota + 1 // read: Value
	StatusNotFound                    // read or deletion of a key that does not exist
	StatusCreated                     // written; the key did not exist
	StatusReplaced                    // written over a value
	StatusDeleted                     // deleted
	StatusAnswered                    // any other question: its answer
	StatusWaiting                     // between nodes only: the request waits for its dependencies, the answer follows
	StatusUncovered                   // between nodes only: a proxied read needs what this replica has not got either
	StatusMoved                       // between nodes only: not run here, this node is no owner in its newer configuration

	// Nothing happened, and nothing will.
	StatusBadToken    // the causal-metadata is not from this store; Reason says more
	StatusUnsatisfied // dependencies did not arrive in time
	StatusShardDown   // every owner is known to be down
	StatusOverloaded  // too many requests wait already
	StatusForming     // the store is not formed; Reason says what is missing
	StatusRefused     // this node cannot serve; Reason says why
	StatusNoShard     // unknown shard, or this node has none
	StatusNoAnswer    // a read: no owner answered in time
	StatusDeclined    // an administrative request that the configuration log declined: Outcome says why
	StatusNoMajority  // an administrative request that was not decided: Reason says who is missing
	StatusRolledBack  // a reshard that made no progress, or lost a node that it needs; an added member that was placed anew or ended

	// Something that may have taken effect, or may yet.
	StatusUnknown
	StatusUnfinished // an administrative request that is decided and takes longer than the request may wait

	// StatusFull tells a client that nothing happened and nothing will, since the disks of those who could write
	// it down are full: Reason says whose. Between nodes it promises nothing: it could not be put on record.
	StatusFull
	statusEnd
)

// String names the status in a word or two.
func (s Status) String() string {
	names := [...]string{
		"invalid", "found", "not found", "created", "replaced", "deleted", "answered", "waiting", "uncovered", "moved",
		"bad token", "unsatisfied", "shard down", "overloaded", "forming", "refused", "no shard", "no answer", "declined", "no majority", "rolled back", "outcome unknown", "unfinished", "disk full",
	}
	return names[min(int(s), len(names)-1)]
}

// Succeeded tells whether the request did what it asked for, or learned for certain that there is
// nothing to read or delete.
func (s Status) Succeeded() bool { return s >= StatusFound && s <= StatusAnswered }

// Forward hands a client's request to an owner, or a read to a sibling. The triple of the sender's
// life, Counter and the target's life names it for ever: a target executes it at most once.
type Forward struct {
	Counter uint64 // never used twice by a life, crashes included
	Request uint64 // the client's request at the sender, for logs and histories
	Final   bool   // the target answers from what it has, or not at all
	Op      Op
	Key     string
	Value   []byte
	Shard   shard.ID // OpKeyCount
	Context causal.Context
	Time    hlc.Time // of a write that is repeated from a backup; else zero
}

func (*Forward) kind() kind { return kindForward }

func (b *Forward) append(buf []byte) []byte {
	buf = codec.AppendUint(buf, b.Counter)
	buf = codec.AppendUint(buf, b.Request)
	buf = codec.AppendBool(buf, b.Final)
	buf = append(buf, byte(b.Op))
	buf = codec.AppendString(buf, b.Key)
	buf = codec.AppendBytes(buf, b.Value)
	buf = codec.AppendUint(buf, uint64(b.Shard))
	buf = causal.AppendContext(buf, b.Context)
	return codec.AppendUint(buf, uint64(b.Time))
}

func (b *Forward) read(r *codec.Reader) {
	b.Counter, b.Request = r.Uint(), r.Uint()
	b.Final = r.Bool()
	b.Op = Op(r.Byte())
	b.Key = r.String()
	b.Value = bytes.Clone(r.Bytes())
	b.Shard = shard.ID(r.UintMax(1<<32 - 1))
	b.Context = causal.ReadContext(r, nil)
	b.Time = hlc.Time(r.Uint())
	if b.Op == 0 || b.Op >= opEnd || !b.Op.OnKey() && b.Op != OpKeyCount || b.Time != 0 && !b.Op.Writes() {
		r.Fail()
	}
}

// Reply answers a Forward; with the lives in the message's header it repeats the triple.
type Reply struct {
	Counter uint64
	Status  Status
	Value   []byte
	Context causal.Packed // of the request and the version read or written; without what had retired at its epoch
	Clock   hlc.Time      // of that version
	Dot     causal.Dot
	Count   uint64
	Reason  string
}

func (*Reply) kind() kind { return kindReply }

func (b *Reply) append(buf []byte) []byte {
	buf = codec.AppendUint(buf, b.Counter)
	buf = append(buf, byte(b.Status))
	buf = codec.AppendBytes(buf, b.Value)
	buf = causal.AppendPacked(buf, b.Context)
	buf = codec.AppendUint(buf, uint64(b.Clock))
	buf = appendDot(buf, b.Dot)
	buf = codec.AppendUint(buf, b.Count)
	return codec.AppendString(buf, b.Reason)
}

func (b *Reply) read(r *codec.Reader) {
	b.Counter = r.Uint()
	b.Status = Status(r.Byte())
	b.Value = bytes.Clone(r.Bytes())
	b.Context = causal.ReadPacked(r)
	b.Clock = hlc.Time(r.Uint())
	b.Dot = readDot(r)
	b.Count = r.Uint()
	b.Reason = r.String()
	if b.Status == 0 || b.Status >= statusEnd {
		r.Fail()
	}
}
