package view

import (
	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/shard"
)

// Entry is one entry of the configuration log: a Request, an Enter, a Report, an Unseat or an Expel. It is a request or a
// fact, never a decision: those follow from the entries, inside of Apply.
type Entry interface {
	kind() byte
	append(buf []byte) []byte
	apply(c *change) Outcome
}

// Operation is what a Request asks for: Invite, Remove, AddMember, Reshard or Abort.
type Operation interface {
	kind() byte
	append(buf []byte) []byte
	request(c *change) Outcome
}

// Request is an operation that a member wants for a client. It may be proposed again and again: it is
// applied once.
type Request struct {
	By        LifeID // a member
	Number    uint64 // of this request of that life, ascending from 1; a life has one under way at a time
	Operation Operation
}

// Invite adds a member that has not been heard of yet.
type Invite struct{ Address string }

// Remove deletes a member. One that is up hands over first what only it holds.
type Remove struct {
	Address string
	Down    []LifeID // that are not reachable, ascending: one of them is deleted without more ado
}

// AddMember assigns a member that has no shard.
type AddMember struct {
	Address string
	Shard   shard.ID
	Down    []LifeID // as in Remove
}

// StartReshard spreads the slots, and all members, over another number of shards; the same number
// levels them anew.
type StartReshard struct {
	Count int
	Up    []string // members that are reachable, sorted: those that the new layout waits for
}

// Abort gives up the reshard that started at an index of the log, if it still copies.
type Abort struct{ Started uint64 }

// Enter says that a life was met at an address: it becomes a member, or takes the place of the life
// that was there.
type Enter struct {
	Address string
	Life    LifeID
	Instead LifeID // the life at that address as the proposer knows it, zero for none: else the entry is outdated
}

// Report is what a life says of itself: all of it durable there when it was proposed.
type Report struct {
	Life   LifeID
	Epoch  uint64             // that it had applied
	Sealed []causal.Dot       // the last writes, Seq 0 for none, under its replica ids that have closed; ascending
	Ready  []causal.ReplicaID // its replica ids, ascending, for which it made a full copy begun at their Since or later
	Have   causal.Coverage    // what it covers, own writes included
}

// Unseat says that a life that is leaving has no vote in the log any more. Before that it must not go: a
// majority of those who vote may need it, and whoever is gone does not vote.
type Unseat struct{ Life LifeID }

// Expel says that a life that is leaving has been silent for so long that it is not waited for: it goes without handing
// over what only it holds.
type Expel struct{ Life LifeID }

const (
	entryVersion = 1

	kindInvite    = 1
	kindRemove    = 2
	kindAddMember = 3
	kindReshard   = 4
	kindAbort     = 5
	kindEnter     = 6
	kindReport    = 7
	kindUnseat    = 8
	kindExpel     = 9
)

func (o Invite) kind() byte       { return kindInvite }
func (o Remove) kind() byte       { return kindRemove }
func (o AddMember) kind() byte    { return kindAddMember }
func (o StartReshard) kind() byte { return kindReshard }
func (o Abort) kind() byte        { return kindAbort }
func (e Request) kind() byte      { return e.Operation.kind() }
func (e Enter) kind() byte        { return kindEnter }
func (e Report) kind() byte       { return kindReport }
func (e Unseat) kind() byte       { return kindUnseat }
func (e Expel) kind() byte        { return kindExpel }

// AppendEntry appends the canonical encoding of e.
func AppendEntry(buf []byte, e Entry) []byte { return e.append(append(buf, entryVersion, e.kind())) }

// ReadEntry reads what AppendEntry wrote; it is nil, and the reader has failed, if that is not an
// entry of this version.
func ReadEntry(r *codec.Reader) Entry {
	if r.Byte() != entryVersion {
		r.Fail()
		return nil
	}
	var e Entry
	switch kind := r.Byte(); kind {
	case kindEnter:
		e = Enter{Address: r.String(), Life: LifeID(r.Fixed64()), Instead: LifeID(r.Fixed64())}
	case kindUnseat:
		e = Unseat{Life: LifeID(r.Fixed64())}
	case kindExpel:
		e = Expel{Life: LifeID(r.Fixed64())}
	case kindReport:
		e = readReport(r)
	default:
		e = Request{By: LifeID(r.Fixed64()), Number: r.Uint(), Operation: readOperation(r, kind)}
	}
	if r.Err() != nil {
		return nil
	}
	return e
}

