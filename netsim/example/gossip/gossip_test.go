package gossip

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/sequitur-kv/sequitur/netsim"
	"github.com/sequitur-kv/sequitur/netsim/netsimtest"
)

const (
	nodes = 5
	goal  = 100
)

// storm builds the run of a seed: ten seconds of faults, ten seconds to recover.
func storm(seed netsim.Seed, hasty bool) netsimtest.Case[Counts] {
	swarm := netsim.Swarm{
		Targets: netsim.FirstNodes(nodes), End: 10 * netsim.Second,
		Situations: []string{"gossip.nothing_new", "gossip.last_step"}, Triggered: netsim.Ratio{Num: 1, Den: 4},
	}
	return netsimtest.Case[Counts]{
		Config: netsim.Config[Counts]{
			Seed:  seed,
			Names: []string{"n1", "n2", "n3", "n4", "n5"},
			Boot: func(boot netsim.Boot[Counts]) netsim.Node[Counts] {
				counter := New(boot, nodes, goal, 100*netsim.Millisecond)
				counter.hasty = hasty
				return counter
			},
			Network: netsim.Network{
				Latency: netsim.Range{Min: netsim.Millisecond, Max: 20 * netsim.Millisecond},
				Jitter:  5 * netsim.Millisecond,
				Loss:    netsim.Ratio{Num: 1, Den: 100},
			},
			Disk:      netsim.DiskModel{Sync: netsim.Range{Min: 5 * netsim.Millisecond, Max: 50 * netsim.Millisecond}},
			Schedule:  swarm.Draw(seed),
			ChaosEnd:  10 * netsim.Second,
			End:       20 * netsim.Second,
			Encode:    Encode,
			Describe:  func(counts Counts) string { return fmt.Sprint([]uint64(counts)) },
			Invariant: Invariant,
		},
		Check:      agree,
		Situations: []string{"gossip.nothing_new", "gossip.last_step"},
	}
}

// agree holds after the world has healed: all counted to the end and know it.
func agree(w *netsim.World[Counts]) error {
	for id := range netsim.NodeID(w.Len()) {
		if total := w.Node(id).(*Counter).Total(); total != nodes*goal {
			return fmt.Errorf("gossip: at the end %s knows of %d steps, want %d", w.Name(id), total, nodes*goal)
		}
	}
	return nil
}

func TestCounterUnderFaults(t *testing.T) {
	netsimtest.Run(t, 200, func(seed netsim.Seed) netsimtest.Case[Counts] { return storm(seed, false) })
}

// TestSweepFindsTheHastyCounter: the planted mistake is found, and the command
// that the failure prints finds it again.
func TestSweepFindsTheHastyCounter(t *testing.T) {
	setFlag(t, "netsim.seed", "0") // this test chooses its seeds itself
	setFlag(t, "netsim.seeds", "0")
	hasty := func(seed netsim.Seed) netsimtest.Case[Counts] { return storm(seed, true) }
	first := failure(t, func(t testing.TB) { netsimtest.Run(t, 500, hasty) })
	_, rest, _ := strings.Cut(first, "netsim: seed ")
	number, _, found := strings.Cut(rest, ":")
	command := "reproduce: go test -run '" + t.Name() + "' -netsim.seed=" + number
	if !found || !strings.Contains(first, command) || !strings.Contains(first, "which knows of") {
		t.Fatalf("the failure does not explain itself:\n%s", first)
	}
	setFlag(t, "netsim.seed", number)
	if again := failure(t, func(t testing.TB) { netsimtest.Run(t, 500, hasty) }); again != first {
		t.Errorf("the printed command finds\n%s\ninstead of\n%s", again, first)
	}
}

