package kvsim

import (
	"fmt"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// Packet is what travels between the nodes of the world: one of a frame between servers, a question
// of a client, an answer to one. Immutable. The zero value is not sent.
type Packet struct {
	frame  []byte // as wire.Append made it
	ask    *ask
	answer *answer
}

// ask is a request on its way to a server.
type ask struct {
	request core.Request
}

// answer is a response on its way to a client; its token is a copy.
type answer struct {
	response core.Response
	// own: the answer shows what the answering node itself holds, in this life.
	own   bool
	life  view.LifeID
	epoch uint64
}

// encodePacket appends the content of a packet for the world's digest.
func encodePacket(buf []byte, p Packet) []byte {
	switch {
	case p.ask != nil:
		r := &p.ask.request
		buf = append(buf, 'Q', byte(r.Op))
		buf = codec.AppendUint(buf, uint64(r.ID))
		buf = codec.AppendString(buf, r.Key)
		buf = codec.AppendBytes(buf, r.Value)
		buf = codec.AppendString(buf, r.Tokens)
		buf = codec.AppendString(buf, r.Member)
		buf = codec.AppendUint(buf, uint64(r.Count))
		return codec.AppendUint(buf, uint64(r.Shard))
	case p.answer != nil:
		r := &p.answer.response
		buf = append(buf, 'A', byte(r.Status))
		buf = codec.AppendUint(buf, uint64(r.ID))
		buf = codec.AppendBytes(buf, r.Value)
		buf = codec.AppendBytes(buf, r.Token)
		buf = codec.AppendUint(buf, uint64(r.Shard))
		buf = codec.AppendUint(buf, uint64(r.Dot.Replica))
		buf = codec.AppendUint(buf, r.Dot.Seq)
		buf = codec.AppendUint(buf, uint64(r.Clock))
		buf = codec.AppendUint(buf, r.Count)
		buf = append(buf, byte(r.Outcome.Result))
		buf = codec.AppendUint(buf, r.Outcome.Index)
		for _, m := range r.Members {
			buf = codec.AppendString(buf, m)
		}
		return buf
	default:
		return append(buf, p.frame...)
	}
}

// describePacket puts a packet into words, for traces.
func describePacket(p Packet) string {
	switch {
	case p.ask != nil:
		r := &p.ask.request
		if r.Op.Administers() {
			return fmt.Sprintf("request %d: %s %s shard %s count %d", r.ID, r.Op, r.Member, r.Shard, r.Count)
		}
		return fmt.Sprintf("request %d: %s %s %s", r.ID, r.Op, r.Key, r.Value)
	case p.answer != nil:
		r := &p.answer.response
		if r.Outcome != (view.Outcome{}) {
			return fmt.Sprintf("answer %d: %s, %s %s", r.ID, r.Status, r.Outcome.Result, r.Reason)
		}
		return fmt.Sprintf("answer %d: %s %s, dot %s at %s %s", r.ID, r.Status, r.Value, r.Dot, r.Clock, r.Reason)
	}
	m, err := wire.Decode(p.frame)
	if err != nil {
		return err.Error()
	}
	return describeMessage(m)
}

// describeMessage puts a peer message into words, for traces.
func describeMessage(m *wire.Message) string {
	switch b := m.Body.(type) {
	case *wire.Heartbeat:
		return "heartbeat, has " + b.Have.String()
	case *wire.Batch:
		return fmt.Sprintf("batch of replica %d, (%d, %d], %d writes for %d slots", b.Replica, b.From, b.To, len(b.Writes), b.Slots.Len())
	case *wire.Pull:
		return fmt.Sprintf("pull %d of %d slots from %d, full %t, has %s", b.Transfer, b.Slots.Len(), b.Cursor, b.Full, b.Have)
	case *wire.State:
		return fmt.Sprintf("state for pull %d, %d versions, up to %s, last %t", b.Transfer, len(b.Versions), b.To, b.Last)
	case *wire.Forward:
		return fmt.Sprintf("forward %d of request %d: %s %s", b.Counter, b.Request, b.Op, b.Key)
	case *wire.Reply:
		return fmt.Sprintf("reply to forward %d: %s, dot %s", b.Counter, b.Status, b.Dot)
	case *wire.Hello:
		return "hello from " + b.Address
	case *wire.Welcome:
		return fmt.Sprintf("welcome from %s, formed %t", b.Address, b.Formed)
	case *wire.Enter:
		return fmt.Sprintf("enter %s instead of %s", b.Address, b.Instead)
	case *wire.Configuration:
		return fmt.Sprintf("configuration, %d bytes", len(b.Encoded))
	case *wire.Raft:
		return fmt.Sprintf("raft, %d bytes", len(b.Payload))
	case *wire.Pledge:
		return fmt.Sprintf("pledge of %d founders", len(b.Founding.Founders))
	}
	return fmt.Sprintf("%T", m.Body)
}
