// Command kvnode runs a node of the store, or a whole store on one machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sequitur-kv/sequitur/httpnode"
)

// Exit codes.
const (
	exitOK       = 0
	exitFailed   = 1 // it ran, and did not succeed
	exitUsage    = 2 // started wrongly: nothing was done
	exitInternal = 3 // an error of this program
)

// environment is everything that a command takes from its surroundings.
type environment struct {
	getenv         func(string) string
	stdout, stderr io.Writer
}

func main() {
	env := environment{getenv: os.Getenv, stdout: os.Stdout, stderr: os.Stderr}
	os.Exit(run(context.Background(), os.Args[1:], env))
}

// usageError is the caller's fault.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run executes the command line and returns the exit code.
func run(ctx context.Context, args []string, env environment) int {
	command := newRootCommand(env)
	command.SetArgs(args)
	err := command.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(env.stderr, "kvnode: %s\n", sentence(err))
	switch {
	case errors.As(err, new(usageError)):
		return exitUsage
	case errors.Is(err, httpnode.ErrPanic):
		return exitInternal
	default:
		return exitFailed
	}
}
