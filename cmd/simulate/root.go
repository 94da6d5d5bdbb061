package main

import (
	"fmt"
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

// noCommand refuses what is no command.
func noCommand(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range command.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return fmt.Errorf("there is no command %q; known are %s", args[0], strings.Join(names, ", "))
}

// noArgs refuses arguments; hint says what to write instead.
func noArgs(hint string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return fmt.Errorf("%q is too much; %s", args[0], hint)
	}
}

// capsuleArgs wants files, at most so many.
func capsuleArgs(most int) cobra.PositionalArgs {
	return func(command *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return fmt.Errorf("which capsule? name its file, like: %s seed-7.capsule", command.CommandPath())
		case len(args) > most:
			return fmt.Errorf("%q is too much; %s takes one capsule at a time", args[most], command.CommandPath())
		}
		return nil
	}
}

// flagError says what to write instead of a number that is none.
func flagError(_ *cobra.Command, err error) error {
	if what, _, ok := strings.Cut(err.Error(), ": strconv."); ok {
		return fmt.Errorf("%s; write a whole number", what)
	}
	return err
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
		Args:          noCommand,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          sweep.RunE,
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(flagError)
	root.PersistentFlags().BoolVar(&c.json, "json", false, "print the result as JSON")
	for _, name := range []string{"workers", "scenario", "linearizability", "capsules"} {
		root.Flags().AddFlag(sweep.Flags().Lookup(name))
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(newRun(c), sweep, newReplay(c), newShrink(c), newExplore(c))
	return root
}
