package netsim

import (
	"errors"
	"fmt"
	"slices"
)

// Config describes a world. Names, Boot and End are required; the zero value of
// everything else is valid and means none.
type Config[M any] struct {
	Seed Seed
	// Names of the nodes (at most MaxNodes), used in schedules and traces.
	Names []string
	// Boot makes the process of a node, at the start of the world and after each
	// crash. It decides what survives.
	Boot func(boot Boot[M]) Node[M]

	Network Network
	Disk    DiskModel
	// Schedule holds the faults; what would begin at ChaosEnd or later never does.
	Schedule Schedule
	// StartWithin spreads the first starts: each node starts at a time drawn from
	// [0, StartWithin]. What reaches it earlier is lost.
	StartWithin Time
	// StartAt, by node, is when it starts; zero or absent: drawn. A node that comes
	// late joins a running world: it has no process before, so no crash reaches it.
	StartAt []Time

	// ChaosEnd is when every fault ends, loss and duplication of the Network
	// included, and crashed nodes restart, but killed ones; zero means End.
	ChaosEnd Time
	// End is when the run stops; events at exactly that time still happen.
	End Time
	// Epoch is the wall clock at the start of the world, in nanoseconds since the
	// Unix epoch; zero means DefaultEpoch.
	Epoch int64

	// Encode appends a message in bytes. It feeds the digest and finds messages
	// that change under way; nil leaves contents out of the digest.
	Encode func(buf []byte, m M) []byte
	// Clone makes a deep copy, called for each Send and each duplicate, so that
	// two nodes never share memory. Nil: messages are immutable.
	Clone func(M) M
	// Describe is a message in words, for traces and violations; nil: the name of
	// its type.
	Describe func(M) string
	// Invariant is judged after every event; an error ends the run. It must not
	// change anything.
	Invariant func(w *World[M]) error
	// Trace gets one line per event; nil: no tracing and no cost.
	Trace func(line string)
}

// DefaultEpoch is 2026-01-01 00:00:00 UTC in nanoseconds since the Unix epoch.
const DefaultEpoch int64 = 1_767_225_600_000_000_000

// Network is the behaviour of the links while no fault touches them.
type Network struct {
	// Latency: each link (one direction) draws its base latency once from it.
	Latency Range
	// Jitter: each message takes up to that much longer.
	Jitter Time
	// Loss and Duplicate hit single messages until ChaosEnd.
	Loss, Duplicate Ratio
	// Reorder lets messages of one link overtake each other within the jitter.
	// Without it a link keeps their order, except those that a reorder, delay or
	// duplicate fault (or Duplicate) touches.
	Reorder bool
}

// DiskModel is the behaviour of the disks. One sync is in flight per node; what
// is appended meanwhile waits for the next, which covers all of it.
type DiskModel struct {
	// Write is how long it takes until what was appended reaches the disk and its
	// sync begins. What is appended meanwhile goes with it.
	Write Range
	// Sync is how long one sync takes.
	Sync Range
}

func (c *Config[M]) validate() error {
	if err := checkNames(c.Names); err != nil {
		return err
	}
	switch {
	case c.Boot == nil:
		return errors.New("netsim: Config.Boot is nil; it makes the nodes")
	case c.End <= 0:
		return errors.New("netsim: Config.End must be positive; the run would stop before it starts")
	case c.End > 1<<60:
		return errors.New("netsim: Config.End is beyond 36 years; times would overflow")
	case c.ChaosEnd < 0 || c.ChaosEnd > c.End:
		return fmt.Errorf("netsim: Config.ChaosEnd %v is outside of [0, End = %v]", c.ChaosEnd, c.End)
	case c.StartWithin < 0:
		return errors.New("netsim: Config.StartWithin is negative")
	case len(c.StartAt) > len(c.Names):
		return fmt.Errorf("netsim: Config.StartAt has %d times for %d nodes", len(c.StartAt), len(c.Names))
	case len(c.StartAt) > 0 && (slices.Min(c.StartAt) < 0 || slices.Max(c.StartAt) > c.End):
		return fmt.Errorf("netsim: Config.StartAt names a time outside of [0, End = %v]", c.End)
	case !c.Network.Latency.valid() || c.Network.Jitter < 0:
		return errors.New("netsim: Config.Network needs 0 <= Latency.Min <= Latency.Max and 0 <= Jitter")
	case !c.Network.Loss.valid() || !c.Network.Duplicate.valid():
		return errors.New("netsim: Config.Network has a probability above one")
	case !c.Disk.Sync.valid() || !c.Disk.Write.valid():
		return errors.New("netsim: Config.Disk needs 0 <= Sync.Min <= Sync.Max, and the same of Write")
	}
	return c.Schedule.Validate(len(c.Names))
}
