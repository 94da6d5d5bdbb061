// Command loadtest measures stores of real processes.
//
//	go run ./internal/loadtest
//
// measures one of six nodes against the ceiling: a handler behind net/http and httprouter that returns a constant. Ceiling and store take turns, so that both see the same
// moods of the machine; the load generator, this process, shares the processors with them. After
// the writes it waits until the replicas of the shard are equal, which must take less than a second.
//
//	go run ./internal/loadtest reshard
//
// measures what clients notice while a store of seven nodes goes from two shards to three: sessions
// that pass their tokens on send requests at a fixed rate before, during and after it, and read all
// back. Then one more node joins, becomes a member of a shard, and loses its memory.
//
//	go run ./internal/loadtest durable
//
// measures writes that are on disk when they are answered: beside the ceiling, an etcd of three nodes and a
// Redis, where they are installed. Then reads, while writes come at a fixed rate, beside those of a store in memory.
//
//	go run ./internal/loadtest restart
//
// measures how soon a node with a million keys on disk serves again after its end, and a backup and a restore of it.
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
	kvnode  string // program to measure; "" builds it
	strict  bool
	durable bool
	data    string // directory of the nodes' data; "": they keep nothing on disk
	profile string

	// Beside the ceiling.
	rounds      int
	connections int
	turn        time.Duration // of each measurement
	only        string

	// While shards change, or writes come at a fixed rate.
	keys   int
	rate   int           // requests in a second
	period time.Duration // before and after; of each measurement
}

const (
	ceilingCommand = "ceiling" // makes this program serve the constant
	reshardCommand = "reshard"
	durableCommand = "durable"
	restartCommand = "restart"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == ceilingCommand {
		exit(serveCeiling(os.Args[2]))
	}
	var o options
	measured, args := besideCeiling, os.Args[1:]
	flags := flag.NewFlagSet("loadtest", flag.ExitOnError)
	flags.StringVar(&o.kvnode, "kvnode", "", "kvnode program to measure (default: build it)")
	flags.BoolVar(&o.strict, "strict", false, "exit with 1 when a bar is missed, too")
	flags.StringVar(&o.profile, "profile", "", "write CPU profiles of the first node to this directory")
	switch {
	case len(args) > 0 && args[0] == durableCommand:
		measured, args, o.durable = whatIsDurable, args[1:], true
		flags.IntVar(&o.rounds, "rounds", 7, "rounds; the median counts")
		flags.IntVar(&o.connections, "connections", 256, "connections at a time")
		flags.DurationVar(&o.turn, "turn", 700*time.Millisecond, "time of each measurement of writes")
		flags.IntVar(&o.rate, "rate", 1000, "requests in a second while reads are measured; half of them write. More than the processors are good for measures only who waits for one")
		flags.DurationVar(&o.period, "period", 2*time.Second, "time of each measurement of reads")
	case len(args) > 0 && args[0] == restartCommand:
		measured, args, o.durable = whileRestarting, args[1:], true
		flags.IntVar(&o.keys, "keys", 1_000_000, "keys of the node")
	case len(args) > 0 && args[0] == reshardCommand:
		measured, args = whileResharding, args[1:]
		flags.IntVar(&o.keys, "keys", 1_000_000, "keys in the store")
		flags.IntVar(&o.rate, "rate", 5000, "requests in a second")
		flags.DurationVar(&o.period, "period", 10*time.Second, "time of the measurements before and after")
	default:
		flags.IntVar(&o.rounds, "rounds", 7, "rounds; the median counts")
		flags.IntVar(&o.connections, "connections", 64, "connections at a time")
		flags.BoolVar(&o.durable, "durable", false, "have the nodes keep their data on disk, in the directory for temporary files")
		flags.DurationVar(&o.turn, "turn", 700*time.Millisecond, "time of each measurement")
		flags.StringVar(&o.only, "only", "", "measure just the workload of this name")
	}
	_ = flags.Parse(args) // it exits
	exit(run(o, measured, os.Stdout))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "loadtest:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run has a kvnode program measured.
func run(o options, measured func(options, io.Writer) error, w io.Writer) (err error) {
	if o.kvnode == "" {
		dir, made := os.MkdirTemp("", "loadtest")
		if made != nil {
			return made
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		o.kvnode = filepath.Join(dir, "kvnode")
		build := exec.Command("go", "build", "-o", o.kvnode, "github.com/sequitur-kv/sequitur/cmd/kvnode")
		if output, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w\n%s", err, output)
		}
	}
	if o.durable {
		if o.data, err = os.MkdirTemp("", "loadtest-data"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.data)) }()
	}
	return measured(o, w)
}

// The store that is measured beside the ceiling.
const (
	ceilingNodes  = 6
	ceilingShards = 2
)

func besideCeiling(o options, w io.Writer) (err error) {
	s, err := startStore(o, ceilingNodes, ceilingShards)
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
