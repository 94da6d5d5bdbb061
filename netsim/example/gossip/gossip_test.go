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
	swarm := netsim.Swarm{Targets: netsim.FirstNodes(nodes), End: 10 * netsim.Second}
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
		Situations: []string{"gossip.nothing_new"},
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
