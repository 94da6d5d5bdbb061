package wire

import (
	"bytes"

	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/view"
)

// Hello asks whoever lives at an address who it is. The answer repeats the challenge, so that it
// is known to be younger than the question.
type Hello struct {
	Address    string // of the sender
	Challenge  uint64
	View       []string // as the sender was started, sorted
	ShardCount int      // likewise; zero: not given
}

func (*Hello) kind() kind { return kindHello }

func (b *Hello) append(buf []byte) []byte {
	buf = codec.AppendString(buf, b.Address)
	buf = codec.AppendFixed64(buf, b.Challenge)
	return appendStart(buf, b.View, b.ShardCount)
}

func (b *Hello) read(r *codec.Reader) {
	b.Address = r.String()
	b.Challenge = r.Fixed64()
	b.View, b.ShardCount = readStart(r)
}

// Welcome answers a Hello; the life is in the message's header.
type Welcome struct {
	Address    string
	Challenge  uint64
	Key        view.Key
	View       []string
	ShardCount int
	Formed     bool   // the sender belongs to a store:
	Store      []byte // this configuration of it, as view.AppendConfiguration writes it; nil if not Formed
	Decides    bool   // a majority of its voting members seems to be up; false too where nobody has said who votes
	Missing    string // those of them who are not up, "" for nobody
}

func (*Welcome) kind() kind { return kindWelcome }

func (b *Welcome) append(buf []byte) []byte {
	buf = codec.AppendString(buf, b.Address)
	buf = codec.AppendFixed64(buf, b.Challenge)
	buf = append(buf, b.Key[:]...)
	buf = appendStart(buf, b.View, b.ShardCount)
	buf = codec.AppendBool(buf, b.Formed)
	if b.Formed {
		buf = codec.AppendBool(codec.AppendBytes(buf, b.Store), b.Decides)
		buf = codec.AppendString(buf, b.Missing)
	}
	return buf
}

func (b *Welcome) read(r *codec.Reader) {
	b.Address = r.String()
	b.Challenge = r.Fixed64()
	copy(b.Key[:], r.Raw(len(b.Key)))
	b.View, b.ShardCount = readStart(r)
	if b.Formed = r.Bool(); b.Formed {
		b.Store, b.Decides, b.Missing = bytes.Clone(r.Bytes()), r.Bool(), r.String()
	}
}

// Pledge says that the sender, durably, forms the store with this list or not at all unless one of
// its lives ends.
type Pledge struct {
	Founding view.Founding
}

func (*Pledge) kind() kind { return kindPledge }

func (b *Pledge) append(buf []byte) []byte { return view.AppendFounding(buf, b.Founding) }

func (b *Pledge) read(r *codec.Reader) { b.Founding = view.ReadFounding(r) }

func appendStart(buf []byte, addresses []string, shardCount int) []byte {
	buf = codec.AppendUint(buf, uint64(len(addresses)))
	for _, a := range addresses {
		buf = codec.AppendString(buf, a)
	}
	return codec.AppendUint(buf, uint64(shardCount))
}

func readStart(r *codec.Reader) (addresses []string, shardCount int) {
	for n := r.Count(1); n > 0; n-- {
		addresses = append(addresses, r.String())
	}
	return addresses, int(r.UintMax(1<<31 - 1))
}

// Enter asks a member to have the sender's life entered in the configuration log.
type Enter struct {
	Address string
	Instead view.LifeID // the life at that address in the configuration that the sender was told; zero for none
}

func (*Enter) kind() kind { return kindEnter }

func (b *Enter) append(buf []byte) []byte {
	return codec.AppendFixed64(codec.AppendString(buf, b.Address), uint64(b.Instead))
}

func (b *Enter) read(r *codec.Reader) { b.Address, b.Instead = r.String(), view.LifeID(r.Fixed64()) }

// Configuration hands a configuration to a member that has an older one.
type Configuration struct {
	Encoded []byte // as view.AppendConfiguration writes it
}

func (*Configuration) kind() kind { return kindConfiguration }

func (b *Configuration) append(buf []byte) []byte { return codec.AppendBytes(buf, b.Encoded) }

func (b *Configuration) read(r *codec.Reader) { b.Encoded = bytes.Clone(r.Bytes()) }

// Raft carries a message of the configuration log.
type Raft struct {
	Payload []byte // as package consensus writes it
}

func (*Raft) kind() kind { return kindRaft }

func (b *Raft) append(buf []byte) []byte { return codec.AppendBytes(buf, b.Payload) }

func (b *Raft) read(r *codec.Reader) { b.Payload = bytes.Clone(r.Bytes()) }

// Propose asks a member to propose an entry of the configuration log: for one that does not know who
// leads the log, as it is no part of it yet or any more.
type Propose struct {
	Entry []byte // as view.AppendEntry writes it
}

func (*Propose) kind() kind { return kindPropose }

func (b *Propose) append(buf []byte) []byte { return codec.AppendBytes(buf, b.Entry) }

func (b *Propose) read(r *codec.Reader) { b.Entry = bytes.Clone(r.Bytes()) }
