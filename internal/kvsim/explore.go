package kvsim

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sequitur-kv/sequitur/core/wire"
	"github.com/sequitur-kv/sequitur/netsim"
	"github.com/sequitur-kv/sequitur/netsim/explore"
)

// Exploration is a small run of which every order is tried from one moment on.
type Exploration struct {
	Scenario Scenario // without faults of its own
	Seed     uint64   // of everything that is not explored
	// From is the situation with which the exploration begins, when a node meets it for the first time.
	From   string
	Bounds explore.Bounds
}

// Reshard is the exploration of a reshard of four nodes, a merge or a split, from a situation on. One session
// writes and reads a key of slots that move, at one node after the other, while layouts change. At any place a
// node may crash, or lose its memory, for five seconds. The error is that the reshard or the situation is unknown.
//
// A merge makes one shard of two: every slot has two owners that had it and two new ones. A split makes two of
// one: of four owners of a slot, two leave.
func Reshard(kind, from string, depth, departures int) (Exploration, error) {
	if !slices.Contains(Reshards(), kind) {
		return Exploration{}, fmt.Errorf("kvsim: no reshard is called %q; known are: %s", kind, strings.Join(Reshards(), ", "))
	}
	if !slices.Contains(ExploredFrom(), from) {
		return Exploration{}, fmt.Errorf("kvsim: no exploration begins with %q; known are: %s", from, strings.Join(ExploredFrom(), ", "))
	}
	s := Standard()
	s.Name = kind
	s.Servers, s.Shards = 4, 2
	if kind == split {
		s.Shards = 1
	}
	s.Core.MaxWaiting, s.Core.MaxBuffered, s.Core.ChunkBytes = 0, 0, 0
	s.Core.AdministrationWait, s.Core.ReshardPatience = 5*time.Second, 6*time.Second
	s.Workload = Workload{Clients: 1, Keys: 2}
	s.Administration = Administration{Clients: 1, MostShards: 2}
	s.Network = netsim.Network{Latency: netsim.Range{Min: netsim.Millisecond, Max: 2 * netsim.Millisecond}}
	s.Disk = netsim.DiskModel{Sync: netsim.Range{Min: netsim.Millisecond, Max: netsim.Millisecond}}
	s.SlowDisks, s.StartWithin = netsim.Ratio{}, 0
	s.Faults, s.Lags, s.Losses, s.Promises = netsim.Swarm{}, netsim.Swarm{}, Losses{}, nil
	s.Phases = Phases{ChaosEnd: 10 * netsim.Second, Settled: 24 * netsim.Second, End: 28 * netsim.Second}
	x := Exploration{Scenario: s, Seed: 1, From: from}
	x.Bounds = explore.Bounds{Depth: depth, Departures: departures}
	for _, kind := range []netsim.FaultKind{netsim.Crash, netsim.Wipe} {
		for node := range s.Servers {
			x.Bounds.Faults = append(x.Bounds.Faults, netsim.Fault{
				Kind: kind, Nodes: netsim.Nodes(netsim.NodeID(node)), For: 5 * netsim.Second,
			})
		}
	}
	return x, nil
}

const (
	merge = "merge"
	split = "split"
)

// Reshards lists those that can be explored.
func Reshards() []string { return []string{merge, split} }

// plan is what is asked, if the exploration begins at a time. Of two shards, k0 belongs to that of n1 and n2,
// k1 to that of n3 and n4.
func (x *Exploration) plan(begins netsim.Time) []Operation {
	const patience = 8 * netsim.Second
	key, shards := "k0", 1
	if x.Scenario.Shards == shards {
		key, shards = "k1", 2
	}
	plan := []Operation{
		{At: netsim.Second, Node: 0, Op: wire.OpPut, Key: "k0", Value: `"A-0"`},
		{At: netsim.Second, Node: 2, Op: wire.OpPut, Key: "k1", Value: `"A-1"`},
	}
	for node := range x.Scenario.Servers {
		plan = append(plan,
			Operation{At: begins, Node: node, Op: wire.OpPut, Key: key, Value: fmt.Sprintf(`"A-%d"`, len(plan))},
			Operation{At: begins, Node: (node + 1) % x.Scenario.Servers, Op: wire.OpGet, Key: key})
	}
	for i := range plan {
		plan[i].Number, plan[i].Timeout = i, patience
	}
	return append(plan, Operation{
		Client: 1, At: 1500 * netsim.Millisecond, Op: wire.OpReshard, Count: shards, Timeout: patience,
	})
}

// ExploredFrom lists the situations from which on a reshard can be explored, in the order in which it comes to them.
func ExploredFrom() []string {
	return []string{ProbeReshardStarted, ProbeReshardSwitched, ProbeRetired}
}

// String describes the exploration in a line, for people.
func (x *Exploration) String() string {
	text := fmt.Sprintf("%s of %s, one session, paths of %d choices with up to %s, from %s on", x.Scenario.Name,
		counted(x.Scenario.Servers, "node"), x.Bounds.Depth, counted(x.Bounds.Departures, "departure"), x.From)
	if len(x.Bounds.Faults) > 0 {
		text += ", with one crash or loss of memory"
	}
	return text
}

// ExploreOptions say how an exploration runs.
type ExploreOptions struct {
	Workers int    // goroutines; zero or less means one
	Budget  uint64 // the most paths to run; zero: all
	// FirstFailure ends the exploration where a path fails: one of those that depart least.
	FirstFailure bool
	Progress     func(now *Explored) // called now and then; nil: never
}

