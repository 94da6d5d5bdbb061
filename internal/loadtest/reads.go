package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"time"
)

// readSide is a store whose reads are measured while it is written to.
type readSide struct {
	store   *store
	keys    *keyspace
	clients []*client
	slow    []float64 // 99th percentile of GET by round, in ms
	busy    []float64 // processors that the nodes used, by round
}

func startReadSide(o options) (r *readSide, err error) {
	r = &readSide{keys: newKeyspace(durableKeys)}
	if r.store, err = startStore(o, ceilingNodes, ceilingShards); err != nil {
		return nil, err
	}
	if r.clients, err = r.store.connectAll(durableClients); err == nil {
		err = r.keys.load(r.clients)
	}
	if err != nil {
		return nil, errors.Join(err, r.stop())
	}
	return r, nil
}

func (r *readSide) stop() error {
	closeAll(r.clients)
	return r.store.stop()
}

// measure has half of the sessions write, the others read.
func (r *readSide) measure(o options, w io.Writer) error {
	used := r.store.cpuTime()
	load := startSessions(r.keys, r.clients, o.rate, oddWrite, w)
	time.Sleep(o.period)
	used = r.store.cpuTime() - used
	samples := load.end()
	if failed := load.failed.Load(); failed > 0 {
		return fmt.Errorf("%d requests failed", failed)
	}
	slow := between(samples, 0, o.period, false).quantile(0.99)
	r.slow = append(r.slow, float64(slow.Microseconds())/1000)
	r.busy = append(r.busy, used.Seconds()/o.period.Seconds())
	return nil
}

// measureReads compares reads beside durable writes with those beside as many in memory; the two stores
// take turns. It tells whether the bar is met.
func measureReads(o options, w io.Writer) (met bool, err error) {
	volatile, durable := o, o
	volatile.data, durable.data = "", filepath.Join(o.data, "reads")
	var sides []*readSide
	for _, options := range []options{volatile, durable} {
		side, err := startReadSide(options)
		if err != nil {
			return false, err
		}
		defer func() { err = errors.Join(err, side.stop()) }()
		sides = append(sides, side)
	}
	for range o.rounds {
		for _, side := range sides {
			if err := side.measure(o, w); err != nil {
				return false, err
			}
		}
	}
	memory, disk := sides[0].slow, sides[1].slow
	ratios := make([]float64, o.rounds)
	for i := range ratios {
		ratios[i] = disk[i] / max(memory[i], 0.001)
	}
	slower, verdict := median(ratios), "met"
	if slower > maxSlowerRead {
		verdict = "missed"
	}
	fmt.Fprintf(w, "\nGET while %d PUTs come in a second, %d rounds of %v: 99 %% %.2f ms in memory, %.2f ms on disk, %.2f times (bar %.1f: %s)\n",
		o.rate/2, o.rounds, o.period, median(memory), median(disk), slower, maxSlowerRead, verdict)
	fmt.Fprintf(w, "processors that the nodes used meanwhile: %.2f in memory, %.2f on disk, of %d\n", median(sides[0].busy), median(sides[1].busy), runtime.NumCPU())
	return slower <= maxSlowerRead, nil
}
