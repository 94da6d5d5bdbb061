package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/sequitur-kv/sequitur/internal/kvsim"
)

func newRun(c *common) *cobra.Command {
	var seed uint64
	var trace string
	command := &cobra.Command{
		Use:   "run --seed N",
		Short: "Run one seed",
		Long:  "run runs one seed and prints what happened, the verdict and the digest: equal digests are equal runs.",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			scenario, err := c.load()
			if err != nil {
				return err
			}
			result, err := runSeed(scenario, seed, trace)
			if err != nil {
				return err
			}
			return reportRun(c, &scenario, &result)
		},
	}
	command.Flags().Uint64Var(&seed, "seed", 0, "the seed (required)")
	command.Flags().StringVar(&trace, "trace", "", "write every event to this `FILE`, a line each")
	if err := command.MarkFlagRequired("seed"); err != nil {
		panic(err) // the flag is defined above
	}
	return command
}

// runSeed runs a seed, with a trace unless the name of its file is empty.
func runSeed(scenario kvsim.Scenario, seed uint64, trace string) (kvsim.Result, error) {
	var options kvsim.Options
	if trace != "" {
		file, err := os.Create(trace)
		if err != nil {
			return kvsim.Result{}, fmt.Errorf("the trace cannot be written: %w", err)
		}
		w := bufio.NewWriter(file)
		options.Trace = func(line string) {
			_, _ = w.WriteString(line) // the writer remembers an error until Flush
			_ = w.WriteByte('\n')
		}
		result := kvsim.NewRunner(scenario).RunWith(seed, options)
		if err := errors.Join(w.Flush(), file.Close()); err != nil {
			return kvsim.Result{}, fmt.Errorf("the trace cannot be written: %w", err)
		}
		return result, nil
	}
	return kvsim.NewRunner(scenario).RunWith(seed, options), nil
}
