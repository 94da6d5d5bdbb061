package netsimtest

import (
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/sequitur-kv/sequitur/netsim"
)

// tick wakes once and reports a situation in one of three seeds.
type tick struct {
	random uint64
	wake   func()
}

func (k *tick) Start(_ netsim.Clock, out *netsim.Outbox[int]) { out.WakeAt(netsim.Second) }

func (k *tick) Wake(_ netsim.Clock, out *netsim.Outbox[int]) {
	if k.random%3 == 0 {
		out.Probe("third")
	}
	if k.wake != nil {
		k.wake()
	}
	out.Send(1, 7, 0)
}

func (k *tick) Receive(netsim.Clock, netsim.NodeID, int, *netsim.Outbox[int]) {}

func ticking(seed netsim.Seed, wake func()) Case[int] {
	return Case[int]{Config: netsim.Config[int]{
		Seed:  seed,
		Names: []string{"n1", "n2"},
		Boot: func(boot netsim.Boot[int]) netsim.Node[int] {
			return &tick{random: boot.Random, wake: wake}
		},
		Schedule: netsim.Schedule{
			{Kind: netsim.Loss, For: 2 * netsim.Second, Chance: netsim.Ratio{Num: 1, Den: 1}},
			{Kind: netsim.Crash, At: 3 * netsim.Second, For: 1, Nodes: netsim.Nodes(0)},
			{Kind: netsim.Freeze, At: 4 * netsim.Second, For: 1, Nodes: netsim.Nodes(1)},
		},
		End: 5 * netsim.Second,
	}}
}

// recorder keeps what a test says; Fatal leaves it by a panic.
type recorder struct {
	testing.TB
	logs  []string
	fatal string
}

type failed struct{}

func (r *recorder) Name() string    { return "TestOf/a_case" }
func (r *recorder) Helper()         {}
func (r *recorder) Log(args ...any) { r.logs = append(r.logs, fmt.Sprint(args...)) }
func (r *recorder) Logf(format string, args ...any) {
	r.logs = append(r.logs, fmt.Sprintf(format, args...))
}
func (r *recorder) Fatal(args ...any) { r.fatal = fmt.Sprint(args...); panic(failed{}) }
func (r *recorder) Fatalf(format string, args ...any) {
	r.fatal = fmt.Sprintf(format, args...)
	panic(failed{})
}

// record runs a sweep with the flags given as name=value.
func record(t *testing.T, seeds int, build func(seed netsim.Seed) Case[int], flags ...string) *recorder {
	t.Helper()
	for _, pair := range append([]string{"netsim.seed=0", "netsim.seeds=0", "netsim.trace=false"}, flags...) {
		name, value, _ := strings.Cut(pair, "=")
		old := flag.Lookup(name).Value.String()
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = flag.Set(name, old) }()
	}
	r := &recorder{}
	func() {
		defer func() {
			if cause := recover(); cause != nil && cause != (failed{}) {
				panic(cause)
			}
		}()
		Run(r, seeds, build)
	}()
	return r
}

func plain(seed netsim.Seed) Case[int] { return ticking(seed, nil) }

func TestASweepThatPasses(t *testing.T) {
	var seeds []netsim.Seed
	r := record(t, 4, func(seed netsim.Seed) Case[int] {
		seeds = append(seeds, seed)
		return plain(seed)
	})
	if r.fatal != "" || fmt.Sprint(seeds) != "[1 1 2 3 4]" { // the first runs twice
		t.Errorf("seeds %v, failure %q", seeds, r.fatal)
	}
	// Loss and crash touched something in each run, the freeze nothing.
	if len(r.logs) != 1 || !strings.Contains(r.logs[0], "4 seeds, ") || !strings.Contains(r.logs[0], "8 of 12 faults") {
		t.Errorf("logs %q", r.logs)
	}
}

func TestFlags(t *testing.T) {
	var seeds []netsim.Seed
	build := func(seed netsim.Seed) Case[int] {
		seeds = append(seeds, seed)
		return plain(seed)
	}
	record(t, 4, build, "netsim.seeds=6")
	if fmt.Sprint(seeds) != "[1 1 2 3 4 5 6]" {
		t.Errorf("-netsim.seeds=6 ran %v", seeds)
	}
	seeds = nil
	if r := record(t, 4, build, "netsim.seed=92"); fmt.Sprint(seeds) != "[92]" || len(r.logs) != 0 {
		t.Errorf("-netsim.seed=92 ran %v and logged %q", seeds, r.logs)
	}
	r := record(t, 4, build, "netsim.seed=92", "netsim.trace=true")
	if !strings.Contains(strings.Join(r.logs, "\n"), "1.000s n1 -> n2 lost int (at 0s for 2s loss 1/1 all)") {
		t.Errorf("-netsim.trace logged %q", r.logs)
	}
}

func TestAFailureSaysHowToReproduceIt(t *testing.T) {
	build := func(seed netsim.Seed) Case[int] {
		c := plain(seed)
		c.Check = func(w *netsim.World[int]) error {
			if seed == 3 {
				return errors.New("netsim: unlucky")
			}
			return nil
		}
		return c
	}
	want := `netsim: seed 3: unlucky
reproduce: go test -run 'TestOf/a_case' -netsim.seed=3
trace:     the same with -v -netsim.trace
faults that touched something:
  at 0s for 2s loss 1/1 all
  at 3s for 1ns crash n1`
	if got := record(t, 9, build).fatal; got != want {
		t.Errorf("the failure says\n%s", got)
	}
}

func TestAPanicShowsItsStack(t *testing.T) {
	got := record(t, 9, func(seed netsim.Seed) Case[int] { return ticking(seed, func() { panic("boom") }) }).fatal
	if !strings.Contains(got, "seed 1: panic: boom (at 1s: n1 wake)") || !strings.Contains(got, "(*tick).Wake") {
		t.Errorf("the failure says\n%s", got)
	}
}

func TestABadConfiguration(t *testing.T) {
	got := record(t, 9, func(netsim.Seed) Case[int] { return Case[int]{} }).fatal
	if !strings.Contains(got, "netsim: seed 1: 0 node names") {
		t.Errorf("the failure says\n%s", got)
	}
}

func TestAMachineThatIsNotDeterministic(t *testing.T) {
	runs := 0
	got := record(t, 9, func(seed netsim.Seed) Case[int] {
		runs++
		c := plain(seed)
		c.Config.End += netsim.Time(runs) // stands for anything that differs
		return c
	}).fatal
	if !strings.Contains(got, "seed 1 gives two different runs") {
		t.Errorf("the failure says\n%s", got)
	}
}

func TestASituationThatIsNeverReached(t *testing.T) {
	promise := func(names ...string) func(netsim.Seed) Case[int] {
		return func(seed netsim.Seed) Case[int] {
			c := plain(seed)
			c.Situations = names
			return c
		}
	}
	if r := record(t, 20, promise("third")); r.fatal != "" {
		t.Errorf("a situation that is reached: %s", r.fatal)
	}
	if got := record(t, 20, promise("third", "zebra", "ant")).fatal; !strings.Contains(got, "20 seeds never reached ant, zebra:") {
		t.Errorf("the failure says\n%s", got)
	}
}
