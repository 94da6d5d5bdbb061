package consensus

import (
	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/sequitur-kv/sequitur/core/codec"
)

// messageVersion is the first byte of a payload.
const messageVersion = 1

// appendMessage appends the encoding of a message of the library. The sender is not part of it: the
// transport names it.
func appendMessage(buf []byte, m *pb.Message) []byte {
	buf = append(buf, messageVersion, byte(m.GetType()))
	buf = codec.AppendFixed64(buf, m.GetTo())
	buf = codec.AppendUint(buf, m.GetTerm())
	buf = codec.AppendUint(buf, m.GetLogTerm())
	buf = codec.AppendUint(buf, m.GetIndex())
	buf = codec.AppendUint(buf, m.GetCommit())
	buf = codec.AppendBool(buf, m.GetReject())
	buf = codec.AppendUint(buf, m.GetRejectHint())
	switch m.GetType() {
	case pb.MsgProp, pb.MsgApp:
		buf = codec.AppendUint(buf, uint64(len(m.GetEntries())))
		for _, e := range m.GetEntries() {
			buf = appendEntry(buf, e)
		}
	case pb.MsgSnap:
		buf = appendStored(buf, unpack(m.GetSnapshot()))
	default:
	}
	return buf
}

// readMessage reads what appendMessage wrote and refuses all that would confuse the library: it
// trusts its peers, and takes a message without a term for one of its own.
func readMessage(from ID, payload []byte) (*pb.Message, bool) {
	r := codec.NewReader(payload)
	if r.Byte() != messageVersion {
		return nil, false
	}
	kind := pb.MessageType(r.Byte())
	m := &pb.Message{
		Type: kind.Enum(), From: new(uint64(from)), To: new(r.Fixed64()), Term: new(r.Uint()),
		LogTerm: new(r.Uint()), Index: new(r.Uint()), Commit: new(r.Uint()),
		Reject: new(r.Bool()), RejectHint: new(r.Uint()),
	}
	if (m.GetTerm() == 0) != (kind == pb.MsgProp) {
		r.Fail()
	}
	switch kind {
	case pb.MsgProp:
		readProposals(&r, m)
	case pb.MsgApp:
		readEntries(&r, m)
	case pb.MsgSnap:
		snapshot := readStored(&r)
		if snapshot.Index == 0 || snapshot.term > m.GetTerm() {
			r.Fail()
		}
		m.Snapshot = pack(snapshot)
	case pb.MsgAppResp, pb.MsgVote, pb.MsgVoteResp, pb.MsgPreVote, pb.MsgPreVoteResp, pb.MsgHeartbeat, pb.MsgHeartbeatResp:
	default:
		r.Fail()
	}
	return m, r.Close() == nil
}

// minEntryBytes is the least size of an encoded entry: a byte each for term, type and length.
const minEntryBytes = 3

// readProposals accepts data only: members are changed by leaders alone.
func readProposals(r *codec.Reader, m *pb.Message) {
	count := r.Count(minEntryBytes)
	if count == 0 {
		r.Fail()
	}
	for range count {
		e := readEntry(r, 0)
		if e.GetTerm() != 0 || e.GetType() != pb.EntryNormal || len(e.GetData()) == 0 {
			r.Fail()
			return
		}
		m.Entries = append(m.Entries, e)
	}
}

// readEntries reads consecutive entries.
func readEntries(r *codec.Reader, m *pb.Message) {
	term := m.GetLogTerm()
	for i := range r.Count(minEntryBytes) {
		e := readEntry(r, m.GetIndex()+uint64(i)+1)
		if e.GetTerm() < term || e.GetTerm() > m.GetTerm() || e.GetIndex() == 0 {
			r.Fail()
			return
		}
		term = e.GetTerm()
		m.Entries = append(m.Entries, e)
	}
}

// appendEntry appends an entry without its index.
func appendEntry(buf []byte, e *pb.Entry) []byte {
	buf = codec.AppendUint(buf, e.GetTerm())
	buf = append(buf, byte(e.GetType()))
	return codec.AppendBytes(buf, e.GetData())
}

func readEntry(r *codec.Reader, index uint64) *pb.Entry {
	e := &pb.Entry{Index: new(index), Term: new(r.Uint()), Type: pb.EntryType(r.Byte()).Enum()}
	if data := r.Bytes(); len(data) > 0 {
		e.Data = data
	}
	switch e.GetType() {
	case pb.EntryNormal:
	case pb.EntryConfChange:
		if _, ok := readChange(e.GetData()); !ok {
			r.Fail()
		}
	default: // joint consensus
		r.Fail()
	}
	return e
}

// readChange reads what the library made of a proposal of Reconcile.
func readChange(data []byte) (*pb.ConfChange, bool) {
	change := new(pb.ConfChange)
	if proto.Unmarshal(data, change) != nil || !ID(change.GetNodeId()).valid() {
		return nil, false
	}
	switch change.GetType() {
	case pb.ConfChangeAddNode, pb.ConfChangeAddLearnerNode, pb.ConfChangeRemoveNode:
		return change, true
	default:
		return nil, false
	}
}

func appendStored(buf []byte, s stored) []byte {
	buf = codec.AppendUint(buf, s.Index)
	buf = codec.AppendUint(buf, s.term)
	buf = appendIDs(buf, s.members.voters)
	buf = appendIDs(buf, s.members.learners)
	buf = codec.AppendBool(buf, s.settled)
	return codec.AppendBytes(buf, s.Data)
}

func readStored(r *codec.Reader) stored {
	s := stored{Snapshot: Snapshot{Index: r.Uint()}, term: r.Uint()}
	s.members.voters = readIDs(r)
	s.members.learners = readIDs(r)
	s.settled = r.Bool()
	s.Data = r.Bytes()
	if len(s.members.voters) == 0 || len(s.members.voters) > MaxVoters {
		r.Fail()
	}
	for _, id := range s.members.learners {
		for _, voter := range s.members.voters {
			if id == voter {
				r.Fail()
			}
		}
	}
	return s
}

func appendIDs(buf []byte, ids []ID) []byte {
	buf = codec.AppendUint(buf, uint64(len(ids)))
	for _, id := range ids {
		buf = codec.AppendFixed64(buf, uint64(id))
	}
	return buf
}

// readIDs reads ascending IDs.
func readIDs(r *codec.Reader) []ID {
	ids := make([]ID, r.Count(8))
	for i := range ids {
		ids[i] = ID(r.Fixed64())
		if !ids[i].valid() || i > 0 && ids[i-1] >= ids[i] {
			r.Fail()
			return nil
		}
	}
	return ids
}
