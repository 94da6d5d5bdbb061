// Command scorecard plants one bug after the other and measures how soon the simulator finds it and how
// small it makes the failure. It runs at the root of the module; "make scorecard" is the short form.
//
// Exit codes: 0 all bars are met; 1 one is missed; 2 bad usage, or the tree cannot be built.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sequitur-kv/sequitur/cmd/simulate/planted"
)

// The bars.
const (
	mostSeeds      = 2000 // a bug that takes longer is not found
	mostMissed     = 15   // at most one of so many is not found
	medianSeeds    = 50
	medianElements = 15 // faults and operations after shrinking
	medianSeconds  = 10.0
)

// score is what became of one bug.
type score struct {
	bug        planted.Bug
	found      bool
	by         string // rule, or script
	seeds      uint64
	seconds    float64
	faults     int
	operations int
	shrinking  float64
}

func main() {
	write := flag.Bool("write", false, "store the shrunk capsules beside the bugs")
	folder := flag.String("bugs", "cmd/simulate/planted/testdata", "the folder of the bugs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ok, err := run(ctx, os.Stdout, *folder, flag.Args(), *write)
	switch {
	case err != nil:
		fmt.Fprintf(os.Stderr, "scorecard: %v\n", err)
		os.Exit(2)
	case !ok:
		os.Exit(1)
	}
}

// run measures the named bugs, or all.
func run(ctx context.Context, out io.Writer, folder string, names []string, write bool) (bool, error) {
	bugs, _, err := planted.List(folder)
	if err != nil {
		return false, err
	}
	if len(names) > 0 {
		bugs = slices.DeleteFunc(bugs, func(b planted.Bug) bool { return !slices.Contains(names, b.Name) })
	}
	if len(bugs) == 0 {
		return false, fmt.Errorf("no bug in %s is called %s", folder, strings.Join(names, " or "))
	}
	var scores []score
	for _, bug := range bugs {
		s, err := measure(ctx, bug, write)
		if err != nil {
			return false, fmt.Errorf("%s: %w", bug.Name, err)
		}
		fmt.Fprintf(os.Stderr, "%-30s %s\n", bug.Name, s.by)
		scores = append(scores, s)
	}
	return report(out, scores), nil
}

// measure plants a bug and looks for it.
func measure(ctx context.Context, bug planted.Bug, write bool) (score, error) {
	s := score{bug: bug}
	dir, err := os.MkdirTemp("", "scorecard")
	if err != nil {
		return s, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if bug.Script != "" {
		s.by = "script " + filepath.Base(bug.Script)
		s.found, err = bug.ScriptFails(ctx, ".", dir)
		return s, err
	}
	binary, err := planted.Build(ctx, ".", bug.File, dir)
	if err != nil {
		return s, err
	}
	var sweep struct {
		Failures []struct {
			Seed          uint64
			Name, Capsule string
		}
	}
	begin := time.Now()
	err = simulate(ctx, binary, &sweep, "sweep", "--scenario", bug.Scenario, "--first-failure", "--capsules", dir,
		"--seeds", fmt.Sprintf("1..%d", mostSeeds))
	if err != nil {
		return s, err
	}
	s.seconds = time.Since(begin).Seconds()
	if len(sweep.Failures) == 0 {
		s.by = "not found"
		return s, nil
	}
	first := sweep.Failures[0]
	s.found, s.seeds, s.by = true, first.Seed, first.Name
	var shrunk struct {
		Faults, Operations int
		Seconds            float64
	}
	small := filepath.Join(dir, "small.capsule")
	if err := simulate(ctx, binary, &shrunk, "shrink", first.Capsule, "-o", small); err != nil {
		return s, err
	}
	s.faults, s.operations, s.shrinking = shrunk.Faults, shrunk.Operations, shrunk.Seconds
	if !write {
		return s, nil
	}
	text, err := os.ReadFile(small)
	if err != nil {
		return s, err
	}
	return s, os.WriteFile(bug.Capsule(), text, 0o644)
}

// simulate runs a simulator and reads its JSON; what it finds is no error.
func simulate(ctx context.Context, binary string, into any, args ...string) error {
	command := exec.CommandContext(ctx, binary, append(args, "--json")...)
	output, err := command.Output()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		return err
	}
	if err := json.Unmarshal(output, into); err != nil {
		text := ""
		if failed != nil {
			text = string(failed.Stderr)
		}
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, text)
	}
	return nil
}

// report prints the table and tells whether the bars are met.
func report(out io.Writer, scores []score) bool {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight|tabwriter.DiscardEmptyColumns)
	fmt.Fprintf(w, "seeds\tseconds\tfaults\toperations\tshrinking\t  bug and what found it\n")
	var seeds, elements, shrinking []float64
	searched, missed := 0, 0
	for _, s := range scores {
		what := fmt.Sprintf("  %s: %s", s.bug.Name, s.by)
		if s.bug.Scenario != "standard" {
			what += " (scenario " + s.bug.Scenario + ")"
		}
		switch {
		case s.bug.Script != "":
			if !s.found {
				what += ", which DOES NOT find it"
			}
			fmt.Fprintf(w, "\u2013\t\u2013\t\u2013\t\u2013\t\u2013\t%s\n", what)
			continue
		case !s.found:
			missed++
			fmt.Fprintf(w, ">%d\t%.1f\t\u2013\t\u2013\t\u2013\t%s\n", mostSeeds, s.seconds, what)
		default:
			fmt.Fprintf(w, "%d\t%.1f\t%d\t%d\t%.1f s\t%s\n", s.seeds, s.seconds, s.faults, s.operations, s.shrinking, what)
			elements = append(elements, float64(s.faults+s.operations))
			shrinking = append(shrinking, s.shrinking)
		}
		searched++
		if s.found {
			seeds = append(seeds, float64(s.seeds))
		} else {
			seeds = append(seeds, mostSeeds+1)
		}
	}
	_ = w.Flush()
	scriptless := !slices.ContainsFunc(scores, func(s score) bool { return s.bug.Script != "" && !s.found })
	ok := missed*mostMissed <= searched && median(seeds) <= medianSeeds && median(elements) <= medianElements &&
		median(shrinking) <= medianSeconds && scriptless
	verdict := "all bars are met"
	if !ok {
		verdict = "A BAR IS MISSED"
	}
	fmt.Fprintf(out, "\n%d of %d found within %d seeds, median %.0f (bar %d); shrunk to %.0f faults and operations (bar %d) in %.1f s (bar %.0f), medians: %s\n",
		searched-missed, searched, mostSeeds, median(seeds), medianSeeds, median(elements), medianElements, median(shrinking), medianSeconds, verdict)
	return ok
}

// median is the middle, of an even number the greater of the two.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}
