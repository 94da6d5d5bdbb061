package main

import (
	"strings"

	"github.com/spf13/cobra"
)

func newRootCommand(env environment) *cobra.Command {
	var local localOptions
	root := &cobra.Command{
		Use:   "kvnode",
		Short: "Run a node of a sharded, causally consistent key-value store",
		Long: `kvnode runs one node of a sharded, causally consistent key-value store.

Without arguments it takes its settings from the environment, which suits containers; a flag beats
its variable. Without a SOCKET_ADDRESS it is a store of one node on localhost:8085.

kvnode --local 6 --shard-count 2 runs a whole store in one process, for trying it out.`,
		Args:          noArguments,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("local") || cmd.Flags().Changed("port") {
				return runLocal(cmd, env, local)
			}
			return runNode(cmd, env)
		},
	}
	root.SetOut(env.stdout)
	root.SetErr(env.stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.CompletionOptions.HiddenDefaultCmd = true
	flags := root.Flags()
	for _, s := range allSettings {
		flags.String(s.flag, "", s.usage+" ["+s.variable+"]")
	}
	for _, s := range []setting{inMemory, replace} {
		flags.Lookup(s.flag).NoOptDefVal = "true"
	}
	flags.IntVar(&local.nodes, "local", 0, "run a store of this many nodes in this process, on 127.0.0.1")
	flags.IntVar(&local.port, "port", 8081, "first port with --local")
	root.AddCommand(newVersionCommand(env), newHealthcheckCommand(env), newStatusCommand(env), newDemoCommand(env), newBackupCommand(env), newRestoreCommand(env))
	return root
}

func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%q is no command; run kvnode --help for what there is", args[0])
	}
	return nil
}

// sentence removes the package prefix of an error, which says nothing to a person.
func sentence(err error) string {
	text := err.Error()
	for _, prefix := range []string{"httpnode: ", "disk: ", "core: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return strings.ReplaceAll(text, ": backup: ", ": ") // after the name of a file
}
