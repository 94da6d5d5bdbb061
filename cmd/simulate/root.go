package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/sequitur-kv/sequitur/internal/kvsim"
)

// freshSeeds is how many seeds a sweep runs that is not told which.
const freshSeeds = 1000

// common is what all commands know.
type common struct {
	stdout, stderr io.Writer
	scenario       string
	json           bool
}

func (c *common) load() (kvsim.Scenario, error) { return kvsim.ScenarioNamed(c.scenario) }

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	c := &common{stdout: stdout, stderr: stderr}
	sweep := newSweep(c)
	root := &cobra.Command{
		Use:   "simulate",
		Short: "Run the store in a simulated world and judge it",
		Long: `simulate runs the code of the store, unchanged, in a simulated world of crashes,
partitions, lost messages and wrong clocks, and checks what its clients saw.

Alone it sweeps 1,000 fresh seeds. The same seed is the same run, everywhere.

Exit codes: 0 everything held; 1 a violation, or a panic of the machine; 2 bad usage
or input; 3 undecided: interrupted, or a promised situation was never reached.`,
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          sweep.RunE,
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.PersistentFlags().StringVar(&c.scenario, "scenario", "standard", "what happens in a run")
	root.PersistentFlags().BoolVar(&c.json, "json", false, "print the result as JSON")
	root.Flags().AddFlag(sweep.Flags().Lookup("workers"))
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(newRun(c), sweep)
	return root
}
