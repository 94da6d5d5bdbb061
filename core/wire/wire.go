// Package wire is what nodes say to each other: the messages and their versioned, canonical encoding.
package wire

import (
	"fmt"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/store"
	"github.com/sequitur-kv/sequitur/core/token"
	"github.com/sequitur-kv/sequitur/core/view"
)

// Version is the first byte of every message. Nodes of different versions refuse each other.
const Version = 1

// VersionError reports a message of another wire version.
type VersionError struct{ Theirs byte }

func (e *VersionError) Error() string {
	return fmt.Sprintf("wire: the peer speaks version %d of the peer protocol, this node version %d; run the same release everywhere", e.Theirs, Version)
}

// Message is one message between two nodes. It is shared freely and never modified.
type Message struct {
	Cluster token.ClusterID // zero while forming
	Epoch   uint64          // configuration epoch of the sender; zero while forming
	From    view.LifeID     // never zero
	To      view.LifeID     // zero only in Hello: the life there is what it asks for
	Body    Body
}

// Body is one of the message types of this package, by pointer.
type Body interface {
	kind() kind
	append(buf []byte) []byte
	read(r *codec.Reader)
}

type kind byte

const (
	kindHello kind = iota + 1
	kindWelcome
	kindPledge
	kindHeartbeat
	kindBatch
	kindPull
	kindState
	kindForward
	kindReply
	kindEnter
	kindConfiguration
	kindRaft
	kindPropose
	kindFullHeartbeat
	kindRestoringHeartbeat
)

func newBody(k kind) Body {
	switch k {
	case kindHello:
		return new(Hello)
	case kindWelcome:
		return new(Welcome)
	case kindPledge:
		return new(Pledge)
	case kindHeartbeat:
		return new(Heartbeat)
	case kindBatch:
		return new(Batch)
	case kindPull:
		return new(Pull)
	case kindState:
		return new(State)
	case kindForward:
		return new(Forward)
	case kindReply:
		return new(Reply)
	case kindEnter:
		return new(Enter)
	case kindConfiguration:
		return new(Configuration)
	case kindRaft:
		return new(Raft)
	case kindPropose:
		return new(Propose)
	case kindFullHeartbeat:
		return &Heartbeat{Full: true}
	case kindRestoringHeartbeat:
		return &Heartbeat{Restoring: true}
	default:
		return nil
	}
}

// Append appends the encoding of m.
func Append(buf []byte, m *Message) []byte {
	buf = append(buf, Version, byte(m.Body.kind()))
	buf = codec.AppendFixed64(buf, uint64(m.Cluster))
	buf = codec.AppendUint(buf, m.Epoch)
	buf = codec.AppendFixed64(buf, uint64(m.From))
	buf = codec.AppendFixed64(buf, uint64(m.To))
	return m.Body.append(buf)
}

// Decode reads what Append wrote. The result shares no memory with data. Errors: *VersionError for a
// message of another version, codec.ErrMalformed for anything else.
func Decode(data []byte) (*Message, error) {
	r := codec.NewReader(data)
	if v := r.Byte(); v != Version && r.Err() == nil {
		return nil, &VersionError{Theirs: v}
	}
	body := newBody(kind(r.Byte()))
	if body == nil {
		return nil, codec.ErrMalformed
	}
	m := &Message{
		Cluster: token.ClusterID(r.Fixed64()), Epoch: r.Uint(),
		From: view.LifeID(r.Fixed64()), To: view.LifeID(r.Fixed64()), Body: body,
	}
	body.read(&r)
	if err := r.Close(); err != nil {
		return nil, err
	}
	return m, nil
}

// Heartbeat proves that the sender lives and says what of each stream it holds durably, and how far
// its full copies have come since the last reshard began.
type Heartbeat struct {
	Have   causal.Coverage
	Copied uint64 // keys
	ToCopy uint64 // keys, as far as the sender knows; not less than Copied
	Full   bool   // its disk is full: it reads, and can write nothing down

	// Restoring says that it has keys from a backup that are not in the store yet. It is not told while the disk is full.
	Restoring bool
}

func (b *Heartbeat) kind() kind {
	if b.Full {
		return kindFullHeartbeat
	}
	if b.Restoring {
		return kindRestoringHeartbeat
	}
	return kindHeartbeat
}

func (b *Heartbeat) append(buf []byte) []byte {
	buf = causal.AppendCoverage(buf, b.Have)
	buf = codec.AppendUint(buf, b.Copied)
	return codec.AppendUint(buf, b.ToCopy)
}

func (b *Heartbeat) read(r *codec.Reader) {
	b.Have = causal.ReadCoverage(r)
	b.Copied, b.ToCopy = r.Uint(), r.Uint()
}

// Batch is a piece of the stream of a replica: all its writes with From < seq <= To that fall into
// Slots, in order.
type Batch struct {
	Replica  causal.ReplicaID
	From, To uint64
	Slots    shard.Set
	Writes   []store.Version
}

