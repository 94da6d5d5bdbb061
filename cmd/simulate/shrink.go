package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sequitur-kv/sequitur/internal/kvsim"
)

// longestStory is how many sentences a person still reads.
const longestStory = 60

func newShrink(c *common) *cobra.Command {
	var output string
	var workers int
	command := &cobra.Command{
		Use:   "shrink FILE",
		Short: "Make a capsule small",
		Long: `shrink leaves out faults and operations of a capsule, weakens and gathers what is left, as
long as the guarantee or invariant stays violated that the capsule expects to be, writes the
small capsule and tells its story. The same capsule always shrinks to the same one.`,
		Args: capsuleArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			capsule, err := readCapsule(args[0])
			if err != nil {
				return err
			}
			if workers < 1 {
				return fmt.Errorf("--workers %d: at least one has to do the work", workers)
			}
			line := newLine(c)
			begin := time.Now()
			shrunk, err := kvsim.Shrink(capsule, kvsim.ShrinkOptions{Workers: workers, Progress: func(p kvsim.ShrinkProgress) {
				line.show("%s: %s, %s left after %s", p.Step, counted(p.Faults, "fault"), counted(p.Operations, "operation"), counted(p.Runs, "run"))
			}})
			line.clear()
			if err != nil {
				return err
			}
			if output != "" {
				err = writeCapsule(output, &shrunk.Capsule)
			} else {
				output, err = writeNewCapsule(strings.TrimSuffix(args[0], ".capsule")+".min", &shrunk.Capsule)
			}
			if err != nil {
				return err
			}
			return reportShrunk(c, output, &capsule, &shrunk, time.Since(begin))
		},
	}
	command.Flags().StringVarP(&output, "output", "o", "", "write the small capsule to this `FILE`, whatever it holds (default: FILE.min.capsule, or the next free name)")
	command.Flags().IntVar(&workers, "workers", runtime.GOMAXPROCS(0), "runs at the same time (default: one per CPU)")
	return command
}

func reportShrunk(c *common, file string, from *kvsim.Capsule, s *kvsim.Shrunk, elapsed time.Duration) error {
	to := &s.Capsule
	if c.json {
		err := writeJSON(c.stdout, shrunkJSON{
			File: file, Rule: to.Rule, Kind: string(s.Result.Failure.Kind), Faults: len(to.Faults), Operations: len(to.Operations),
			FromFaults: len(from.Faults), FromOperations: len(from.Operations),
			Runs: s.Runs, Seconds: elapsed.Seconds(), Complete: s.Complete,
		})
		if err != nil {
			return fmt.Errorf("the result cannot be written: %w", err)
		}
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, %s (from %d and %d), same violation\n\n", file, counted(len(to.Faults), "fault"),
		counted(len(to.Operations), "operation"), len(from.Faults), len(from.Operations))
	tell(&b, s.Result.Story)
	if !s.Complete {
		b.WriteString("\nMore might be left out: the budget of work ran out. Shrink the result again.\n")
	}
	fmt.Fprintf(&b, "\n  replay      simulate replay %s\n", file)
	fmt.Fprintf(&b, "  took        %.1f s, %s\n", elapsed.Seconds(), counted(s.Runs, "run"))
	if _, err := io.WriteString(c.stdout, b.String()); err != nil {
		return fmt.Errorf("the result cannot be written: %w", err)
	}
	return nil
}

// tell writes a story as a numbered list.
func tell(b *strings.Builder, story []kvsim.Sentence) {
	for i, s := range story {
		fmt.Fprintf(b, "%3d.  %7.3f s  %s", i+1, s.At.Duration().Seconds(), s.Text)
		if s.Mark != "" {
			b.WriteString("   " + bad("← "+s.Mark))
		}
		b.WriteByte('\n')
	}
}

type shrunkJSON struct {
	File           string  `json:"file"`
	Rule           string  `json:"rule"`
	Kind           string  `json:"kind"`
	Faults         int     `json:"faults"`
	Operations     int     `json:"operations"`
	FromFaults     int     `json:"from_faults"`
	FromOperations int     `json:"from_operations"`
	Runs           int     `json:"runs"`
	Seconds        float64 `json:"seconds"`
	Complete       bool    `json:"complete"`
}
