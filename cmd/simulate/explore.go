package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sequitur-kv/sequitur/internal/kvsim"
	"github.com/sequitur-kv/sequitur/netsim/explore"
)

func newExplore(c *common) *cobra.Command {
	var reshard, from, path, trace string
	var depth, departures, workers int
	var budget uint64
	var stop, faults bool
	command := &cobra.Command{
		Use:   "explore",
		Short: "Try every order of a few messages, and one crash, in a small reshard",
		Long: `explore tries every order instead of drawing some: four nodes merge two shards, so that
every slot has two old owners and two new ones, or split one, so that two of four owners leave,
while one session writes and reads a key at one node after the other. From a situation on,
each choice of what happens next (the next message of a link, a timer, the end of a sync) is
made in every way that the bounds allow, and a node crashes or loses its memory at every place.
Every path goes on until all has healed, and is judged like a seed.

--depth is the number of choices; --departures how many of them may take something else than
what is due first, which makes late what they pass over. As many departures as choices are every
order, which a depth of 4 brings to some 25,000 paths. Alone: a fault at every place of the whole
reshard, and nothing else. Exit code 3: the budget ended before the paths did.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if depth < 0 || departures < 0 || workers < 1 {
				return errors.New("--depth and --departures are 0 or more, --workers 1 or more")
			}
			x, err := kvsim.Reshard(reshard, from, depth, departures)
			if err != nil {
				return err
			}
			if trace != "" && path == "" {
				return errors.New("--trace writes the events of one path; name it with --path, - for the order of time")
			}
			if !faults {
				x.Bounds.Faults = nil
			}
			if path != "" {
				return explorePath(c, &x, path, trace)
			}
			line := newLine(c)
			begin := time.Now()
			explored := x.Run(cmd.Context(), kvsim.ExploreOptions{
				Workers: workers, Budget: budget, FirstFailure: stop,
				Progress: func(now *kvsim.Explored) {
					line.show("%s paths, %s left, %s states, %s paths/s", grouped(now.Walked), grouped(now.Left), grouped(now.States),
						grouped(uint64(float64(now.Walked)/time.Since(begin).Seconds())))
				},
			})
			line.clear()
			return reportExplored(c, &x, &explored, time.Since(begin))
		},
	}
	flags := command.Flags()
	flags.StringVar(&reshard, "reshard", kvsim.Reshards()[0], "what happens: "+strings.Join(kvsim.Reshards(), ", "))
	flags.StringVar(&from, "from", kvsim.ProbeReshardStarted, "the `SITUATION` from which on every order is tried: "+strings.Join(kvsim.ExploredFrom(), ", "))
	flags.IntVar(&depth, "depth", 300, "choices per path")
	flags.IntVar(&departures, "departures", 0, "choices of a path that may differ from the order of time")
	flags.Uint64Var(&budget, "budget", 0, "the most paths to run (default: all within the bounds)")
	flags.BoolVar(&faults, "faults", true, "at each place of a path, let a node crash, or lose its memory; once per path")
	flags.BoolVar(&stop, "first-failure", false, "end where a path fails")
	flags.IntVar(&workers, "workers", runtime.GOMAXPROCS(0), "paths to run at the same time (default: one per CPU)")
	flags.StringVar(&path, "path", "", "run this one `PATH` of the same --from, as a failure names it; - is the order of time")
	flags.StringVar(&trace, "trace", "", "with --path: write every event to this `FILE`, a line each")
	return command
}

// explorePath runs one path and prints it as run prints a seed.
func explorePath(c *common, x *kvsim.Exploration, text, trace string) error {
	path, err := explore.ParsePath(text)
	if err != nil {
		return err
	}
	var result kvsim.Result
	err = tracing(trace, func(trace func(line string)) error {
		result, err = x.RunPath(path, kvsim.Options{Trace: trace})
		return err
	})
	if err != nil {
		return err
	}
	if c.json {
		return finish(result.Verdict, writeJSON(c.stdout, newRunJSON(&result)))
	}
	var b strings.Builder
	if result.Failure != nil {
		fmt.Fprintf(&b, "path %s: %s\n%s\n", path, bad(result.Failure.Headline()), result.Failure.Explanation)
	} else {
		fmt.Fprintf(&b, "path %s: %s\n", path, good("no violation"))
	}
	describeRun(&b, &result)
	_, err = io.WriteString(c.stdout, b.String())
	return finish(result.Verdict, err)
}

// reportExplored prints what an exploration came to; the error carries the exit code.
func reportExplored(c *common, x *kvsim.Exploration, e *kvsim.Explored, elapsed time.Duration) error {
	if c.json {
		return finish(e.Verdict(), writeJSON(c.stdout, newExploredJSON(x, e)))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", x)
	for i := range e.Failures {
		f := &e.Failures[i]
		fmt.Fprintf(&b, "%s\n  again: %s\n", bad(f.Result.Failure.Headline()), pathAgain(x, f.Path))
		if i+1 == shown {
			break
		}
	}
	switch e.Verdict() {
	case kvsim.Holds:
		fmt.Fprintf(&b, "%s: %s\n", counted(int(e.Judged), "order"), good("no violation"))
	case kvsim.Violated:
		fmt.Fprintf(&b, "%s\n", bad(fmt.Sprintf("%s of %s violated", grouped(e.Failed), counted(int(e.Judged), "order"))))
	case kvsim.Undecided:
		fmt.Fprintf(&b, "%s: no violation so far, %s left\n", counted(int(e.Judged), "order"), grouped(e.Left))
	}
	seconds := max(elapsed.Seconds(), 1e-9)
	fmt.Fprintf(&b, "  states       %s distinct, in %s paths; %s of them met a state that was known\n", grouped(e.States), grouped(e.Walked), grouped(e.Joined))
	fmt.Fprintf(&b, "  speed        %s paths/s, %s states/s, %s events/s\n",
		grouped(uint64(float64(e.Walked)/seconds)), magnitude(float64(e.States)/seconds), magnitude(float64(e.Events)/seconds))
	b.WriteString("  reached      in so many of the orders:\n")
	for _, p := range e.Probes {
		fmt.Fprintf(&b, "    %8s   %s\n", grouped(p.Seeds), p.Name)
	}
	_, err := io.WriteString(c.stdout, b.String())
	return finish(e.Verdict(), err)
}

// pathAgain is the command that runs a path again.
func pathAgain(x *kvsim.Exploration, path explore.Path) string {
	calm := ""
	if len(x.Bounds.Faults) == 0 {
		calm = " --faults=false"
	}
	return fmt.Sprintf("simulate explore --reshard %s --from %s --depth %d%s --path %s", x.Scenario.Name, x.From, x.Bounds.Depth, calm, path)
}

type exploredJSON struct {
	Reshard    string                `json:"reshard"`
	From       string                `json:"from"`
	Depth      int                   `json:"depth"`
	Departures int                   `json:"departures"`
	Faults     bool                  `json:"faults"` // a crash or a loss of memory at each place
	Verdict    string                `json:"verdict"`
	Paths      uint64                `json:"paths"`  // that were walked
	Orders     uint64                `json:"orders"` // of them, those that were run to the end and judged
	States     uint64                `json:"states"` // distinct
	Left       uint64                `json:"left"`   // paths that the budget did not allow
	Failed     uint64                `json:"failed"`
	Reached    map[string]uint64     `json:"reached"` // situations, by orders
	Failures   []exploredFailureJSON `json:"failures"`
}

type exploredFailureJSON struct {
	Path        string `json:"path"`
	Kind        string `json:"kind"`
	Name        string `json:"name"`
	Explanation string `json:"explanation"`
	Reproduce   string `json:"reproduce"`
}

func newExploredJSON(x *kvsim.Exploration, e *kvsim.Explored) exploredJSON {
	j := exploredJSON{
		Reshard: x.Scenario.Name, From: x.From, Depth: x.Bounds.Depth, Departures: x.Bounds.Departures, Faults: len(x.Bounds.Faults) > 0, Verdict: e.Verdict().String(),
		Paths: e.Walked, Orders: e.Judged, States: e.States, Left: e.Left, Failed: e.Failed,
		Reached: make(map[string]uint64), Failures: make([]exploredFailureJSON, 0, len(e.Failures)),
	}
	for _, p := range e.Probes {
		j.Reached[p.Name] = p.Seeds
	}
	for i := range e.Failures {
		f := e.Failures[i].Result.Failure
		j.Failures = append(j.Failures, exploredFailureJSON{
			Path: e.Failures[i].Path.String(), Kind: string(f.Kind), Name: f.Name, Explanation: f.Explanation,
			Reproduce: pathAgain(x, e.Failures[i].Path),
		})
	}
	return j
}