func readOperation(r *codec.Reader, kind byte) Operation {
	switch kind {
	case kindInvite:
		return Invite{Address: r.String()}
	case kindRemove:
		return Remove{Address: r.String(), Down: readLives(r)}
	case kindAddMember:
		return AddMember{Address: r.String(), Shard: shard.ID(r.UintMax(1<<32 - 1)), Down: readLives(r)}
	case kindReshard:
		o := StartReshard{Count: int(r.UintMax(1<<31 - 1))}
		for n := r.Count(1); n > 0; n-- {
			address := r.String()
			if k := len(o.Up); k > 0 && o.Up[k-1] >= address {
				r.Fail()
			}
			o.Up = append(o.Up, address)
		}
		return o
	case kindAbort:
		return Abort{Started: r.Uint()}
	default:
		r.Fail()
		return nil
	}
}

func (e Request) append(buf []byte) []byte {
	buf = codec.AppendFixed64(buf, uint64(e.By))
	buf = codec.AppendUint(buf, e.Number)
	return e.Operation.append(buf)
}

func (o Invite) append(buf []byte) []byte { return codec.AppendString(buf, o.Address) }

func (o Remove) append(buf []byte) []byte {
	return appendLives(codec.AppendString(buf, o.Address), o.Down)
}

func (o AddMember) append(buf []byte) []byte {
	buf = codec.AppendUint(codec.AppendString(buf, o.Address), uint64(o.Shard))
	return appendLives(buf, o.Down)
}

func (o StartReshard) append(buf []byte) []byte {
	buf = codec.AppendUint(buf, uint64(o.Count))
	buf = codec.AppendUint(buf, uint64(len(o.Up)))
	for _, address := range o.Up {
		buf = codec.AppendString(buf, address)
	}
	return buf
}

func (o Abort) append(buf []byte) []byte { return codec.AppendUint(buf, o.Started) }

func (e Enter) append(buf []byte) []byte {
	buf = codec.AppendString(buf, e.Address)
	buf = codec.AppendFixed64(buf, uint64(e.Life))
	return codec.AppendFixed64(buf, uint64(e.Instead))
}

func (e Unseat) append(buf []byte) []byte { return codec.AppendFixed64(buf, uint64(e.Life)) }

func (e Expel) append(buf []byte) []byte { return codec.AppendFixed64(buf, uint64(e.Life)) }

func (e Report) append(buf []byte) []byte {
	buf = codec.AppendFixed64(buf, uint64(e.Life))
	buf = codec.AppendUint(buf, e.Epoch)
	buf = codec.AppendUint(buf, uint64(len(e.Sealed)))
	last := causal.ReplicaID(0)
	for _, dot := range e.Sealed {
		buf = codec.AppendUint(buf, uint64(dot.Replica-last))
		buf = codec.AppendUint(buf, dot.Seq)
		last = dot.Replica
	}
	buf = appendReplicas(buf, e.Ready)
	return causal.AppendCoverage(buf, e.Have)
}

func readReport(r *codec.Reader) Report {
	e := Report{Life: LifeID(r.Fixed64()), Epoch: r.Uint()}
	last := causal.ReplicaID(0)
	for n := r.Count(2); n > 0 && r.Err() == nil; n-- {
		last = readNext(r, last)
		e.Sealed = append(e.Sealed, causal.Dot{Replica: last, Seq: r.Uint()})
	}
	e.Ready = readReplicas(r)
	e.Have = causal.ReadCoverage(r)
	return e
}

func appendLives(buf []byte, lives []LifeID) []byte {
	buf = codec.AppendUint(buf, uint64(len(lives)))
	for _, life := range lives {
		buf = codec.AppendFixed64(buf, uint64(life))
	}
	return buf
}

// readLives reads lives that ascend, each once.
func readLives(r *codec.Reader) (lives []LifeID) {
	for n := r.Count(8); n > 0; n-- {
		life := LifeID(r.Fixed64())
		if k := len(lives); k > 0 && lives[k-1] >= life {
			r.Fail()
		}
		lives = append(lives, life)
	}
	return lives
}

// appendReplicas appends ascending replica ids as their differences.
func appendReplicas(buf []byte, replicas []causal.ReplicaID) []byte {
	buf = codec.AppendUint(buf, uint64(len(replicas)))
	last := causal.ReplicaID(0)
	for _, replica := range replicas {
		buf = codec.AppendUint(buf, uint64(replica-last))
		last = replica
	}
	return buf
}

func readReplicas(r *codec.Reader) (replicas []causal.ReplicaID) {
	last := causal.ReplicaID(0)
	for n := r.Count(1); n > 0 && r.Err() == nil; n-- {
		last = readNext(r, last)
		replicas = append(replicas, last)
	}
	return replicas
}

// readNext reads a replica id as the difference to the last one, which is lower.
func readNext(r *codec.Reader, last causal.ReplicaID) causal.ReplicaID {
	step := r.UintMax(1<<32 - 1 - uint64(last))
	if step == 0 {
		r.Fail()
	}
	return last + causal.ReplicaID(step)
}

func readReplica(r *codec.Reader) causal.ReplicaID { return causal.ReplicaID(r.UintMax(1<<32 - 1)) }
