package view

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/token"
)

// LifeID names a life: a node from an empty memory to the loss of it. Drawn at random when the
// memory is empty; zero is none.
type LifeID uint64

// String prints the life as 16 hexadecimal digits.
func (l LifeID) String() string {
	return hex.EncodeToString(codec.AppendFixed64(nil, uint64(l)))
}

// Key is the share that a life adds to the secrets of the store. It travels between members only.
type Key [16]byte

// Founder is one line of the list that forms a store: an address, the life that answered there and
// the share of that life.
type Founder struct {
	Address string
	Life    LifeID
	Key     Key
}

// Founding is everything that the first configuration follows from. All founders pledge the same one.
type Founding struct {
	ShardCount int       // at least 1
	Founders   []Founder // sorted by address, without duplicates
}

// Equal compares two foundings.
func (f Founding) Equal(other Founding) bool {
	return f.ShardCount == other.ShardCount && slices.Equal(f.Founders, other.Founders)
}

// AppendFounding appends the canonical encoding of f.
func AppendFounding(buf []byte, f Founding) []byte {
	buf = codec.AppendUint(buf, uint64(f.ShardCount))
	buf = codec.AppendUint(buf, uint64(len(f.Founders)))
	for _, m := range f.Founders {
		buf = codec.AppendString(buf, m.Address)
		buf = codec.AppendFixed64(buf, uint64(m.Life))
		buf = append(buf, m.Key[:]...)
	}
	return buf
}

// ReadFounding reads what AppendFounding wrote.
func ReadFounding(r *codec.Reader) Founding {
	f := Founding{ShardCount: int(r.UintMax(shard.MaxShards))}
	n := r.Count(1 + 8 + 16)
	f.Founders = make([]Founder, 0, n)
	for ; n > 0; n-- {
		m := Founder{Address: r.String(), Life: LifeID(r.Fixed64())}
		copy(m.Key[:], r.Raw(len(m.Key)))
		if k := len(f.Founders); k > 0 && f.Founders[k-1].Address >= m.Address {
			r.Fail()
		}
		f.Founders = append(f.Founders, m)
	}
	if f.ShardCount == 0 || len(f.Founders) == 0 {
		r.Fail()
	}
	return f
}

// Found makes the first configuration, index and epoch 1, of a founding: founders in the order of their
// addresses get replica ids from 1 and fill the shards in contiguous groups whose sizes differ by at
// most one.
func Found(f Founding) *Configuration {
	raw := AppendFounding(nil, f)
	id := sha256.Sum256(append([]byte("sequitur cluster id\x00"), raw...))
	secret := sha256.Sum256(append([]byte("sequitur token secret\x00"), raw...))
	idReader := codec.NewReader(id[:])
	c := &Configuration{
		Cluster:     token.ClusterID(idReader.Fixed64()),
		Secret:      token.Secret(secret[:16]),
		Index:       1,
		Epoch:       1,
		Layout:      shard.Initial(f.ShardCount),
		Members:     make([]Member, len(f.Founders)),
		Assignments: make([]Assignment, len(f.Founders)),
		NextReplica: causal.ReplicaID(len(f.Founders) + 1),
	}
	for i, m := range f.Founders {
		home := shard.ID(i*f.ShardCount/len(f.Founders) + 1)
		c.Members[i] = Member{Address: m.Address, Life: m.Life, Joined: 1}
		c.Assignments[i] = Assignment{
			Replica: causal.ReplicaID(i + 1), Life: m.Life, Shard: home, Slots: c.Layout.SlotsOf(home),
			Born: 1, Since: 1, Stage: Serving,
		}
	}
	c.derive()
	return c
}
