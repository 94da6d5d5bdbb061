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
	var trace, html string
	command := &cobra.Command{
		Use:   "run --seed N",
		Short: "Run one seed",
		Long:  "run runs one seed and prints what happened, the verdict and the digest: equal digests are equal runs.",
		Args:  noArgs("name the seed like: simulate run --seed 7"),
		RunE: func(*cobra.Command, []string) error {
			c.linear = c.linear || html != ""
			scenario, err := c.load()
			if err != nil {
				return err
			}
			runner := kvsim.NewRunner(scenario)
			result, err := runSeed(runner, seed, trace)
			if err == nil && html != "" {
				err = writeHTML(runner, &result, html)
			}
			if err != nil {
				return err
			}
			return reportRun(c, &scenario, &result)
		},
	}
	command.Flags().Uint64Var(&seed, "seed", 0, "the seed (required)")
	c.runs(command)
	command.Flags().StringVar(&html, "html", "", "draw the history to this `FILE`, as porcupine sees it (implies --linearizability)")
	command.Flags().StringVar(&trace, "trace", "", "write every event to this `FILE`, a line each")
	if err := command.MarkFlagRequired("seed"); err != nil {
		panic(err) // the flag is defined above
	}
	return command
}

// runSeed runs a seed, with a trace unless the name of its file is empty.
func runSeed(runner *kvsim.Runner, seed uint64, trace string) (result kvsim.Result, err error) {
	err = tracing(trace, func(trace func(line string)) error {
		result = runner.RunWith(seed, kvsim.Options{Trace: trace})
		return nil
	})
	return result, err
}

// tracing runs something with a trace in a file, with none (nil) if the name is empty.
func tracing(name string, run func(trace func(line string)) error) error {
	if name == "" {
		return run(nil)
	}
	file, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("the trace cannot be written: %w", err)
	}
	w := bufio.NewWriter(file)
	failed := run(func(line string) {
		_, _ = w.WriteString(line) // the writer remembers an error until Flush
		_ = w.WriteByte('\n')
	})
	if err := errors.Join(w.Flush(), file.Close()); err != nil {
		return fmt.Errorf("the trace cannot be written: %w", err)
	}
	return failed
}

// writeHTML draws the history of the latest run.
func writeHTML(runner *kvsim.Runner, result *kvsim.Result, name string) error {
	file, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("the picture cannot be written: %w", err)
	}
	if err := errors.Join(runner.Visualize(file, result), file.Close()); err != nil {
		return fmt.Errorf("the picture cannot be written: %w", err)
	}
	return nil
}
