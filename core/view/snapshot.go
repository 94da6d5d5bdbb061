package view

import (
	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/token"
)

const configurationVersion = 1

// AppendConfiguration appends the canonical encoding of c, which contains all that Apply depends on:
// as a snapshot of the log, and to hand it to peers. It contains the secret of the store.
func AppendConfiguration(buf []byte, c *Configuration) []byte {
	buf = append(buf, configurationVersion)
	buf = codec.AppendFixed64(buf, uint64(c.Cluster))
	buf = codec.AppendUint(buf, c.Index)
	buf = append(buf, c.Secret[:]...)
	buf = codec.AppendUint(buf, c.Epoch)
	buf = codec.AppendUint(buf, uint64(len(c.Members)))
	for i := range c.Members {
		buf = appendMember(buf, &c.Members[i])
	}
	buf = codec.AppendUint(buf, uint64(len(c.Ended)))
	for _, life := range c.Ended {
		buf = codec.AppendFixed64(buf, uint64(life))
	}
	buf = shard.AppendLayout(buf, c.Layout)
	buf = codec.AppendBool(buf, c.Target != nil)
	if c.Target != nil {
		buf = shard.AppendLayout(buf, c.Target)
	}
	buf = appendReshard(buf, &c.Reshard)
	buf = codec.AppendUint(buf, uint64(len(c.Assignments)))
	for i := range c.Assignments {
		buf = appendAssignment(buf, &c.Assignments[i])
	}
	buf = codec.AppendUint(buf, uint64(len(c.Retirements)))
	for _, r := range c.Retirements {
		buf = codec.AppendUint(buf, uint64(r.Replica))
		buf = codec.AppendUint(buf, r.Epoch)
	}
	buf = codec.AppendUint(buf, uint64(c.NextReplica))
	buf = codec.AppendUint(buf, uint64(len(c.Reports)))
	for i := range c.Reports {
		r := &c.Reports[i]
		buf = codec.AppendFixed64(buf, uint64(r.Life))
		buf = codec.AppendUint(buf, r.Epoch)
		buf = causal.AppendCoverage(buf, r.Have)
	}
	return codec.AppendUint(buf, c.Rounds)
}

// ReadHeading reads the beginning of what AppendConfiguration wrote: whose configuration it is, and its
// Index. Both are zero if the reader has failed.
func ReadHeading(r *codec.Reader) (cluster token.ClusterID, index uint64) {
	if r.Byte() != configurationVersion {
		r.Fail()
	}
	cluster, index = token.ClusterID(r.Fixed64()), r.Uint()
	if r.Err() != nil {
		return 0, 0
	}
	return cluster, index
}

// ReadConfiguration reads what AppendConfiguration wrote; it is nil if the reader has failed.
func ReadConfiguration(r *codec.Reader) *Configuration {
	c := new(Configuration)
	c.Cluster, c.Index = ReadHeading(r)
	copy(c.Secret[:], r.Raw(len(c.Secret)))
	c.Epoch = r.Uint()
	for n := r.Count(1); n > 0 && r.Err() == nil; n-- {
		c.Members = append(c.Members, readMember(r))
	}
	for n := r.Count(8); n > 0; n-- {
		c.Ended = append(c.Ended, LifeID(r.Fixed64()))
	}
	c.Layout = shard.ReadLayout(r)
	if r.Bool() {
		c.Target = shard.ReadLayout(r)
	}
	c.Reshard = readReshard(r)
	for n := r.Count(1); n > 0 && r.Err() == nil; n-- {
		c.Assignments = append(c.Assignments, readAssignment(r))
	}
	for n := r.Count(2); n > 0; n-- {
		c.Retirements = append(c.Retirements, Retirement{Replica: readReplica(r), Epoch: r.Uint()})
	}
	c.NextReplica = readReplica(r)
	for n := r.Count(8); n > 0 && r.Err() == nil; n-- {
		c.Reports = append(c.Reports, Reported{Life: LifeID(r.Fixed64()), Epoch: r.Uint(), Have: causal.ReadCoverage(r)})
	}
	c.Rounds = r.Uint()
	if r.Err() == nil && !c.consistent() {
		r.Fail()
	}
	if r.Err() != nil {
		return nil
	}
	c.derive()
	return c
}

// consistent tells whether everything is in its order and refers to what exists, which Apply relies
// on.
func (c *Configuration) consistent() bool {
	shards := c.Layout.Count()
	for i := range c.Assignments {
		if a := &c.Assignments[i]; a.Shard == 0 || a.Stage != Closed && !a.Target && int(a.Shard) > shards || a.Replica >= c.NextReplica || a.Target && c.Target == nil {
			return false
		}
	}
	for i := range c.Members {
		if life := c.Members[i].Life; life != 0 && (c.MemberOf(life) != i || c.HasEnded(life)) {
			return false
		}
	}
	return ascending(c.Members, func(a, b *Member) bool { return a.Address < b.Address }) &&
		ascending(c.Ended, func(a, b *LifeID) bool { return *a < *b }) &&
		ascending(c.Assignments, func(a, b *Assignment) bool { return a.Replica < b.Replica }) &&
		ascending(c.Retirements, func(a, b *Retirement) bool { return a.Replica < b.Replica }) &&
		ascending(c.Reports, func(a, b *Reported) bool { return a.Life < b.Life }) &&
		(c.Target != nil) == (c.Reshard.Phase == Copying)
}

