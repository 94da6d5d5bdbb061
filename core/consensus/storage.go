package consensus

import (
	"encoding/binary"
	"fmt"
	"slices"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"github.com/sequitur-kv/sequitur/core/codec"
)

// storage is what is on record, in memory: raft.Storage. Every change of it appends the records that
// make the same change durable.
type storage struct {
	hard     *pb.HardState // nil: empty
	snapshot stored
	base     position    // of the entry before the first; zero position: the log begins with the first entry
	entries  []*pb.Entry // consecutive, never modified
	changed  uint64      // index of the last applied change of members; never on record
	wanted   bool        // a follower needs a snapshot that tells of the members since
	buried   []ID        // lives that are over for certain; ascending
}

// position of an entry.
type position struct{ index, term uint64 }

// stored is a snapshot of the application and of who takes part.
type stored struct {
	Snapshot
	term    uint64
	members members
	settled bool // see Status
}

var _ raft.Storage = (*storage)(nil)

// genesisIndex is where every log begins, in the term of the same number.
const genesisIndex = 1

// found begins the log: one snapshot that all founders have, so that no entry is needed to tell them
// of each other.
func (s *storage) found(founders []ID, genesis []byte) {
	voters := slices.Clone(founders[:min(len(founders), MaxVoters)])
	learners := slices.Clone(founders[len(voters):])
	s.snapshot = stored{Snapshot: Snapshot{Index: genesisIndex, Data: genesis}, term: genesisIndex, members: members{voters, learners}, settled: true}
	s.base = position{index: genesisIndex, term: genesisIndex}
	s.hard = &pb.HardState{Term: new(uint64(genesisIndex)), Vote: new(uint64(0)), Commit: new(uint64(genesisIndex))}
}

// InitialState implements raft.Storage: the members at the index of the snapshot, from where the
// entries are applied again.
func (s *storage) InitialState() (*pb.HardState, *pb.ConfState, error) {
	return s.hard, s.snapshot.members.state(), nil
}

// Entries implements raft.Storage.
func (s *storage) Entries(lo, hi, maxBytes uint64) ([]*pb.Entry, error) {
	switch {
	case lo <= s.base.index:
		return nil, raft.ErrCompacted
	case hi > s.last()+1 || lo >= hi:
		return nil, raft.ErrUnavailable
	}
	entries := s.entries[lo-s.base.index-1 : hi-s.base.index-1]
	var bytes uint64
	for i, e := range entries {
		bytes += entryBytes(e)
		if i > 0 && bytes > maxBytes {
			return entries[:i:i], nil
		}
	}
	return entries[:len(entries):len(entries)], nil
}

// entryBytes is about the size of an encoded entry.
func entryBytes(e *pb.Entry) uint64 { return uint64(len(e.GetData())) + 16 }

// Term implements raft.Storage.
func (s *storage) Term(index uint64) (uint64, error) {
	switch {
	case index < s.base.index:
		return 0, raft.ErrCompacted
	case index == s.base.index:
		return s.base.term, nil
	case index > s.last():
		return 0, raft.ErrUnavailable
	}
	return s.entries[index-s.base.index-1].GetTerm(), nil
}

// FirstIndex implements raft.Storage.
func (s *storage) FirstIndex() (uint64, error) { return s.base.index + 1, nil }

// LastIndex implements raft.Storage.
func (s *storage) LastIndex() (uint64, error) { return s.last(), nil }

func (s *storage) last() uint64 { return s.base.index + uint64(len(s.entries)) }

func (s *storage) lastTerm() uint64 {
	if len(s.entries) == 0 {
		return s.base.term
	}
	return s.entries[len(s.entries)-1].GetTerm()
}

// Snapshot implements raft.Storage. Raft ignores a snapshot that does not tell its receiver to be a
// member, so one from before the last change of members is useless: a newer one is on its way.
func (s *storage) Snapshot() (*pb.Snapshot, error) {
	if s.changed > s.snapshot.Index || s.snapshot.Index == 0 {
		s.wanted = true
		return nil, raft.ErrSnapshotTemporarilyUnavailable
	}
	return pack(s.snapshot), nil
}

// pack makes the library's form of a snapshot, whose data begin with what it has no place for.
func pack(s stored) *pb.Snapshot {
	data := append(codec.AppendBool(make([]byte, 0, 1+len(s.Data)), s.settled), s.Data...)
	return &pb.Snapshot{Data: data, Metadata: &pb.SnapshotMetadata{
		ConfState: s.members.state(), Index: new(s.Index), Term: new(s.term),
	}}
}

// unpack reads what pack made.
func unpack(snapshot *pb.Snapshot) stored {
	metadata, r := snapshot.GetMetadata(), codec.NewReader(snapshot.GetData())
	return stored{
		settled: r.Bool(), Snapshot: Snapshot{Index: metadata.GetIndex(), Data: snapshot.GetData()[1:]},
		term: metadata.GetTerm(), members: membersOf(metadata.GetConfState()),
	}
}

func (s *storage) setHard(hard *pb.HardState, records []Record) []Record {
	s.hard = hard
	return append(records, s.hardRecord())
}

// append adds entries that follow on one that is here, and drops what else followed on it.
func (s *storage) append(entries []*pb.Entry, records []Record) []Record {
	first, before := entries[0].GetIndex(), s.last()
	kept := first - s.base.index - 1
	s.entries = append(s.entries[:kept:kept], entries...)
	for _, e := range entries {
		records = append(records, entryRecord(e))
	}
	return appendDeletions(records, s.last()+1, before)
}

// install replaces everything by a leader's snapshot.
func (s *storage) install(snapshot *pb.Snapshot, records []Record) []Record {
	first, last := s.base.index+1, s.last()
	s.snapshot = unpack(snapshot)
	s.base = position{index: s.snapshot.Index, term: s.snapshot.term}
	s.entries, s.changed, s.wanted = nil, 0, false
	return appendDeletions(append(records, s.snapshotRecord()), first, last)
}

