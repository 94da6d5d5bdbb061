package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/fatih/color"

	"github.com/sequitur-kv/sequitur/internal/kvsim"
	"github.com/sequitur-kv/sequitur/netsim"
)

// shown is how many failures a sweep explains; the others are named.
const shown = 3

// announce says what is about to be run, seeds first: whatever happens, it can be run again.
func announce(c *common, scenario *kvsim.Scenario, first, last uint64) {
	out := c.stdout
	if c.json {
		out = c.stderr // standard output carries the result alone
	}
	_, _ = fmt.Fprintf(out, "seeds %d..%d\n%s\n", first, last, scenario)
}

// reportRun prints the result of one seed; the error carries the exit code.
func reportRun(c *common, scenario *kvsim.Scenario, r *kvsim.Result) error {
	if err := c.record(scenario, []kvsim.Result{*r}); err != nil {
		return err
	}
	if c.json {
		return finish(r.Verdict, writeJSON(c.stdout, newRunJSON(r)))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", scenario)
	if r.Failure != nil {
		b.WriteByte('\n')
		describeFailure(&b, c, r)
		b.WriteByte('\n')
	} else {
		fmt.Fprintf(&b, "seed %d: %s\n", r.Seed, good("no violation"))
	}
	describeRuin(&b, r)
	describeRun(&b, r)
	_, err := io.WriteString(c.stdout, b.String())
	return finish(r.Verdict, err)
}

// describeRun prints the figures of a run.
func describeRun(b *strings.Builder, r *kvsim.Result) {
	describeStats(b, &r.Stats)
	names := make([]string, len(r.Probes))
	for i, p := range r.Probes {
		names[i] = fmt.Sprintf("%s %s", p.Name, grouped(p.Count))
	}
	fmt.Fprintf(b, "  situations   %s\n", orNone(strings.Join(names, " · ")))
	fmt.Fprintf(b, "  events       %s in %v of virtual time\n", grouped(r.Events), r.Virtual.Duration().Round(time.Millisecond))
	fmt.Fprintf(b, "  digest       %016x\n", r.Digest)
}

// reportSweep prints what a sweep came to; the error carries the exit code.
func reportSweep(c *common, scenario *kvsim.Scenario, s *kvsim.Sweep, elapsed time.Duration) error {
	if err := c.record(scenario, s.Failures); err != nil {
		return err
	}
	if c.json {
		return finish(s.Verdict(), writeJSON(c.stdout, newSweepJSON(c, s, elapsed)))
	}
	var b strings.Builder
	seconds := max(elapsed.Seconds(), 1e-9)
	fmt.Fprintf(&b, "%s seeds/s   %s events/s   %s × real time   %s events per seed\n\n",
		grouped(uint64(float64(s.Seeds)/seconds)), magnitude(float64(s.Events)/seconds),
		grouped(uint64(s.Virtual.Duration().Seconds()/seconds)), grouped(s.Events/max(1, s.Seeds)))
	for i := range s.Failures {
		if i == shown {
			seeds := make([]string, 0, len(s.Failures)-shown)
			for _, f := range s.Failures[shown:min(len(s.Failures), shown+20)] {
				seeds = append(seeds, fmt.Sprint(f.Seed))
			}
			fmt.Fprintf(&b, "and %d more, seed %s\n\n", len(s.Failures)-shown, strings.Join(seeds, ", "))
			break
		}
		describeFailure(&b, c, &s.Failures[i])
		b.WriteByte('\n')
	}
	b.WriteString(headline(s))
	describeStats(&b, &s.Stats)
	describeProbes(&b, scenario, s)
	_, err := io.WriteString(c.stdout, b.String())
	return finish(s.Verdict(), err)
}

// headline is the verdict on a sweep.
func headline(s *kvsim.Sweep) string {
	text := counted(s.Seeds, "seed") + ": "
	if s.Stopped {
		text = fmt.Sprintf("stopped after %s of %s: ", grouped(s.Seeds), counted(s.Last-s.First+1, "seed"))
	}
	if s.Interrupted {
		text = fmt.Sprintf("interrupted after %s of %s: ", grouped(s.Seeds), counted(s.Last-s.First+1, "seed"))
	}
	switch {
	case s.Failed > 0:
		return text + bad(fmt.Sprintf("%s violated", grouped(s.Failed))) + fmt.Sprintf(", %s held\n", grouped(s.Passed))
	case s.Undecided > 0:
		return text + bad(fmt.Sprintf("%s undecided", grouped(s.Undecided))) + fmt.Sprintf(", %s held\n", grouped(s.Passed))
	case s.Interrupted:
		return text + "no violation so far, undecided\n"
	case s.Verdict() == kvsim.Undecided:
		return text + bad("undecided: ") + "no violation, but situations that the scenario promises were never reached\n"
	}
	return text + good("no violation") + "\n"
}

// describeRuin says what a run could not be asked for.
func describeRuin(b *strings.Builder, r *kvsim.Result) {
	if r.Ruin != "" {
		fmt.Fprintf(b, "  beyond       %s\n", r.Ruin)
	}
}

func describeFailure(b *strings.Builder, c *common, r *kvsim.Result) {
	f := r.Failure
	first, rest, _ := strings.Cut(f.Explanation, "\n")
	if !f.Sentence() {
		first = f.Name + ": " + first
	}
	fmt.Fprintf(b, "seed %d: %s\n", r.Seed, bad(first))
	if f.At != 0 {
		line := fmt.Sprintf("  at %.3f s   %s", f.At.Duration().Seconds(), f.Event)
		b.WriteString("\n" + strings.TrimRight(line, " ") + "\n")
	}
	if rest = strings.Trim(rest, "\n"); rest != "" {
		fmt.Fprintf(b, "\n%s\n", rest)
	}
	fmt.Fprintf(b, "\n  reproduce   %s\n", reproduce(c, r.Seed))
	if file := c.written[r.Seed]; file != "" {
		fmt.Fprintf(b, "  replay      simulate replay %s\n", file)
		fmt.Fprintf(b, "  shrink      simulate shrink %-30s (%s, %s now)\n", file, counted(len(r.Faults), "fault"), counted(r.Operations, "operation"))
	}
}

// reproduce is the command that runs a seed again.
func reproduce(c *common, seed uint64) string {
	text := fmt.Sprintf("simulate run --seed %d", seed)
	if c.scenario != "standard" {
		text += " --scenario " + c.scenario
	}
	if c.linear {
		text += " --linearizability"
	}
	return text
}

func describeStats(b *strings.Builder, s *kvsim.Stats) {
	share := func(n uint64) string { return percent(n, s.Operations) }
	fmt.Fprintf(b, "  operations   %s   at once %s   waited %s   proxied %s   refused %s   unknown %s   unanswered %s   (forwarded %s)\n",
		grouped(s.Operations), share(s.AtOnce), share(s.Waited), share(s.Proxied), share(s.Refused),
		share(s.Unknown), share(s.Unanswered), share(s.Forwarded))
	if s.Admin > 0 {
		share := func(n uint64) string { return percent(n, s.Admin) }
		fmt.Fprintf(b, "  requests     %s of those who run the store   done %s   declined %s   refused %s   unknown or unfinished %s   (%s withheld)\n",
			grouped(s.Admin), share(s.AdminDone), share(s.AdminDeclined), share(s.AdminRefused), share(s.AdminUnknown), grouped(s.AdminWithheld))
	}
	if s.Lost > 0 {
		fmt.Fprintf(b, "  writes       %s   %s lost with every copy: of those nothing is asked any more\n", grouped(s.Writes), grouped(s.Lost))
	}
	fmt.Fprintf(b, "  faults       %s   %s of the operations overlapped one   (%s touched nothing)\n",
		grouped(s.Faults), share(s.Overlapping), grouped(s.Idle))
}

func describeProbes(b *strings.Builder, scenario *kvsim.Scenario, s *kvsim.Sweep) {
	promised := len(scenario.Promises)
	fmt.Fprintf(b, "  situations   %d of %d promised reached", promised-len(s.Unreached), promised)
	if len(s.Unreached) > 0 {
		fmt.Fprintf(b, "; never: %s\n", strings.Join(s.Unreached, ", "))
		return
	}
	var rarest kvsim.ProbeReach
	for _, name := range scenario.Promises {
		if p := s.Reached(name); rarest.Name == "" || p.Seeds < rarest.Seeds {
			rarest = p
		}
	}
	if rarest.Name != "" {
		fmt.Fprintf(b, "; rarest: %s (%s)", rarest.Name, counted(rarest.Seeds, "seed"))
	}
	b.WriteByte('\n')
}

// finish turns a verdict into the exit code. A result that could not be written is bad output, not
// a verdict.
func finish(v kvsim.Verdict, err error) error {
	if err != nil {
		return fmt.Errorf("the result cannot be written: %w", err)
	}
	switch v {
	case kvsim.Holds:
		return nil
	case kvsim.Violated:
		return exit{exitViolated}
	case kvsim.Undecided:
	}
	return exit{exitUndecided}
}

type failureJSON struct {
	Seed        uint64 `json:"seed"`
	Verdict     string `json:"verdict"`
	Kind        string `json:"kind"`
	Name        string `json:"name"`
	Explanation string `json:"explanation"`
	Reproduce   string `json:"reproduce"`
	Capsule     string `json:"capsule,omitempty"` // file
}

func newFailureJSON(c *common, r *kvsim.Result) failureJSON {
	return failureJSON{
		Seed: r.Seed, Verdict: r.Verdict.String(), Kind: string(r.Failure.Kind), Name: r.Failure.Name,
		Explanation: r.Failure.Explanation, Reproduce: reproduce(c, r.Seed), Capsule: c.written[r.Seed],
	}
}

type runJSON struct {
	Seed           uint64  `json:"seed"`
	Scenario       string  `json:"scenario"`
	Verdict        string  `json:"verdict"`
	Digest         string  `json:"digest"`
	Events         uint64  `json:"events"`
	Operations     int     `json:"operations"`
	VirtualSeconds float64 `json:"virtual_seconds"`
	Failure        string  `json:"failure,omitempty"`
	Ruin           string  `json:"ruin,omitempty"` // what the faults did beyond what the store promises to survive
}

func newRunJSON(r *kvsim.Result) runJSON {
	j := runJSON{
		Seed: r.Seed, Scenario: r.Scenario, Verdict: r.Verdict.String(), Digest: fmt.Sprintf("%016x", r.Digest),
		Events: r.Events, Operations: r.Operations, VirtualSeconds: float64(r.Virtual) / float64(netsim.Second), Ruin: r.Ruin,
	}
	if r.Failure != nil {
		j.Failure = r.Failure.Name + ": " + r.Failure.Explanation
	}
	return j
}

type sweepJSON struct {
	Seeds           uint64            `json:"seeds"` // that were run
	Passed          uint64            `json:"passed"`
	Failed          uint64            `json:"failed"` // violated
	SeedsPerSecond  float64           `json:"seeds_per_second"`
	EventsPerSecond float64           `json:"events_per_second"`
	Probes          map[string]uint64 `json:"probes"`   // occurrences; promised ones even if zero
	Failures        []failureJSON     `json:"failures"` // violated and undecided seeds
}

func newSweepJSON(c *common, s *kvsim.Sweep, elapsed time.Duration) sweepJSON {
	seconds := max(elapsed.Seconds(), 1e-9)
	j := sweepJSON{
		Seeds: s.Seeds, Passed: s.Passed, Failed: s.Failed,
		SeedsPerSecond: float64(s.Seeds) / seconds, EventsPerSecond: float64(s.Events) / seconds,
		Probes: make(map[string]uint64), Failures: make([]failureJSON, 0, len(s.Failures)),
	}
	for _, name := range s.Unreached {
		j.Probes[name] = 0
	}
	for _, p := range s.Probes {
		j.Probes[p.Name] = p.Count
	}
	for i := range s.Failures {
		j.Failures = append(j.Failures, newFailureJSON(c, &s.Failures[i]))
	}
	return j
}

func writeJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

func good(text string) string { return color.New(color.FgGreen).Sprint(text) }

func bad(text string) string { return color.New(color.FgRed, color.Bold).Sprint(text) }

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}