// TestFaultsThatWaitFindTheHastyCounterSooner: one crash as the last step of a
// node is under way finds the mistake in most seeds, one at any time in a few.
func TestFaultsThatWaitFindTheHastyCounterSooner(t *testing.T) {
	names := storm(1, false).Config.Names
	waiting, err := netsim.ParseSchedule("when gossip.last_step then after 15ms crash met for 1s", names)
	if err != nil {
		t.Fatal(err)
	}
	const seeds = 100
	finds := func(hasty bool, schedule func(seed netsim.Seed) netsim.Schedule) (found int) {
		for seed := range netsim.Seed(seeds) {
			c := storm(seed, hasty).Config
			c.Schedule, c.End, c.ChaosEnd = schedule(seed), 30*netsim.Second, 20*netsim.Second
			w, err := netsim.New(c)
			if err != nil {
				t.Fatal(err)
			}
			if w.Run() != nil {
				found++
			}
			if w.Faults()[0].Touched == 0 {
				t.Errorf("seed %d: the crash hit nobody", seed)
			}
		}
		return found
	}
	crashes := netsim.Swarm{
		Targets: netsim.FirstNodes(nodes), Kinds: []netsim.FaultKind{netsim.Crash}, Count: 1,
		Begin: netsim.Second, End: 10 * netsim.Second,
	}
	atLast := finds(true, func(netsim.Seed) netsim.Schedule { return waiting })
	anytime := finds(true, crashes.Draw)
	if atLast < 2*anytime || atLast < seeds/2 {
		t.Errorf("of %d seeds, a crash at the last step fails %d and one at any time %d", seeds, atLast, anytime)
	}
	if sound := finds(false, func(netsim.Seed) netsim.Schedule { return waiting }); sound > 0 {
		t.Errorf("%d seeds fail without the mistake", sound)
	}
}

// TestLateAndLostNodes: the others count what a node counted before it was killed,
// and a node that comes late catches up.
func TestLateAndLostNodes(t *testing.T) {
	netsimtest.Run(t, 50, func(seed netsim.Seed) netsimtest.Case[Counts] {
		c := storm(seed, false)
		kill, err := netsim.ParseSchedule("when 1st gossip.last_step at n1,n2 then kill met", c.Config.Names)
		if err != nil {
			t.Fatal(err)
		}
		c.Config.Schedule, c.Config.ChaosEnd, c.Config.End = kill, 15*netsim.Second, 30*netsim.Second
		c.Config.StartAt = []netsim.Time{nodes - 1: 8 * netsim.Second}
		c.Check = func(w *netsim.World[Counts]) error {
			killed := w.Killed()
			if killed != netsim.Nodes(0) && killed != netsim.Nodes(1) {
				return fmt.Errorf("%d nodes are down for good", killed.Len())
			}
			least, most := ^uint64(0), uint64(0)
			for id := range netsim.NodeID(w.Len()) {
				if total := w.Node(id).(*Counter).Total(); !killed.Has(id) {
					least, most = min(least, total), max(most, total)
				}
			}
			if least != most || most < (nodes-1)*goal || most > nodes*goal {
				return fmt.Errorf("at the end the living know of %d to %d steps", least, most)
			}
			return nil
		}
		c.Situations = []string{"gossip.last_step"}
		return c
	})
}

func setFlag(t *testing.T, name, value string) {
	old := flag.Lookup(name).Value.String()
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := flag.Set(name, old); err != nil {
			t.Error(err)
		}
	})
}

// recorder is a testing.TB that keeps the message of its failure.
type recorder struct {
	testing.TB
	message string
}

// failed is what recorder panics with, to leave the test as Fatal does.
type failed struct{}

func (r *recorder) Fatal(args ...any) {
	r.message = fmt.Sprint(args...)
	panic(failed{})
}

// failure runs a test that has to fail, and returns what it says.
func failure(t *testing.T, test func(t testing.TB)) string {
	t.Helper()
	r := &recorder{TB: t}
	func() {
		defer func() {
			if cause := recover(); cause != nil && cause != (failed{}) {
				panic(cause)
			}
		}()
		test(r)
	}()
	if r.message == "" {
		t.Fatal("nothing was found")
	}
	return r.message
}

func BenchmarkGossip(b *testing.B) {
	c := storm(1, false).Config
	c.Schedule, c.Invariant = nil, nil
	c.ChaosEnd, c.End = 0, 1<<55
	w, err := netsim.New(c)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		w.Step()
	}
	b.ReportMetric(float64(w.Events())/b.Elapsed().Seconds()/1e6, "M_events/s")
}

func BenchmarkGossipUnderFaults(b *testing.B) {
	events := uint64(0)
	seed := netsim.Seed(0)
	for b.Loop() {
		seed++
		w, err := netsim.New(storm(seed, false).Config)
		if err != nil {
			b.Fatal(err)
		}
		if err := w.Run(); err != nil {
			b.Fatal(err)
		}
		events += w.Events()
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds()/1e6, "M_events/s")
}
