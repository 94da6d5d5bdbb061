// Command simulate runs the store in a simulated world, many seeds at a time, and says whether it
// kept its promises.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
)

// Exit codes.
const (
	exitHolds     = 0
	exitViolated  = 1 // a violation, or a panic of the machine
	exitUsage     = 2 // bad usage or input
	exitUndecided = 3 // no violation, but the verdict is not complete either
)

// exit ends the program with a code; the report has been printed already.
type exit struct{ code int }

func (e exit) Error() string { return fmt.Sprintf("exit code %d", e.code) }

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(800) // a run needs few megabytes: collecting them all the time costs a fifth of the speed
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second Ctrl-C kills
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program without its process.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	command := newRoot(stdout, stderr)
	command.SetArgs(args)
	command, err := command.ExecuteContextC(ctx)
	var end exit
	switch {
	case err == nil:
		return exitHolds
	case errors.As(err, &end):
		return end.code
	}
	// Whatever else goes wrong is about the command line or a file that it names.
	_, _ = fmt.Fprintf(stderr, "simulate: %s\n", bare(err))
	_, _ = fmt.Fprintf(stderr, "Run '%s --help' for usage.\n", command.CommandPath())
	return exitUsage
}

// bare is an error without the names of the packages that it comes from, which tell a user nothing.
func bare(err error) string {
	text := err.Error()
	for _, name := range []string{"kvsim: ", "netsim: "} {
		text = strings.ReplaceAll(text, name, "")
	}
	return text
}
