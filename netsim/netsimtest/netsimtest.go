// Package netsimtest runs simulated worlds in a go test: it sweeps seeds, judges
// each run, and prints for a failing seed the command that reproduces it.
//
// Importing it adds flags to the test binary:
//
//	-netsim.seed=92     run this seed only
//	-netsim.seeds=5000  sweep that many seeds instead of what the test asks for
//	-netsim.trace       log every event of the seed given by -netsim.seed
package netsimtest

import (
	"errors"
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sequitur-kv/sequitur/netsim"
)

// The names of the flags.
const (
	seedFlag  = "netsim.seed"
	seedsFlag = "netsim.seeds"
	traceFlag = "netsim.trace"
)

func init() {
	flag.Uint64(seedFlag, 0, "run this `seed` only (0: sweep)")
	flag.Uint64(seedsFlag, 0, "sweep this `number` of seeds (0: as many as the test asks for)")
	flag.Bool(traceFlag, false, "log every event of the seed given by -"+seedFlag)
}

// Case is one run to judge.
type Case[M any] struct {
	Config netsim.Config[M]
	// Check judges the world after its run ended without a violation: liveness,
	// agreement. Nil: nothing more to check.
	Check func(w *netsim.World[M]) error
	// Situations are the probes that a sweep has to reach at least once; a sweep
	// that misses one has not tested what it promised, and fails.
	Situations []string
}

// Run builds and runs the cases of the seeds 1, 2, … up to seeds, and stops the
// test at the first that fails. It runs seed 1 twice, to find machines that are
// not deterministic.
func Run[M any](t testing.TB, seeds int, build func(seed netsim.Seed) Case[M]) {
	t.Helper()
	if only := number(seedFlag); only != 0 {
		c := build(netsim.Seed(only))
		if flag.Lookup(traceFlag).Value.String() == "true" {
			c.Config.Trace = func(line string) { t.Log(line) }
		}
		w, err := run(c)
		report(t, netsim.Seed(only), w, err)
		return
	}
	if asked := number(seedsFlag); asked != 0 {
		seeds = int(asked)
	}
	sweep := tally{}
	for seed := netsim.Seed(1); seed <= netsim.Seed(seeds); seed++ {
		c := build(seed)
		w, err := run(c)
		if err != nil {
			report(t, seed, w, err)
			return
		}
		if seed == 1 && !repeats(build, w.Digest()) {
			t.Fatal("netsim: seed 1 gives two different runs; the machine draws on something that is not in its inputs (map order, time.Now, a random source, memory shared by two runs)")
		}
		sweep.add(w.Events(), w.Faults(), w.Probes(), c.Situations)
	}
	t.Logf("netsim: %d seeds, %d events, %d of %d faults touched something", seeds, sweep.events, sweep.effective, sweep.faults)
	if missed := sweep.missed(); len(missed) > 0 {
		t.Fatalf("netsim: %d seeds never reached %s: sweep more of them, or make the faults bite", seeds, strings.Join(missed, ", "))
	}
}

// run returns the error of a bad configuration with a nil world.
func run[M any](c Case[M]) (*netsim.World[M], error) {
	w, err := netsim.New(c.Config)
	if err != nil {
		return nil, err
	}
	err = w.Run()
	if err == nil && c.Check != nil {
		err = c.Check(w)
	}
	return w, err
}

func repeats[M any](build func(seed netsim.Seed) Case[M], digest uint64) bool {
	w, err := run(build(1))
	return err == nil && w.Digest() == digest
}

// report fails the test for a seed with an error, and is silent without.
func report[M any](t testing.TB, seed netsim.Seed, w *netsim.World[M], err error) {
	t.Helper()
	if err == nil {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "netsim: seed %d: %s\n", seed, strings.TrimPrefix(err.Error(), "netsim: "))
	fmt.Fprintf(&b, "reproduce: go test -run '%s' -%s=%d", regexp.QuoteMeta(t.Name()), seedFlag, seed)
	if w != nil {
		fmt.Fprintf(&b, "\ntrace:     the same with -v -%s\nfaults that touched something:", traceFlag)
		for _, fault := range w.Faults() {
			if fault.Touched > 0 {
				fmt.Fprintf(&b, "\n  %s", strings.TrimSpace(netsim.Schedule{fault.Fault}.Format(w.Names())))
			}
		}
	}
	var violation *netsim.Violation
	if errors.As(err, &violation) && violation.Panic {
		fmt.Fprintf(&b, "\n%s", violation.Stack)
	}
	t.Fatal(b.String())
}

func number(name string) uint64 {
	value, err := strconv.ParseUint(flag.Lookup(name).Value.String(), 10, 64)
	if err != nil {
		return 0 // the flag package has refused it already
	}
	return value
}

// tally is what a sweep saw.
type tally struct {
	events            uint64
	faults, effective int
	// promised and reached are sorted.
	promised, reached []string
}

func (s *tally) add(events uint64, faults []netsim.FaultReport, probes []netsim.ProbeCount, promised []string) {
	s.events += events
	s.faults += len(faults)
	for _, fault := range faults {
		if fault.Touched > 0 {
			s.effective++
		}
	}
	for _, name := range promised {
		s.promised = insert(s.promised, name)
	}
	for _, probe := range probes {
		s.reached = insert(s.reached, probe.Name)
	}
}

func (s *tally) missed() []string {
	var missed []string
	for _, name := range s.promised {
		if _, found := slices.BinarySearch(s.reached, name); !found {
			missed = append(missed, name)
		}
	}
	return missed
}

func insert(sorted []string, name string) []string {
	at, found := slices.BinarySearch(sorted, name)
	if found {
		return sorted
	}
	return slices.Insert(sorted, at, name)
}
