package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// result is what came of a workload, a figure for each round.
type result struct {
	workload
	rates    []float64 // answers in a second
	ceilings []float64 // of the ceiling, right before
	settled  []time.Duration

	count, ceilingCount float64       // answers in all
	cpu, ceilingCPU     time.Duration // used by the store for them, and by the ceiling
}

// measure has the workloads and the ceiling take turns.
func measure(o options, s *store) ([]result, error) {
	all, err := workloads(s)
	if err != nil {
		return nil, err
	}
	node, err := dial(s.addresses[0], o.connections)
	if err != nil {
		return nil, err
	}
	defer node.close()
	address, err := s.startCeiling()
	if err != nil {
		return nil, err
	}
	ceiling, err := dial(address, o.connections)
	if err != nil {
		return nil, err
	}
	defer ceiling.close()
	constant := [][]byte{rawRequest("GET", keysPath+"key", "", "")}

	var results []result
	for _, w := range all {
		if o.only == "" || o.only == w.name {
			results = append(results, result{workload: w})
		}
	}
	for round := -1; round < o.rounds; round++ { // one more to warm up
		for i := range results {
			r := &results[i]
			before, ceilingBefore := s.cpuTime(), cpuTimeOf(s.ceiling.Process.Pid)
			top, err := ceiling.send(constant, o.turn)
			if err != nil {
				return nil, fmt.Errorf("ceiling: %w", err)
			}
			done := s.profile(o, r.name, round)
			rate, err := node.send(r.requests, o.turn)
			done()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.name, err)
			}
			var settled time.Duration
			if r.writes {
				if settled, err = s.settle(); err != nil {
					return nil, err
				}
			}
			after, ceilingAfter := s.cpuTime(), cpuTimeOf(s.ceiling.Process.Pid)
			if round >= 0 {
				r.count, r.cpu = r.count+rate, r.cpu+after-before
				r.ceilingCount, r.ceilingCPU = r.ceilingCount+top, r.ceilingCPU+ceilingAfter-ceilingBefore
				r.rates, r.ceilings, r.settled = append(r.rates, rate), append(r.ceilings, top), append(r.settled, settled)
			}
		}
	}
	return results, nil
}

// profile begins a profile of the target in the first round, if that is wanted; done ends it.
func (s *store) profile(o options, name string, round int) (done func()) {
	if o.profile == "" || round != 0 {
		return func() {}
	}
	file := filepath.Join(o.profile, strings.NewReplacer(" ", "-", ",", "").Replace(name)+".cpu")
	ended := make(chan error, 1)
	go func() {
		_, text, err := s.ask("GET", s.debug, fmt.Sprintf("/debug/pprof/profile?seconds=%d", max(1, int(o.turn.Seconds()))), "")
		if err == nil {
			err = os.WriteFile(file, text, 0o666)
		}
		ended <- err
	}()
	return func() {
		if err := <-ended; err != nil {
			fmt.Fprintln(os.Stderr, "loadtest: no profile:", err)
		}
	}
}
