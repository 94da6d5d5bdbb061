// Command loadtest measures a store of six processes against the ceiling: a handler behind net/http
// and httprouter that returns a constant. Ceiling and store take turns, so that both see the same
// moods of the machine; the load generator, this process, shares the processors with them. After
// the writes it waits until the replicas of the shard are equal, which must take less than a second.
//
//	go run ./internal/loadtest
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// options are what a run can be told.
type options struct {
	kvnode      string // program to measure; "" builds it
	rounds      int
	connections int
	turn        time.Duration // of each measurement
	strict      bool
	only        string
	profile     string
}

// ceilingCommand makes this program serve the constant.
const ceilingCommand = "ceiling"

func main() {
	if len(os.Args) == 3 && os.Args[1] == ceilingCommand {
		if err := serveCeiling(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "loadtest:", err)
			os.Exit(1)
		}
		return
	}
	var o options
	flag.StringVar(&o.kvnode, "kvnode", "", "kvnode program to measure (default: build it)")
	flag.IntVar(&o.rounds, "rounds", 7, "rounds; the median counts")
	flag.IntVar(&o.connections, "connections", 64, "connections at a time")
	flag.DurationVar(&o.turn, "turn", 700*time.Millisecond, "time of each measurement")
	flag.BoolVar(&o.strict, "strict", false, "exit with 1 when a bar is missed, too")
	flag.StringVar(&o.only, "only", "", "measure just the workload of this name")
	flag.StringVar(&o.profile, "profile", "", "write CPU profiles of the target to this directory")
	flag.Parse()
	if err := run(o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "loadtest:", err)
		os.Exit(1)
	}
}

func run(o options, w io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "loadtest")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if o.kvnode == "" {
		o.kvnode = filepath.Join(dir, "kvnode")
		build := exec.Command("go", "build", "-o", o.kvnode, "github.com/sequitur-kv/sequitur/cmd/kvnode")
		if output, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w\n%s", err, output)
		}
	}
	s, err := startStore(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	results, err := measure(o, s)
	if err != nil {
		return err
	}
	return report(w, o, results)
}
