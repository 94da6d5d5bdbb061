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
	mostMissed     = 15   // at most one of so many is not found, in each layer
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
	dir, err := os.MkdirTemp("", "scorecard")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	sound, err := planted.Build(ctx, ".", "", dir)
	if err != nil {
		return false, err
	}
	var scores []score
	for _, bug := range bugs {
		s, err := measure(ctx, bug, sound, write)
		if err != nil {
			return false, fmt.Errorf("%s: %w", bug.Name, err)
		}
		fmt.Fprintf(os.Stderr, "%-30s %s\n", bug.Name, s.by)
		scores = append(scores, s)
	}
	return report(out, scores), nil
}

// measure plants a bug and looks for it.
func measure(ctx context.Context, bug planted.Bug, sound string, write bool) (score, error) {
	s := score{bug: bug}
	dir, err := os.MkdirTemp("", "scorecard")
	if err != nil {
		return s, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if what, aimed := bug.Aimed(); aimed {
		s.by = what
		s.found, err = bug.AimedFails(ctx, ".", dir)
		return s, err
	}
	binary, err := planted.Build(ctx, ".", bug.File, dir)
	if err != nil {
		return s, err
	}
	begin := time.Now()
	capsule, err := s.search(ctx, binary, sound, dir)
	if err != nil {
		return s, err
	}
	s.seconds = time.Since(begin).Seconds()
	if !s.found {
		s.by = "not found"
		return s, nil
	}
	var shrunk struct {
		Faults, Operations int
		Seconds            float64
	}
	small := filepath.Join(dir, "small.capsule")
	if err := simulate(ctx, binary, &shrunk, "shrink", capsule, "-o", small); err != nil {
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

// search finds the first seed that fails with the bug and holds without it, and returns its capsule.
func (s *score) search(ctx context.Context, binary, sound, dir string) (capsule string, err error) {
	for first := uint64(1); first <= mostSeeds; {
		var sweep struct {
			Failures []struct {
				Seed          uint64
				Name, Capsule string
			}
		}
		err := simulate(ctx, binary, &sweep, "sweep", "--scenario", s.bug.Scenario, "--first-failure", "--capsules", dir,
			"--seeds", fmt.Sprintf("%d..%d", first, mostSeeds))
		if err != nil || len(sweep.Failures) == 0 {
			return "", err
		}
		failure := sweep.Failures[0]
		var without []struct{ Verdict string }
		if err := simulate(ctx, sound, &without, "replay", "--verdict-only", failure.Capsule); err != nil {
			return "", err
		}
		if without[0].Verdict == "holds" {
			s.found, s.seeds, s.by = true, failure.Seed, failure.Name
			return failure.Capsule, nil
		}
		first = failure.Seed + 1
	}
	return "", nil
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

// report prints a table for each layer and tells whether the bars are met.
func report(out io.Writer, scores []score) bool {
	var data, configuration []score
	for _, s := range scores {
		if s.bug.Configuration {
			configuration = append(configuration, s)
		} else {
			data = append(data, s)
		}
	}
	ok := true
	if len(data) > 0 {
		table(out, "the data plane", data)
		ok = judgeData(out, data)
	}
	if len(configuration) > 0 {
		table(out, "the configuration", configuration)
		ok = judgeConfiguration(out, configuration) && ok
	}
	return ok
}

func table(out io.Writer, layer string, scores []score) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight|tabwriter.DiscardEmptyColumns)
	fmt.Fprintf(w, "seeds\tseconds\tfaults\toperations\tshrinking\t  bug of %s, and what found it\n", layer)
	for _, s := range scores {
		what := fmt.Sprintf("  %s: %s", s.bug.Name, s.by)
		_, aimed := s.bug.Aimed()
		switch {
		case aimed:
			if !s.found {
				what += ", which DOES NOT find it"
			}
			fmt.Fprintf(w, "\u2013\t\u2013\t\u2013\t\u2013\t\u2013\t%s\n", what)
			continue
		case s.bug.Scenario != "standard":
			what += " (scenario " + s.bug.Scenario + ")"
		}
		if s.found {
			fmt.Fprintf(w, "%d\t%.1f\t%d\t%d\t%.1f s\t%s\n", s.seeds, s.seconds, s.faults, s.operations, s.shrinking, what)
		} else {
			fmt.Fprintf(w, ">%d\t%.1f\t\u2013\t\u2013\t\u2013\t%s\n", mostSeeds, s.seconds, what)
		}
	}
	_ = w.Flush()
}

// sums is what the bars are about.
type sums struct {
	searched, found             int       // by simulated runs
	aimed, silent               int       // by scripts and tests, and those of them that do not notice
	seeds, elements, shrinkings []float64 // of what was searched; of what was found
}

func add(scores []score) (total sums) {
	for _, s := range scores {
		if _, aimed := s.bug.Aimed(); aimed {
			total.aimed++
			if !s.found {
				total.silent++
			}
			continue
		}
		total.searched++
		if !s.found {
			total.seeds = append(total.seeds, mostSeeds+1)
			continue
		}
		total.found++
		total.seeds = append(total.seeds, float64(s.seeds))
		total.elements = append(total.elements, float64(s.faults+s.operations))
		total.shrinkings = append(total.shrinkings, s.shrinking)
	}
	return total
}

// judgeData wants bugs of the data plane found by simulated runs, soon and small. What only a script
// finds is no merit of theirs, and no fault.
func judgeData(out io.Writer, scores []score) bool {
	t := add(scores)
	ok := (t.searched-t.found)*mostMissed <= t.searched && median(t.seeds) <= medianSeeds && median(t.elements) <= medianElements &&
		median(t.shrinkings) <= medianSeconds && t.silent == 0
	fmt.Fprintf(out, "\n%d of %d found within %d seeds, median %.0f (bar %d); shrunk to %.0f faults and operations (bar %d) in %.1f s (bar %.0f), medians: %s\n\n",
		t.found, t.searched, mostSeeds, median(t.seeds), medianSeeds, median(t.elements), medianElements, median(t.shrinkings), medianSeconds, verdict(ok))
	return ok
}

// judgeConfiguration wants bugs of the configuration found, by whatever the file of the bug names: many
// need a chain of events that only a script arranges.
func judgeConfiguration(out io.Writer, scores []score) bool {
	t := add(scores)
	missed := t.searched - t.found + t.silent
	ok := missed*mostMissed <= len(scores)
	fmt.Fprintf(out, "\n%d of %d found: %d by scripts and tests, %d within %d seeds, median %.0f; shrunk to %.0f faults and operations in %.1f s, medians: %s\n\n",
		len(scores)-missed, len(scores), t.aimed-t.silent, t.found, mostSeeds, median(t.seeds), median(t.elements), median(t.shrinkings), verdict(ok))
	return ok
}

func verdict(ok bool) string {
	if ok {
		return "all bars are met"
	}
	return "A BAR IS MISSED"
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
