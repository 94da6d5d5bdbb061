package main

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sequitur-kv/sequitur/internal/kvsim"
)

func newReplay(c *common) *cobra.Command {
	var verdictOnly bool
	var trace string
	command := &cobra.Command{
		Use:   "replay FILE…",
		Short: "Run capsules and compare",
		Long: `replay runs capsules and says whether verdict and digest are what they expect.

Exit codes: 0 everything is as expected, also a violation; 1 something is not; 2 a file is
no capsule: the error names the line.`,
		Args: capsuleArgs(math.MaxInt),
		RunE: func(_ *cobra.Command, files []string) error {
			if trace != "" && len(files) > 1 {
				return fmt.Errorf("--trace is for one capsule, and there are %d: replay them one by one", len(files))
			}
			capsules := make([]kvsim.Capsule, len(files))
			for i, file := range files { // all are read before the first is run
				var err error
				if capsules[i], err = readCapsule(file); err != nil {
					return err
				}
			}
			replays := make([]replayJSON, len(files))
			for i, file := range files {
				var result kvsim.Result
				err := tracing(trace, func(trace func(line string)) (err error) {
					result, err = capsules[i].Run(trace)
					return err
				})
				if err != nil {
					return err
				}
				replays[i] = newReplayJSON(file, &capsules[i], &result, verdictOnly)
				if !c.json {
					describeReplay(c, &replays[i], &result)
				}
			}
			return finishReplay(c, replays)
		},
	}
	command.Flags().BoolVar(&verdictOnly, "verdict-only", false, "ignore digests: the code has changed since")
	command.Flags().StringVar(&trace, "trace", "", "write every event of the one capsule to this `FILE`, a line each")
	return command
}

func describeReplay(c *common, j *replayJSON, r *kvsim.Result) {
	var b strings.Builder
	line := fmt.Sprintf("%s: %s", j.File, r.Verdict)
	if r.Failure != nil {
		line = fmt.Sprintf("%s: %s", j.File, r.Failure.Headline())
	}
	b.WriteString(line + "\n")
	if r.Failure != nil && len(r.Story) <= longestStory {
		tell(&b, r.Story)
	}
	describeRuin(&b, r)
	if j.Differs == "" {
		fmt.Fprintf(&b, "  %s, digest %s\n", good("as expected"), j.Digest)
	} else {
		fmt.Fprintf(&b, "  %s %s\n", bad("not as expected:"), j.Differs)
	}
	_, _ = io.WriteString(c.stdout, b.String())
}

// finishReplay ends with the exit code that the differences ask for.
func finishReplay(c *common, replays []replayJSON) error {
	different := 0
	for i := range replays {
		if replays[i].Differs != "" {
			different++
		}
	}
	if c.json {
		if err := writeJSON(c.stdout, replays); err != nil {
			return fmt.Errorf("the result cannot be written: %w", err)
		}
	} else if len(replays) > 1 {
		_, _ = fmt.Fprintf(c.stdout, "\n%d capsules: %d as expected, %d not\n", len(replays), len(replays)-different, different)
	}
	if different > 0 {
		return exit{exitViolated}
	}
	return nil
}

type replayJSON struct {
	File    string `json:"file"`
	Verdict string `json:"verdict"`
	Rule    string `json:"rule,omitempty"`    // that is broken
	Ruin    string `json:"ruin,omitempty"`    // what the faults did beyond what the store promises to survive
	Digest  string `json:"digest"`            //
	Differs string `json:"differs,omitempty"` // from what the capsule expects, and how
}

func newReplayJSON(file string, capsule *kvsim.Capsule, r *kvsim.Result, verdictOnly bool) replayJSON {
	return replayJSON{
		File: file, Verdict: r.Verdict.String(), Rule: r.Failure.Rule(), Ruin: r.Ruin, Digest: fmt.Sprintf("%016x", r.Digest),
		Differs: capsule.Differs(r, verdictOnly),
	}
}
