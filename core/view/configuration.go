// Package view knows who belongs to the store (Configuration) and who of them is up (Detector).
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

// Member is a node that belongs to the store.
type Member struct {
	Address string
	Life    LifeID
	Replica causal.ReplicaID // its replica id in Shard
	Shard   shard.ID         // zero: unassigned
}

// Configuration is who owns what, during one epoch. It never changes once made; a new epoch is a
// new value.
type Configuration struct {
	Epoch   uint64
	Cluster token.ClusterID
	Tokens  token.Codec
	Members []Member // sorted by address
	Layout  *shard.Layout
	Shards  []Shard // by id, from 1

	shardOf []shard.ID // by replica id
}

// Shard is what a configuration says of one shard.
type Shard struct {
	ID       shard.ID
	Slots    shard.Set
	Members  []int              // indices into Configuration.Members, ascending
	Replicas []causal.ReplicaID // every unretired replica id whose assignment ever held one of the slots
}

// Found makes the first configuration, epoch 1, of a founding: founders in the order of their
// addresses get replica ids from 1 and fill the shards in contiguous groups whose sizes differ by at
// most one.
func Found(f Founding) *Configuration {
	raw := AppendFounding(nil, f)
	id := sha256.Sum256(append([]byte("sequitur cluster id\x00"), raw...))
	secret := sha256.Sum256(append([]byte("sequitur token secret\x00"), raw...))
	idReader := codec.NewReader(id[:])
	c := &Configuration{
		Epoch:   1,
		Cluster: token.ClusterID(idReader.Fixed64()),
		Layout:  shard.Initial(f.ShardCount),
		Members: make([]Member, len(f.Founders)),
		Shards:  make([]Shard, f.ShardCount),
		shardOf: make([]shard.ID, len(f.Founders)+1),
	}
	c.Tokens = token.NewCodec(c.Cluster, token.Secret(secret[:16]))
	for i := range c.Shards {
		c.Shards[i].ID = shard.ID(i + 1)
		c.Shards[i].Slots = c.Layout.SlotsOf(c.Shards[i].ID)
	}
	for i, m := range f.Founders {
		home := &c.Shards[i*f.ShardCount/len(f.Founders)]
		member := Member{Address: m.Address, Life: m.Life, Replica: causal.ReplicaID(i + 1), Shard: home.ID}
		c.Members[i] = member
		c.shardOf[member.Replica] = home.ID
		home.Members = append(home.Members, i)
		home.Replicas = append(home.Replicas, member.Replica)
	}
	return c
}

// MemberAt is the index of the member with an address, -1 if there is none.
func (c *Configuration) MemberAt(address string) int {
	i, ok := slices.BinarySearchFunc(c.Members, address, func(m Member, a string) int {
		switch {
		case m.Address < a:
			return -1
		case m.Address > a:
			return 1
		default:
			return 0
		}
	})
	if !ok {
		return -1
	}
	return i
}

// MemberOf is the index of the member with a life, -1 if there is none.
func (c *Configuration) MemberOf(life LifeID) int {
	for i := range c.Members {
		if c.Members[i].Life == life {
			return i
		}
	}
	return -1
}

// Shard returns what is known of a shard, nil for an unknown id.
func (c *Configuration) Shard(id shard.ID) *Shard {
	if id == 0 || int(id) > len(c.Shards) {
		return nil
	}
	return &c.Shards[id-1]
}

// ShardOf is the shard of a replica id, zero if it has none.
func (c *Configuration) ShardOf(replica causal.ReplicaID) shard.ID {
	if int(replica) >= len(c.shardOf) {
		return 0
	}
	return c.shardOf[replica]
}

// FirstMissing finds the first dot of the relevant part of need for a shard that have does not
// cover: of the replicas that ever held slots of it. ok is false when all is covered.
func (c *Configuration) FirstMissing(home shard.ID, have, need causal.Vector) (missing causal.Dot, ok bool) {
	for _, dot := range need {
		if c.ShardOf(dot.Replica) == home && !have.Covers(dot) {
			return dot, true
		}
	}
	return causal.Dot{}, false
}
