package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sequitur-kv/sequitur/internal/kvsim"
)

func newSweep(c *common) *cobra.Command {
	var seeds string
	var workers int
	var stop bool
	command := &cobra.Command{
		Use:   "sweep [--seeds A..B]",
		Short: "Run many seeds",
		Long: `sweep runs a range of seeds, both ends included, or 1,000 fresh ones, and prints what was
tried and whether it held. Ctrl-C ends it early with the verdict so far.`,
		Args: noArgs("name the range like: simulate sweep --seeds 1..1000"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			scenario, err := c.load()
			if err != nil {
				return err
			}
			first, last := fresh()
			if seeds != "" {
				if first, last, err = parseSeeds(seeds); err != nil {
					return err
				}
			}
			if workers < 1 {
				return fmt.Errorf("--workers %d: at least one has to do the work", workers)
			}
			options := kvsim.SweepOptions{First: first, Last: last, Workers: workers, FirstFailure: stop}
			announce(c, &scenario, first, last)
			bar := newProgress(c, first, last)
			options.Progress = bar.update
			begin := time.Now()
			sweep := kvsim.RunSweep(cmd.Context(), scenario, options)
			elapsed := time.Since(begin)
			bar.finish()
			return reportSweep(c, &scenario, &sweep, elapsed)
		},
	}
	c.runs(command)
	command.Flags().BoolVar(&stop, "first-failure", false, "end with the first seed that fails")
	command.Flags().StringVar(&seeds, "seeds", "", "the range `A..B` to run (default: 1,000 fresh seeds)")
	command.Flags().IntVar(&workers, "workers", runtime.GOMAXPROCS(0), "seeds to run at the same time (default: one per CPU)")
	return command
}

// parseSeeds reads "A..B", or a single seed.
func parseSeeds(text string) (first, last uint64, err error) {
	low, high, ranged := strings.Cut(text, "..")
	if !ranged {
		high = low
	}
	first, err = strconv.ParseUint(low, 10, 64)
	if err == nil {
		last, err = strconv.ParseUint(high, 10, 64)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("--seeds %q is not a range; write it like 1..1000", text)
	}
	if first > last {
		return 0, 0, fmt.Errorf("--seeds %q is empty; the first number must not be above the last", text)
	}
	if last-first == math.MaxUint64 {
		return 0, 0, fmt.Errorf("--seeds %q is everything; choose a part of it", text)
	}
	return first, last, nil
}

// fresh picks seeds that probably nobody ran before.
func fresh() (first, last uint64) {
	first = rand.Uint64N(1<<40)*freshSeeds + 1
	return first, first + freshSeeds - 1
}