// Explored is what an exploration came to. Everything but Interrupted is the same for any number of workers.
type Explored struct {
	From string
	explore.Progress
	Judged      uint64 // paths that were run to their end
	Events      uint64
	Failed      uint64
	Probes      []ProbeReach // by judged paths, sorted by name
	Failures    []ExploredPath
	Interrupted bool // paths are missing: the context ended, or the budget, or a failure was enough
}

// ExploredPath is a path that failed, and how.
type ExploredPath struct {
	Path   explore.Path
	Result Result
}

// mostFailures is how many failures an exploration keeps; it counts all.
const mostFailures = 20

// Verdict is that of the whole exploration: Violated beats Undecided beats Holds.
func (x *Explored) Verdict() Verdict {
	switch {
	case x.Failed > 0:
		return Violated
	case x.Interrupted || x.Reached(x.From).Seeds != x.Judged:
		return Undecided // or it never began
	}
	return Holds
}

// explorationBatch is the number of paths that are walked before any of their trails is added: a constant, so
// that what is walked does not depend on the number of workers.
const explorationBatch = 64

// Run explores until every path within the bounds is done, or the budget or the context is.
func (x *Exploration) Run(ctx context.Context, options ExploreOptions) Explored {
	explorer := explore.New(x.Bounds)
	plan := x.planned()
	runners := make([]*Runner, max(1, options.Workers))
	for i := range runners {
		runners[i] = NewRunner(x.Scenario)
	}
	total := Explored{From: x.From, Progress: explorer.Progress()}
	for {
		count := explorationBatch
		if options.Budget > 0 {
			count = int(min(uint64(count), options.Budget-total.Walked))
		}
		if ctx.Err() != nil || count == 0 || options.FirstFailure && total.Failed > 0 {
			total.Interrupted = total.Left > 0
			break
		}
		paths := explorer.Next(count)
		if len(paths) == 0 {
			break
		}
		walks := make([]walked, len(paths))
		var group sync.WaitGroup
		for i, runner := range runners {
			group.Go(func() {
				for number := i; number < len(paths); number += len(runners) {
					walks[number] = x.walk(runner, explorer, plan, paths[number], Options{})
				}
			})
		}
		group.Wait()
		for i := range walks {
			if walks[i].trail != nil { // else the harness panicked
				explorer.Add(walks[i].trail)
			}
			total.add(paths[i], &walks[i])
		}
		total.Progress = explorer.Progress()
		if options.Progress != nil {
			options.Progress(&total)
		}
	}
	return total
}

// RunPath runs one path. The error is also that the exploration has no such path.
func (x *Exploration) RunPath(path explore.Path, options Options) (result Result, err error) {
	w := x.walk(NewRunner(x.Scenario), explore.New(x.Bounds), x.planned(), path, options)
	if w.trail == nil {
		return w.result, explore.ErrPath
	}
	return w.result, nil
}

// planned is the plan of all paths: what the session asks in the end begins when the exploration does.
func (x *Exploration) planned() []Operation {
	begins := x.Scenario.ChaosEnd
	r := NewRunner(x.Scenario)
	r.RunWith(x.Seed, Options{Plan: x.plan(begins), Schedule: netsim.Schedule{}, walk: func(w *netsim.World[Packet]) bool {
		if x.begin(w); w.Met(x.From) > 0 {
			begins = w.Now()
		}
		w.Stop()
		return true
	}})
	return x.plan(begins)
}

// begin brings a world to the situation with which the exploration begins.
func (x *Exploration) begin(w *netsim.World[Packet]) {
	for w.Met(x.From) == 0 && w.Step() {
	}
}

// walked is a path that was run.
type walked struct {
	trail  *explore.Trail
	result Result
	down   []string // situations that were met while a node was down
}

func (x *Exploration) walk(r *Runner, e *explore.Explorer, plan []Operation, path explore.Path, options Options) (done walked) {
	options.Plan, options.Schedule = plan, netsim.Schedule{}
	options.walk = func(w *netsim.World[Packet]) bool {
		x.begin(w)
		done.trail = explore.Walk(w, e, path)
		return done.trail.Joined
	}
	done.result = r.RunWith(x.Seed, options)
	done.down = slices.Clone(r.run.down)
	return done
}

// add counts a path.
func (x *Explored) add(path explore.Path, w *walked) {
	x.Events += w.result.Events
	if w.result.Verdict != Holds {
		x.Failed++
		if len(x.Failures) < mostFailures {
			x.Failures = append(x.Failures, ExploredPath{path, w.result})
		}
	} else if w.trail.Joined {
		return
	}
	x.Judged++
	for _, p := range w.result.Probes {
		x.Probes = reached(x.Probes, p.Name, p.Count)
	}
	for _, name := range w.down {
		x.Probes = reached(x.Probes, name, 1)
	}
}

// Reached is how often a situation was met.
func (x *Explored) Reached(name string) ProbeReach { return reach(x.Probes, name) }

// reached counts a situation of a run.
func reached(probes []ProbeReach, name string, count uint64) []ProbeReach {
	i, found := slices.BinarySearchFunc(probes, name, func(a ProbeReach, name string) int {
		return cmp.Compare(a.Name, name)
	})
	if !found {
		probes = slices.Insert(probes, i, ProbeReach{Name: name})
	}
	probes[i].Count += count
	probes[i].Seeds++
	return probes
}

// metWhileDown notes that a situation was met while a node was down.
func (r *run) metWhileDown(probe string) {
	for i := range r.servers {
		name := probe + " while " + r.names[i] + " is down"
		if !r.world.Up(netsim.NodeID(i)) && !slices.Contains(r.down, name) {
			r.down = append(r.down, name)
		}
	}
}
