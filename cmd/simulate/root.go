package main

import (
	"io"
	"strings"

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
	linear         bool
	capsules       string            // directory
	written        map[uint64]string // by seed: the file of its capsule
}

func (c *common) load() (kvsim.Scenario, error) {
	s, err := kvsim.ScenarioNamed(c.scenario)
	s.Linearizable = s.Linearizable || c.linear
	return s, err
}

// runs adds the flags of commands that run seeds.
func (c *common) runs(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&c.scenario, "scenario", "standard", "what happens in a run: "+strings.Join(kvsim.ScenarioNames(), ", "))
	flags.BoolVar(&c.linear, "linearizability", false, "judge linearizability too, which the store does not promise")
	flags.StringVar(&c.capsules, "capsules", ".", "write the capsules of failures to this `DIR`; \"\" writes none")
}

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	c := &common{stdout: stdout, stderr: stderr}
	sweep := newSweep(c)
	root := &cobra.Command{
		Use:   "simulate",
		Short: "Run the store in a simulated world and judge it",
		Long: `simulate runs the code of the store, unchanged, in a simulated world of crashes,
partitions, lost messages and wrong clocks, and checks what its clients saw.

Alone it sweeps 1,000 fresh seeds. The same seed is the same run, everywhere. A seed that
fails is written as a capsule: a text file that replay runs again and shrink makes small.

Exit codes: 0 everything held (replay: all is as the capsule expects); 1 a violation, or a
panic of the machine (replay: not as expected); 2 bad usage or input; 3 undecided:
interrupted, or a promised situation was never reached.`,
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          sweep.RunE,
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.PersistentFlags().BoolVar(&c.json, "json", false, "print the result as JSON")
	for _, name := range []string{"workers", "scenario", "linearizability", "capsules"} {
		root.Flags().AddFlag(sweep.Flags().Lookup(name))
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(newRun(c), sweep, newReplay(c), newShrink(c))
	return root
}