func ascending[T any](s []T, less func(a, b *T) bool) bool {
	for i := 1; i < len(s); i++ {
		if !less(&s[i-1], &s[i]) {
			return false
		}
	}
	return true
}

func appendMember(buf []byte, m *Member) []byte {
	buf = codec.AppendString(buf, m.Address)
	buf = codec.AppendFixed64(buf, uint64(m.Life))
	buf = codec.AppendUint(buf, m.Joined)
	buf = codec.AppendBool(buf, m.Leaving)
	buf = codec.AppendBool(buf, m.Unseated)
	buf = codec.AppendUint(buf, m.LastRequest)
	return appendOutcome(buf, m.LastOutcome)
}

func readMember(r *codec.Reader) Member {
	return Member{
		Address: r.String(), Life: LifeID(r.Fixed64()), Joined: r.Uint(), Leaving: r.Bool(), Unseated: r.Bool(),
		LastRequest: r.Uint(), LastOutcome: readOutcome(r),
	}
}

func appendReshard(buf []byte, s *Reshard) []byte {
	buf = append(buf, byte(s.Phase))
	buf = codec.AppendUint(buf, uint64(s.Count))
	buf = codec.AppendUint(buf, s.Started)
	buf = codec.AppendFixed64(buf, uint64(s.By))
	buf = codec.AppendUint(buf, s.Number)
	buf = codec.AppendUint(buf, uint64(s.Moves))
	return appendReplicas(buf, s.Require)
}

func readReshard(r *codec.Reader) Reshard {
	s := Reshard{
		Phase: Phase(r.Byte()), Count: int(r.UintMax(shard.MaxShards)), Started: r.Uint(), By: LifeID(r.Fixed64()),
		Number: r.Uint(), Moves: int(r.UintMax(shard.Slots)), Require: readReplicas(r),
	}
	if s.Phase > Aborted {
		r.Fail()
	}
	return s
}

func appendAssignment(buf []byte, a *Assignment) []byte {
	buf = codec.AppendUint(buf, uint64(a.Replica))
	buf = codec.AppendFixed64(buf, uint64(a.Life))
	buf = codec.AppendUint(buf, uint64(a.Shard))
	buf = shard.AppendSet(buf, &a.Slots)
	buf = codec.AppendUint(buf, a.Born)
	buf = append(buf, byte(a.Stage))
	buf = codec.AppendBool(buf, a.Target)
	buf = codec.AppendUint(buf, a.Since)
	buf = codec.AppendUint(buf, a.Claimed)
	buf = codec.AppendBool(buf, a.Dead)
	buf = codec.AppendUint(buf, a.Round)
	buf = codec.AppendBool(buf, a.Fixed)
	buf = codec.AppendUint(buf, uint64(len(a.Finals)))
	for i := range a.Finals {
		buf = shard.AppendSet(buf, &a.Finals[i].Slots)
		buf = codec.AppendUint(buf, a.Finals[i].Seq)
	}
	return buf
}

func readAssignment(r *codec.Reader) Assignment {
	a := Assignment{
		Replica: readReplica(r), Life: LifeID(r.Fixed64()), Shard: shard.ID(r.UintMax(shard.MaxShards)), Slots: shard.ReadSet(r),
		Born: r.Uint(), Stage: Stage(r.Byte()), Target: r.Bool(), Since: r.Uint(), Claimed: r.Uint(),
		Dead: r.Bool(), Round: r.Uint(), Fixed: r.Bool(),
	}
	open := a.Slots
	for n := r.Count(3); n > 0 && r.Err() == nil; n-- {
		e := Extent{Slots: shard.ReadSet(r), Seq: r.Uint()}
		if e.Slots.IsEmpty() || !open.Contains(&e.Slots) || e.Seq == 0 || len(a.Finals) > 0 && a.Finals[len(a.Finals)-1].Seq >= e.Seq {
			r.Fail()
		}
		open = open.Minus(&e.Slots)
		a.Finals = append(a.Finals, e)
	}
	ready := a.Stage == Learning || a.Stage == Prepared
	if a.Stage > Closed || a.Stage == Prepared && !a.Target || a.Target && !ready || (a.Dead || a.Fixed) && a.Stage != Closed || len(a.Finals) > 0 && !a.Fixed {
		r.Fail()
	}
	return a
}
