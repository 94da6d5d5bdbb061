package consensus

import (
	"bytes"
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// messages of every kind that is sent.
func messages(t testing.TB) []*pb.Message {
	t.Helper()
	change, err := proto.Marshal(&pb.ConfChange{Type: pb.ConfChangeAddLearnerNode.Enum(), NodeId: new(uint64(7))})
	if err != nil {
		t.Fatal(err)
	}
	plain := func(kind pb.MessageType) *pb.Message {
		return &pb.Message{
			Type: kind.Enum(), From: new(uint64(3)), To: new(uint64(1 << 60)), Term: new(uint64(9)), LogTerm: new(uint64(8)),
			Index: new(uint64(300)), Commit: new(uint64(200)), Reject: new(true), RejectHint: new(uint64(5)),
		}
	}
	entry := func(index, term uint64, kind pb.EntryType, data []byte) *pb.Entry {
		return &pb.Entry{Index: new(index), Term: new(term), Type: kind.Enum(), Data: data}
	}
	proposal := plain(pb.MsgProp)
	proposal.Term = new(uint64(0))
	proposal.Entries = []*pb.Entry{entry(0, 0, pb.EntryNormal, []byte("data"))}
	entries := plain(pb.MsgApp)
	entries.Entries = []*pb.Entry{
		entry(301, 8, pb.EntryNormal, []byte("data")), entry(302, 9, pb.EntryNormal, nil), entry(303, 9, pb.EntryConfChange, change),
	}
	snapshot := plain(pb.MsgSnap)
	snapshot.Snapshot = pack(stored{
		Snapshot: Snapshot{Index: 299, Data: []byte("state")}, term: 8,
		members: members{voters: []ID{1, 2}, learners: []ID{3}}, settled: true,
	})
	all := []*pb.Message{proposal, entries, plain(pb.MsgApp), snapshot}
	for _, kind := range []pb.MessageType{
		pb.MsgAppResp, pb.MsgVote, pb.MsgVoteResp, pb.MsgPreVote, pb.MsgPreVoteResp, pb.MsgHeartbeat, pb.MsgHeartbeatResp,
	} {
		all = append(all, plain(kind))
	}
	return all
}

func TestMessageIsWholeAndCanonical(t *testing.T) {
	for _, m := range messages(t) {
		payload := appendMessage(nil, m)
		read, ok := readMessage(3, payload)
		if !ok || !proto.Equal(m, read) {
			t.Errorf("%v comes back as %v", m, read)
			continue
		}
		if again := appendMessage(nil, read); !bytes.Equal(payload, again) {
			t.Errorf("%v is %x, then %x", m, payload, again)
		}
		for n := range payload {
			if _, ok := readMessage(3, payload[:n]); ok {
				t.Errorf("%d of %d bytes of %v are accepted", n, len(payload), m)
			}
		}
	}
}

// TestMessagesRefused are those that the library would take for its own, or choke on.
func TestMessagesRefused(t *testing.T) {
	all := messages(t)
	proposal, entries, snapshot := all[0], all[1], all[3]
	for name, change := range map[string]func() *pb.Message{
		"without a term":         func() *pb.Message { m := clone(all[4]); m.Term = nil; return m },
		"local":                  func() *pb.Message { m := clone(all[4]); m.Type = pb.MsgHup.Enum(); return m },
		"transfer of leadership": func() *pb.Message { m := clone(all[4]); m.Type = pb.MsgTimeoutNow.Enum(); return m },
		"proposal with a term":   func() *pb.Message { m := clone(proposal); m.Term = new(uint64(1)); return m },
		"proposal of nothing":    func() *pb.Message { m := clone(proposal); m.Entries = nil; return m },
		"proposal of no data":    func() *pb.Message { m := clone(proposal); m.Entries[0].Data = nil; return m },
		"proposal of members":    func() *pb.Message { m := clone(proposal); m.Entries[0] = clone(entries).Entries[2]; return m },
		"entry of the future":    func() *pb.Message { m := clone(entries); m.Entries[0].Term = new(uint64(10)); return m },
		"entry of the past":      func() *pb.Message { m := clone(entries); m.Entries[0].Term = new(uint64(7)); return m },
		"joint consensus":        func() *pb.Message { m := clone(entries); m.Entries[2].Type = pb.EntryConfChangeV2.Enum(); return m },
		"change of nobody":       func() *pb.Message { m := clone(entries); m.Entries[2].Data = nil; return m },
		"snapshot of nothing":    func() *pb.Message { m := clone(snapshot); m.Snapshot.Metadata.Index = nil; return m },
		"snapshot of the future": func() *pb.Message { m := clone(snapshot); m.Snapshot.Metadata.Term = new(uint64(10)); return m },
		"no voters":              func() *pb.Message { m := clone(snapshot); m.Snapshot.Metadata.ConfState.Voters = nil; return m },
		"voter and learner": func() *pb.Message {
			m := clone(snapshot)
			m.Snapshot.Metadata.ConfState.Learners = []uint64{2}
			return m
		},
		"member zero": func() *pb.Message {
			m := clone(snapshot)
			m.Snapshot.Metadata.ConfState.Learners = []uint64{0}
			return m
		},
	} {
		if m, ok := readMessage(3, appendMessage(nil, change())); ok {
			t.Errorf("%s: accepted %v", name, m)
		}
	}
}

func clone(m *pb.Message) *pb.Message { return proto.Clone(m).(*pb.Message) }

// FuzzMessage: what is accepted has one encoding only.
func FuzzMessage(f *testing.F) {
	for _, m := range messages(f) {
		f.Add(appendMessage(nil, m))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		m, ok := readMessage(3, payload)
		if !ok {
			return
		}
		for _, e := range m.GetEntries() {
			if e.GetType() == pb.EntryConfChange {
				return // protocol buffers have many encodings of one value; they are kept as they are
			}
		}
		if again := appendMessage(nil, m); !bytes.Equal(payload, again) {
			t.Errorf("%x becomes %x", payload, again)
		}
	})
}