// compact makes a state the snapshot, whose term is found here, and drops all but the last keep of the entries that it covers.
func (s *storage) compact(snapshot stored, keep uint64, records []Record) []Record {
	applied := snapshot.Index
	snapshot.term, _ = s.Term(applied)
	s.snapshot = snapshot
	s.wanted = false
	first := s.base.index + 1
	if applied > s.base.index+keep {
		base := position{index: applied - keep}
		base.term, _ = s.Term(base.index)
		s.entries = slices.Clone(s.entries[base.index-s.base.index:])
		s.base = base
	}
	return appendDeletions(append(records, s.snapshotRecord()), first, s.base.index)
}

// The first byte of a record's key says what it is about, that of its value in which version.
const (
	recordHard     = 'h' // term, vote, commit index
	recordSnapshot = 's' // base, and the snapshot
	recordEntry    = 'e' // + index: an entry of the log
	recordDeath    = 'd' // + id: this life is over

	recordVersion = 1
)

func entryKey(index uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{recordEntry}, index)
}

func entryRecord(e *pb.Entry) Record {
	return Record{Key: entryKey(e.GetIndex()), Value: appendEntry([]byte{recordVersion}, e)}
}

func deathKey(id ID) []byte { return codec.AppendFixed64([]byte{recordDeath}, uint64(id)) }

func deathRecord(id ID) Record { return Record{Key: deathKey(id), Value: []byte{recordVersion}} }

// exhume forgets deaths that are of no interest any more: those who are no members will never be again.
func (s *storage) exhume(interesting func(ID) bool, records []Record) []Record {
	kept := make([]ID, 0, len(s.buried))
	for _, id := range s.buried {
		if interesting(id) {
			kept = append(kept, id)
		} else {
			records = append(records, Record{Key: deathKey(id)})
		}
	}
	s.buried = kept
	return records
}

// appendDeletions deletes the entries from first to last.
func appendDeletions(records []Record, first, last uint64) []Record {
	for index := first; index <= last; index++ {
		records = append(records, Record{Key: entryKey(index)})
	}
	return records
}

func (s *storage) hardRecord() Record {
	value := codec.AppendUint([]byte{recordVersion}, s.hard.GetTerm())
	value = codec.AppendFixed64(value, s.hard.GetVote())
	return Record{Key: []byte{recordHard}, Value: codec.AppendUint(value, s.hard.GetCommit())}
}

func (s *storage) snapshotRecord() Record {
	value := codec.AppendUint([]byte{recordVersion}, s.base.index)
	value = codec.AppendUint(value, s.base.term)
	return Record{Key: []byte{recordSnapshot}, Value: appendStored(value, s.snapshot)}
}

// appendAll appends the whole state.
func (s *storage) appendAll(records []Record) []Record {
	records = append(records, s.snapshotRecord(), s.hardRecord())
	for _, e := range s.entries {
		records = append(records, entryRecord(e))
	}
	return records
}

// restore reads the state that records tell of.
func (s *storage) restore(records []Record) error {
	for _, record := range records {
		if len(record.Key) == 0 || len(record.Value) == 0 {
			return fmt.Errorf("%w: an empty one", ErrRecords)
		}
		if version := record.Value[0]; version != recordVersion {
			return fmt.Errorf("%w: written in version %d, this release reads version %d", ErrRecords, version, recordVersion)
		}
		if !s.restoreRecord(record.Key, codec.NewReader(record.Value[1:])) {
			return fmt.Errorf("%w: a malformed one of kind %q", ErrRecords, record.Key[0])
		}
	}
	slices.SortFunc(s.entries, func(a, b *pb.Entry) int {
		if a.GetIndex() < b.GetIndex() {
			return -1
		}
		return 1
	})
	slices.Sort(s.buried)
	return s.check()
}

func (s *storage) restoreRecord(key []byte, r codec.Reader) bool {
	id := codec.NewReader(key[1:])
	switch key[0] {
	case recordHard:
		s.hard = &pb.HardState{Term: new(r.Uint()), Vote: new(r.Fixed64()), Commit: new(r.Uint())}
	case recordSnapshot:
		s.base = position{index: r.Uint(), term: r.Uint()}
		s.snapshot = readStored(&r)
	case recordEntry:
		s.entries = append(s.entries, readEntry(&r, id.Fixed64()))
	case recordDeath:
		s.buried = append(s.buried, ID(id.Fixed64()))
	default:
		return false
	}
	return r.Close() == nil && id.Close() == nil
}

// check finds what no prefix of the records of a Log leaves behind.
func (s *storage) check() error {
	if s.hard == nil {
		return fmt.Errorf("%w: no term among them", ErrRecords)
	}
	term := s.base.term
	for i, e := range s.entries {
		if e.GetIndex() != s.base.index+uint64(i)+1 || e.GetTerm() < term || e.GetTerm() > s.hard.GetTerm() {
			return fmt.Errorf("%w: entry %d of term %d out of place", ErrRecords, e.GetIndex(), e.GetTerm())
		}
		term = e.GetTerm()
	}
	covered, err := s.Term(s.snapshot.Index)
	if err != nil || covered != s.snapshot.term || s.snapshot.Index < s.base.index {
		return fmt.Errorf("%w: the snapshot at %d does not belong to the log", ErrRecords, s.snapshot.Index)
	}
	if commit := s.hard.GetCommit(); commit < s.snapshot.Index || commit > s.last() {
		return fmt.Errorf("%w: %d entries committed, %d to %d on record", ErrRecords, commit, s.base.index+1, s.last())
	}
	return nil
}