func (*Batch) kind() kind { return kindBatch }

func (b *Batch) append(buf []byte) []byte {
	buf = codec.AppendUint(buf, uint64(b.Replica))
	buf = codec.AppendUint(buf, b.From)
	buf = codec.AppendUint(buf, b.To)
	buf = shard.AppendSet(buf, &b.Slots)
	return appendVersions(buf, b.Writes)
}

func (b *Batch) read(r *codec.Reader) {
	b.Replica = causal.ReplicaID(r.UintMax(1<<32 - 1))
	b.From, b.To = r.Uint(), r.Uint()
	b.Slots = shard.ReadSet(r)
	b.Writes = readVersions(r)
}

// Pull asks for the state of Slots beyond Have. A first pull has Cursor zero; the next parts of the
// same copy are asked for with the boot and the cursor of the part before.
type Pull struct {
	Transfer uint64 // chosen by the sender, repeated in the answer
	Full     bool   // retired replicas' writes too: the sender has no full copy yet
	Slots    shard.Set
	Have     causal.Vector // covered at every one of the slots
	Boot     uint64
	Cursor   uint64
}

func (*Pull) kind() kind { return kindPull }

func (b *Pull) append(buf []byte) []byte {
	buf = codec.AppendUint(buf, b.Transfer)
	buf = codec.AppendBool(buf, b.Full)
	buf = shard.AppendSet(buf, &b.Slots)
	buf = causal.AppendVector(buf, b.Have)
	buf = codec.AppendFixed64(buf, b.Boot)
	return codec.AppendUint(buf, b.Cursor)
}

func (b *Pull) read(r *codec.Reader) {
	b.Transfer = r.Uint()
	b.Full = r.Bool()
	b.Slots = shard.ReadSet(r)
	b.Have = causal.ReadVector(r, nil)
	b.Boot = r.Fixed64()
	b.Cursor = r.Uint()
}

// State answers a Pull: one part of the current versions that the requester does not have. When the
// last part has arrived, and all of them are from one source in one boot, the requester covers To.
type State struct {
	Transfer uint64
	Asked    uint64 // cursor of the pull that is answered
	First    bool   // this part begins the copy, whatever was asked for
	Last     bool
	Boot     uint64
	Cursor   uint64          // where the next part begins
	Keys     uint64          // live keys in the slots asked for; only in the first
	Whole    shard.Set       // of a full copy: the slots of which the source itself has everything; only in the first
	To       causal.Coverage // of the slots asked for, taken before the first part; only in the first
	Versions []store.Version
}

func (*State) kind() kind { return kindState }

func (b *State) append(buf []byte) []byte {
	buf = codec.AppendUint(buf, b.Transfer)
	buf = codec.AppendUint(buf, b.Asked)
	buf = codec.AppendBool(buf, b.First)
	buf = codec.AppendBool(buf, b.Last)
	buf = codec.AppendFixed64(buf, b.Boot)
	buf = codec.AppendUint(buf, b.Cursor)
	buf = codec.AppendUint(buf, b.Keys)
	buf = shard.AppendSet(buf, &b.Whole)
	buf = causal.AppendCoverage(buf, b.To)
	return appendVersions(buf, b.Versions)
}

func (b *State) read(r *codec.Reader) {
	b.Transfer = r.Uint()
	b.Asked = r.Uint()
	b.First, b.Last = r.Bool(), r.Bool()
	b.Boot = r.Fixed64()
	b.Cursor = r.Uint()
	b.Keys = r.Uint()
	b.Whole = shard.ReadSet(r)
	b.To = causal.ReadCoverage(r)
	b.Versions = readVersions(r)
}

// minVersionSize is the least number of bytes that a version takes, see codec.Reader.Count.
const minVersionSize = 8

func appendVersions(buf []byte, versions []store.Version) []byte {
	buf = codec.AppendUint(buf, uint64(len(versions)))
	for i := range versions {
		buf = store.AppendVersion(buf, &versions[i])
	}
	return buf
}

func readVersions(r *codec.Reader) []store.Version {
	n := r.Count(minVersionSize)
	if n == 0 {
		return nil
	}
	versions := make([]store.Version, 0, min(n, 256)) // a hostile count must not make much of a few bytes
	for ; n > 0 && r.Err() == nil; n-- {
		versions = append(versions, store.ReadVersion(r))
	}
	return versions
}

func appendDot(buf []byte, dot causal.Dot) []byte {
	return codec.AppendUint(codec.AppendUint(buf, uint64(dot.Replica)), dot.Seq)
}

func readDot(r *codec.Reader) causal.Dot {
	return causal.Dot{Replica: causal.ReplicaID(r.UintMax(1<<32 - 1)), Seq: r.Uint()}
}
