package kvsim

import (
	"strconv"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/wire"
	"github.com/sequitur-kv/sequitur/netsim"
)

// Operation is one planned request of a client. Plans are data: a run can be repeated with some of
// them left out, and those that stay do what they did before.
type Operation struct {
	Client  int         // index of the client, from 0
	Number  int         // among the operations that the client had at first: a name that stays when others are left out
	At      netsim.Time // not before this moment, and not before the client's previous operation ended
	Node    int         // index of the server that is asked, from 0
	Op      core.Op     // on a key, or an administrative one; in the audit also OpView and OpKeyCount
	Key     string
	Shard   shard.ID    // OpKeyCount, OpAddMember
	Member  int         // OpInvite, OpRemove, OpAddMember: index of the server that it is about, or deadNode
	Count   int         // OpReshard: number of shards
	Value   string      // OpPut: JSON text, unique in the run
	Timeout netsim.Time // when the client gives up
	Fresh   bool        // forget the token first: a new session begins
	Both    bool        // send the token of the answer before the last along with the last one
}

// Workload says how the operations of a scenario are drawn.
type Workload struct {
	Clients    int
	Operations int         // of all clients together
	Keys       int         // few, so that sessions meet
	From, To   netsim.Time // when operations are due
	MinTimeout netsim.Time
	MaxTimeout netsim.Time

	Gets, Puts   netsim.Ratio // the rest are deletions
	AtFavourite  netsim.Ratio // share that goes to the client's favourite node
	Hot          netsim.Ratio // share that goes to one of the two hottest keys
	InStep       netsim.Ratio // share of the trains that all clients start at the same moment
	Follows      netsim.Ratio // share of the reads that look at the client's last key, somewhere else
	ForgetsToken netsim.Ratio
	SendsBoth    netsim.Ratio
}

// A client acts trainLength times in a row, with up to trainGap in between: about the time that a
// write takes to its other replicas, so that sessions outrun them and race each other.
const (
	trainLength = 4
	trainGap    = 12 * netsim.Millisecond
)

// Plan appends the operations of a seed, sorted by client and then by time. Each is drawn from
// (seed, client, number) alone.
func (w *Workload) Plan(seed netsim.Seed, servers int, keys []string, into []Operation) []Operation {
	each, extra := w.Operations/w.Clients, w.Operations%w.Clients
	for client := range w.Clients {
		count := each
		if client < extra {
			count++
		}
		favourite := int(seed.Draw("favourite", uint64(client)) % uint64(servers))
		for number := range count {
			into = append(into, w.draw(seed, client, number, count, favourite, servers, keys))
		}
	}
	return into
}

func (w *Workload) draw(seed netsim.Seed, client, number, count, favourite, servers int, keys []string) Operation {
	s := seed.Stream("operation", uint64(client), uint64(number))
	o := Operation{Client: client, Number: number, Node: favourite, Op: wire.OpDelete}

	// Operations come in trains: a client acts several times within moments, then is silent. Half of the
	// trains start at a moment that is common to all clients.
	train := number / trainLength
	length := (w.To - w.From) / netsim.Time((count+trainLength-1)/trainLength)
	start := seed.Stream("train", uint64(client), uint64(train))
	if common := seed.Stream("train is common", uint64(train)); common.Chance(w.InStep) {
		start = seed.Stream("common train", uint64(train))
	}
	o.At = w.From + length*netsim.Time(train) + start.Between(0, length)
	o.At += netsim.Time(number%trainLength) * s.Between(0, trainGap)
	if !s.Chance(w.AtFavourite) {
		o.Node = int(s.Below(uint64(servers)))
	}
	o.Key = w.key(seed, client, number, keys)
	kind := s.Uint64()
	puts := netsim.Ratio{Num: w.Gets.Num*w.Puts.Den + w.Puts.Num*w.Gets.Den, Den: w.Gets.Den * w.Puts.Den}
	switch {
	case w.Gets.Hits(kind):
		o.Op = wire.OpGet
		if number%trainLength > 0 && s.Chance(w.Follows) { // before the write can have reached all
			o.Key = w.key(seed, client, number-1, keys)
			o.Node = int(s.Below(uint64(servers)))
		}
	case puts.Hits(kind):
		o.Op = wire.OpPut
		o.Value = `"` + clientName(client) + "-" + strconv.Itoa(number) + `"`
	}
	// Most clients are patient, some are not: the square of a uniform draw favours short waits.
	wait := s.Between(0, w.MaxTimeout-w.MinTimeout)
	if s.Chance(netsim.Ratio{Num: 1, Den: 2}) {
		wait = min(wait, s.Between(0, w.MaxTimeout-w.MinTimeout))
	}
	o.Timeout = w.MinTimeout + wait
	o.Fresh = s.Chance(w.ForgetsToken)
	o.Both = s.Chance(w.SendsBoth)
	return o
}

// key draws the key of an operation.
func (w *Workload) key(seed netsim.Seed, client, number int, keys []string) string {
	s := seed.Stream("key", uint64(client), uint64(number))
	if s.Chance(w.Hot) {
		return keys[s.Below(2)]
	}
	return keys[s.Below(uint64(len(keys)))]
}

// clientName is what people call a client: A, B, …, Z, S26, …
func clientName(client int) string {
	if client < 26 {
		return string(rune('A' + client))
	}
	return "S" + strconv.Itoa(client)
}

// Keys returns count short names of keys, k0 the hottest.
func Keys(count int) []string {
	keys := make([]string, count)
	for i := range keys {
		keys[i] = "k" + strconv.Itoa(i)
	}
	return keys
}
