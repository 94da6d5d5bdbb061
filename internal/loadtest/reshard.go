package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// The store that is measured while its shards change.
const (
	reshardNodes   = 7
	reshardFrom    = 2
	reshardTo      = 3
	reshardClients = 32
	warmUp         = 2 * time.Second
	reshardTime    = 3 * time.Minute // until everything has settled
	shardPath      = "/key-value-store-shard/"
)

// The bars of a reshard.
const (
	maxSlower = 3.0 // times the 99th percentile of reads before
	maxMoved  = 1.1 // times the least number of keys
)

// reshardResult is what clients noticed.
type reshardResult struct {
	keys                int
	samples             []sample
	began, answered     time.Duration // the reshard, since the load began
	settled, over       time.Duration
	failed, lost, moved int
	cpu                 time.Duration // of the nodes, before
	before, after       memory
}

func whileResharding(o options, w io.Writer) (err error) {
	s, err := startStore(o, reshardNodes, reshardFrom)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	keys := newKeyspace(o.keys)
	r, err := measureReshard(o, s, keys, w)
	if err != nil {
		return err
	}
	verdict := r.report(o, w)
	if err := measureMembers(s, o.keys/reshardTo, w); err != nil {
		return err
	}
	return verdict
}

func measureReshard(o options, s *store, keys *keyspace, w io.Writer) (r reshardResult, err error) {
	clients, err := s.connectAll(reshardClients)
	defer closeAll(clients)
	if err != nil {
		return r, err
	}
	if err := keys.load(clients); err != nil {
		return r, err
	}
	if _, err := s.settle(); err != nil {
		return r, err
	}
	r.before = s.memory()
	shards := slices.Clone(keys.shards)

	load := startSessions(keys, clients, o.rate, oneInFive, w)
	time.Sleep(warmUp)
	used := s.cpuTime()
	time.Sleep(o.period)
	r.began, r.cpu = load.now(), s.cpuTime()-used
	if r.answered, r.settled, err = s.reshard(load.now); err == nil {
		time.Sleep(o.period)
	}
	r.over = load.now()
	r.samples, r.failed, r.keys = load.end(), int(load.failed.Load()), o.keys
	if err != nil {
		return r, err
	}
	r.after = s.memory()
	if _, err := s.settle(); err != nil {
		return r, err
	}
	if r.lost, err = keys.lost(clients, load.tokens, w); err != nil {
		return r, err
	}
	for key := range shards {
		if shards[key] != keys.shards[key] {
			r.moved++
		}
	}
	return r, s.counted(o.keys)
}

// reshard changes the number of shards, and tells when that was answered and when nothing of it was left
// to do, by a clock.
func (s *store) reshard(now func() time.Duration) (answered, settled time.Duration, err error) {
	code, text, err := s.ask(http.MethodPut, s.addresses[0], shardPath+"reshard", fmt.Sprintf(`{"shard-count":%d}`, reshardTo))
	answered = now()
	if err != nil || code != http.StatusOK {
		return answered, 0, fmt.Errorf("reshard: %d %s: %w", code, text, err)
	}
	for now()-answered < reshardTime {
		var progress struct {
			Phase string `json:"phase"`
		}
		code, text, err = s.ask(http.MethodGet, s.addresses[0], shardPath+"reshard", "")
		if err != nil || json.Unmarshal(text, &progress) != nil {
			return answered, 0, fmt.Errorf("progress of the reshard: %d %s: %w", code, text, err)
		}
		if progress.Phase == "idle" {
			return answered, now(), nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return answered, 0, fmt.Errorf("the reshard has not settled %v after its answer: %s", reshardTime, text)
}

// counted compares the keys that the members of each shard hold with those that there are.
func (s *store) counted(keys int) error {
	held := make(map[string]uint64)
	total := uint64(0)
	for _, address := range s.addresses {
		told, err := s.status(address)
		if err != nil {
			return err
		}
		switch before, known := held[told.Shard]; {
		case !known:
			held[told.Shard] = told.Keys
			total += told.Keys
		case before != told.Keys:
			return fmt.Errorf("members of shard %s hold %d and %d keys", told.Shard, before, told.Keys)
		}
	}
	if total != uint64(keys) {
		return fmt.Errorf("the shards hold %v keys, together not %d", held, keys)
	}
	return nil
}

// connectAll makes clients of all nodes in turn.
func (s *store) connectAll(n int) (clients []*client, err error) {
	for i := range n {
		c, err := connect(s.addresses[i%len(s.addresses)])
		if err != nil {
			return clients, err
		}
		clients = append(clients, c)
	}
	return clients, nil
}

func closeAll(clients []*client) {
	for _, c := range clients {
		c.conn.Close()
	}
}

// report prints the figures, and returns an error when something failed or was lost.
func (r *reshardResult) report(o options, w io.Writer) error {
	fmt.Fprintf(w, "%d processes, %d keys, %d requests/s from %d sessions, one in five writes; latencies since a request was due\n",
		reshardNodes, r.keys, o.rate, reshardClients)
	fmt.Fprintf(w, "%d shards became %d in %.2f s; nothing was left to do after %.2f s\n\n",
		reshardFrom, reshardTo, (r.answered - r.began).Seconds(), (r.settled - r.began).Seconds())
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "when\trequest\tcount\tmedian\t99 %\t99.9 %\tworst")
	for _, write := range []bool{false, true} {
		name := "GET"
		if write {
			name = "PUT"
		}
		for _, phase := range []struct {
			name     string
			from, to time.Duration
		}{{"before", warmUp, r.began}, {"until the answer", r.began, r.answered}, {"until all is done", r.answered, r.settled}, {"after", r.settled, r.over}} {
			fmt.Fprintf(table, "%s\t%s\t%s\n", phase.name, name, between(r.samples, phase.from, phase.to, write).row())
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	before, during := between(r.samples, warmUp, r.began, false), between(r.samples, r.began, r.settled, false)
	slower := float64(during.quantile(0.99)) / float64(max(1, before.quantile(0.99)))
	least := float64(r.keys) / reshardTo
	moved := float64(r.moved) / least
	fmt.Fprintf(w, "\n99th percentile of GET: %.1f times that before (bar %.1f)\n", slower, maxSlower)
	fmt.Fprintf(w, "keys that changed their shard: %d, %.3f times the least (bar %.1f)\n", r.moved, moved, maxMoved)
	fmt.Fprintf(w, "failed requests: %d; lost keys: %d (bar 0)\n", r.failed, r.lost)
	fmt.Fprintf(w, "processors that the nodes used before: %.2f of %d\n", r.cpu.Seconds()/o.period.Seconds(), runtime.NumCPU())
	fmt.Fprintf(w, "memory of a node: loaded %v; after the reshard %v\n", r.before, r.after)
	switch {
	case r.failed > 0 || r.lost > 0:
		return fmt.Errorf("%d requests failed, %d keys are lost", r.failed, r.lost)
	case o.strict && (slower > maxSlower || moved > maxMoved):
		return errors.New("a bar is missed")
	}
	return nil
}
