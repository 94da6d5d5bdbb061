package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"
)

// The bars of a durable store, besides that of PUT.
const (
	timesEtcd     = 4.0 // PUTs that are answered for each one of etcd
	maxSlowerRead = 2.0 // times the 99th percentile of GET beside as many PUTs in memory
)

const (
	durableClients = 32   // of the reads beside writes, half of them write
	durableKeys    = 2000 // likewise
	syncs          = 200
)

// whatIsDurable measures a durable store.
func whatIsDurable(o options, w io.Writer) error {
	if err := measureSync(o.data, w); err != nil {
		return err
	}
	writes, err := measureWrites(o, w)
	if err != nil {
		return err
	}
	reads, err := measureReads(o, w)
	if err != nil {
		return err
	}
	if o.strict && !(writes && reads) {
		return errors.New("a bar is missed")
	}
	return nil
}

// measureSync tells how long it takes to make 200 bytes more of a file durable.
func measureSync(dir string, w io.Writer) (err error) {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var took latencies
	for range syncs {
		if _, err := f.Write(make([]byte, 200)); err != nil {
			return err
		}
		begin := time.Now()
		if err := fdatasync(f); err != nil {
			return err
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	fmt.Fprintf(w, "one fdatasync where the data is: median %s, 99 %% %s\n", ms(took.quantile(0.5)), ms(took.quantile(0.99)))
	return nil
}

// contender answers writes, in turns with others.
type contender struct {
	name     string
	load     *load
	requests [][]byte
	bar      float64   // how many times as many answers the store is to give; 0: none
	rates    []float64 // answers in a second, by round
}

// Places of contenders; its rivals follow.
const (
	ofCeiling = iota
	ofStore
)

// times is the median of how many answers it gives for each one of another.
func (c *contender) times(other *contender) float64 {
	ratios := make([]float64, len(c.rates))
	for i := range ratios {
		ratios[i] = c.rates[i] / other.rates[i]
	}
	return median(ratios)
}

// measureWrites has the ceiling, the store and its rivals take turns; met tells whether the bars are.
func measureWrites(o options, w io.Writer) (met bool, err error) {
	s, err := startStore(o, ceilingNodes, ceilingShards)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	rivals, err := startRivals(o.data, w)
	defer func() { err = errors.Join(err, stopRivals(rivals)) }()
	if err != nil {
		return false, err
	}
	contenders, err := o.contenders(s, rivals)
	for _, c := range contenders {
		defer c.load.close()
	}
	if err != nil {
		return false, err
	}
	for round := -1; round < o.rounds; round++ { // one more to warm up
		for _, c := range contenders {
			done := func() {}
			if c == contenders[ofStore] {
				done = s.profile(o, "PUT, durable", round)
			}
			rate, err := c.load.send(c.requests, o.turn)
			done()
			if err != nil {
				return false, fmt.Errorf("%s: %w", c.name, err)
			}
			if round >= 0 {
				c.rates = append(c.rates, rate)
			}
		}
		if _, err := s.settle(); err != nil {
			return false, err
		}
	}
	return o.reportWrites(contenders, w)
}

// contenders are in their places.
func (o *options) contenders(s *store, rivals []*rival) (all []*contender, err error) {
	add := func(name, address string, bar float64, requests [][]byte, answer func(*client) error) error {
		l, err := dial(address, o.connections)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, c := range l.clients {
			c.answer = answer
		}
		all = append(all, &contender{name: name, load: l, bar: bar, requests: requests})
		return nil
	}
	loads, err := workloads(s)
	if err != nil {
		return nil, err
	}
	put := loads[slices.IndexFunc(loads, func(l workload) bool { return l.name == "PUT" })]
	ceiling, err := s.startCeiling()
	if err != nil {
		return nil, err
	}
	if err := add("ceiling", ceiling, s.putBar(), [][]byte{rawRequest("GET", keysPath+"key", "", "")}, nil); err != nil {
		return all, err
	}
	if err := add(fmt.Sprintf("PUT, %d processes", ceilingNodes), s.addresses[0], 0, put.requests, nil); err != nil {
		return all, err
	}
	for _, r := range rivals {
		if err := add(r.name, r.address, r.bar, r.requests, r.answer); err != nil {
			return all, err
		}
	}
	return all, nil
}

func (o *options) reportWrites(contenders []*contender, w io.Writer) (met bool, err error) {
	fmt.Fprintf(w, "%d connections to one process; %d rounds of %v, medians\n\n", o.connections, o.rounds, o.turn)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "durable writes\tper second\tPUT is so many times that\tbar\t")
	met = true
	store := contenders[ofStore]
	for _, c := range contenders {
		times, bar, verdict := store.times(c), "–", ""
		if c.bar > 0 {
			bar, verdict = fmt.Sprintf("%.2f", c.bar), "met"
			if times < c.bar {
				verdict, met = "missed", false
			}
		}
		fmt.Fprintf(table, "%s\t%.0f\t%.2f\t%s\t%s\n", c.name, median(c.rates), times, bar, verdict)
	}
	return met, table.Flush()
}
