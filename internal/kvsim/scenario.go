package kvsim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/netsim"
)

// Scenario is everything about a run but its seed. Scenarios are values: change a copy at will.
type Scenario struct {
	Name    string
	Servers int // store nodes n1, n2, …; the clients follow as c1, c2, …
	Shards  int // in the beginning
	// Founders are the first of the servers, which form the store; the others come at a time from Late
	// and join. Zero: all of them.
	Founders int
	Late     netsim.Range

	// Core configures the machines; address, view, shards and entropy are filled in per boot.
	Core           core.Config
	Workload       Workload
	Administration Administration
	Network        netsim.Network
	Disk           netsim.DiskModel
	// SlowDisk takes the place of Disk in that share of the seeds.
	SlowDisk  netsim.DiskModel
	SlowDisks netsim.Ratio

	// Faults draws the schedule; a Count of zero means none at all. Targets, Begin and End are
	// filled in.
	Faults netsim.Swarm
	// Lags draws more of them for the links within each shard: replicas that fall behind although
	// everybody is up. Targets, Begin and End are filled in.
	Lags netsim.Swarm

	// Liar draws more of them for one node, which the seed draws: its disk says that it wrote what it did not.
	// Targets, Begin and End are filled in.
	Liar netsim.Swarm

	// Losses are of the memory of nodes, or of nodes.
	Losses Losses

	StartWithin netsim.Time // how far apart the nodes start
	Phases
	// MaxEvents is far more than a healthy run needs: beyond it, messages breed messages.
	MaxEvents uint64
	Audits    int // reads with collected tokens per client in the audit

	Linearizable bool // the history is judged as if there were one copy of everything

	// Promises are the probes that a sweep of this scenario must reach, or it decides nothing.
	Promises []string
}

// Phases says when the parts of a run end.
type Phases struct {
	ChaosEnd netsim.Time // all faults end
	Settled  netsim.Time // nothing may be left to do, and the audit begins
	End      netsim.Time // the audit must be over
}

// Standard is the scenario that every change is judged by.
func Standard() Scenario {
	return Scenario{
		Name:    "standard",
		Servers: 6,
		Shards:  2,
		Core: core.Config{
			HeartbeatInterval: time.Second,
			SuspectAfter:      3 * time.Second,
			DependencyWait:    8 * time.Second,
			ForwardTimeout:    3 * time.Second,
			RetryInterval:     time.Second,
			// Shorter than what is left between the last repair and the audit.
			AdministrationWait: 5 * time.Second,
			// Small, so that the limits are met.
			MaxWaiting:  5,
			MaxBuffered: 4,
			ChunkBytes:  300,
			// Long, so that much happens between two parts.
			CopyPause: 150 * time.Millisecond,
		},
		Workload: Workload{
			Clients:    6,
			Operations: 300,
			Keys:       10,
			From:       2500 * netsim.Millisecond,
			To:         58 * netsim.Second,
			MinTimeout: netsim.Second,
			MaxTimeout: 12 * netsim.Second,

			Gets:         netsim.Ratio{Num: 50, Den: 100},
			Puts:         netsim.Ratio{Num: 40, Den: 100},
			AtFavourite:  netsim.Ratio{Num: 30, Den: 100},
			Hot:          netsim.Ratio{Num: 40, Den: 100},
			InStep:       netsim.Ratio{Num: 1, Den: 2},
			Follows:      netsim.Ratio{Num: 1, Den: 2},
			ForgetsToken: netsim.Ratio{Num: 3, Den: 100},
			SendsBoth:    netsim.Ratio{Num: 1, Den: 10},
		},
		Network: netsim.Network{
			Latency:   netsim.Range{Min: 200 * netsim.Microsecond, Max: 15 * netsim.Millisecond},
			Jitter:    4 * netsim.Millisecond,
			Duplicate: netsim.Ratio{Num: 1, Den: 100},
			Reorder:   true,
		},
		Disk:        netsim.DiskModel{Sync: netsim.Range{Min: 200 * netsim.Microsecond, Max: 12 * netsim.Millisecond}},
		SlowDisk:    netsim.DiskModel{Sync: netsim.Range{Min: 2 * netsim.Millisecond, Max: 400 * netsim.Millisecond}},
		SlowDisks:   netsim.Ratio{Num: 2, Den: 5},
		StartWithin: 2 * netsim.Second,
		Faults:      netsim.Swarm{Count: 16, Kinds: kindsOfStandard(), Situations: situationsToMeet()},
		Lags: netsim.Swarm{
			Count: 4, Kinds: []netsim.FaultKind{netsim.Delay, netsim.Reorder, netsim.Clog},
			Longest: 30 * netsim.Second, Strongest: 3 * netsim.Second,
		},
		Phases:    Phases{ChaosEnd: 60 * netsim.Second, Settled: 80 * netsim.Second, End: 90 * netsim.Second},
		MaxEvents: 60_000,
		Audits:    6,
		Promises:  promisesOfStandard(),
	}
}

// kindsOfStandard are all that nodes get over, but those of disks, which have a scenario of their own.
func kindsOfStandard() []netsim.FaultKind {
	return slices.DeleteFunc(netsim.Recoverable(), func(k netsim.FaultKind) bool {
		return k == netsim.Tear || k == netsim.FailDisk || k == netsim.FillDisk
	})
}

// Restarts is aimed at what a restart must not forget: short crashes, one after the other, while copies of
// messages stay under way for seconds and clocks jump.
func Restarts() Scenario {
	s := Standard()
	s.Name = "restarts"
	s.Faults = netsim.Swarm{
		Count: 60, Longest: 5 * netsim.Second, Strongest: 3 * netsim.Second,
		Kinds: []netsim.FaultKind{
			netsim.Crash, netsim.Duplicate, netsim.Reorder, netsim.Delay, netsim.Clog, netsim.Loss, netsim.Skew, netsim.Jump,
		},
	}
	s.Lags = netsim.Swarm{}
	s.SlowDisks = netsim.Ratio{}
	s.Core.ChunkBytes = 100
	s.Promises = []string{
		ProbeCrashUnsynced, string(core.ProbeForwardDuplicate), string(core.ProbeReplyUnexpected),
		string(core.ProbePullRestarted), string(core.ProbeClockFloor), string(core.ProbePeerReturned),
	}
	return s
}

// Disks is aimed at what is on a disk when a process ends there: before and after each write and each sync, with
// the tail whole, torn or gone, on disks that fail, fill up and are slow.
func Disks() Scenario {
	s := Standard()
	s.Name = "disks"
	s.Faults = netsim.Swarm{
		Count: 60, Longest: 4 * netsim.Second, Strongest: 2 * netsim.Second,
		Kinds: []netsim.FaultKind{
			netsim.Crash, netsim.Tear, netsim.FailDisk, netsim.FillDisk, netsim.SlowSync, netsim.Pause,
			netsim.Duplicate, netsim.Delay, netsim.Isolate, netsim.Jump,
		},
		Situations: netsim.DiskPoints(), Triggered: netsim.Ratio{Num: 2, Den: 3},
	}
	s.Lags = netsim.Swarm{}
	s.Disk.Write = netsim.Range{Max: 2 * netsim.Millisecond}
	s.SlowDisk.Write = netsim.Range{Max: 50 * netsim.Millisecond}
	s.Core.ChunkBytes = 100
	s.Promises = []string{
		ProbeCrashUnsynced, ProbeTailKept, string(core.ProbeForwardDuplicate), string(core.ProbePullRestarted), string(core.ProbePeerReturned),
	}
	return s
}

// Lying is the standard scenario with a node whose disk lies about its syncs, and which crashes. What is promised
// then is less, see trusting.
func Lying() Scenario {
	s := Standard()
	s.Name = "lying"
	s.Liar = netsim.Swarm{
		Count: 14, Kinds: []netsim.FaultKind{netsim.FalseSync, netsim.Tear}, Longest: 10 * netsim.Second,
		Situations: netsim.DiskPoints(), Triggered: netsim.Ratio{Num: 1, Den: 4},
	}
	s.Lags.Count = 2
	s.Promises = []string{ProbeBetrayed, string(core.ProbeRollback), string(core.ProbeStartedOver)}
	return s
}

// Situations is the standard scenario with half of the faults aimed at situations: as soon as a node meets
// one, that node or all others are paused, cut off, crashed, …
func Situations() Scenario {
	s := Standard()
	s.Name = "situations"
	s.Faults.Triggered = netsim.Ratio{Num: 1, Den: 2}
	return s
}

// Single is one node alone, which is linearizable: the positive control of that judge.
func Single() Scenario {
	s := Standard()
	s.Name = "single"
	s.Servers, s.Shards = 1, 1
	s.Workload.Operations, s.Workload.MaxTimeout = 200, 4*netsim.Second // nobody else answers while it is down
	s.Core.MaxWaiting = 0
	s.Faults.Kinds = []netsim.FaultKind{
		netsim.Pause, netsim.Slow, netsim.Crash, netsim.Skew, netsim.Jump, netsim.Freeze, netsim.SlowSync,
	}
	s.Lags = netsim.Swarm{}
	s.Linearizable = true
	s.Promises = []string{ProbeCrashUnsynced, string(core.ProbeClockFloor)}
	return s
}

// Membership is the scenario of those who run the store: nodes join, are deleted, lose their memory and
// never come back, shards split and merge, while sessions go on and everything fails.
func Membership() Scenario {
	s := Standard()
	s.Name = "membership"
	s.Servers, s.Founders = 7, 6
	s.Late = netsim.Range{Min: 4 * netsim.Second, Max: 30 * netsim.Second}
	s.Core.MaxWaiting, s.Core.MaxBuffered = 30, 8
	s.Core.ReshardPatience = 6 * time.Second
	s.Administration = Administration{
		Clients: 2, Operations: 28,
		From: 4 * netsim.Second, To: 58 * netsim.Second,
		MinTimeout: netsim.Second, MaxTimeout: 20 * netsim.Second,
		InStep:     netsim.Ratio{Num: 1, Den: 3},
		MostShards: 3, LeastMembers: 5,
	}
	s.Faults = netsim.Swarm{Count: 12, Kinds: kindsOfStandard(), Situations: situations(), Triggered: netsim.Ratio{Num: 1, Den: 2}}
	s.Lags.Count = 2
	s.Losses = Losses{
		Wipes: 2, Share: netsim.Ratio{Num: 3, Den: 5}, Kills: netsim.Ratio{Num: 1, Den: 2}, Alone: netsim.Ratio{Num: 2, Den: 3},
	}
	s.Phases = Phases{ChaosEnd: 60 * netsim.Second, Settled: 105 * netsim.Second, End: 120 * netsim.Second}
	s.MaxEvents = 150_000
	s.Promises = promisesOfMembership()
	return s
}

// DisksMembership is Disks for those who run the store: what the configuration log must not forget.
func DisksMembership() Scenario {
	s := Membership()
	s.Name = "disks-membership"
	disks := Disks()
	s.Faults = disks.Faults
	s.Faults.Count = 40
	s.Faults.Situations = slices.Concat(netsim.DiskPoints(), situations())
	s.Disk, s.SlowDisk = disks.Disk, disks.SlowDisk
	s.Losses = Losses{}
	s.Promises = []string{
		ProbeCrashUnsynced, ProbeTailKept, ProbeReshardStarted, ProbeReshardSwitched, ProbeReshardAborted, ProbeMemberJoined, ProbeMemberLeft,
		ProbeLearns, ProbeServes, ProbeRetired,
	}
	return s
}

// scenarios is the registry, by name.
func scenarios() []Scenario {
	return []Scenario{Standard(), Restarts(), Single(), Situations(), Disks(), Lying(), Membership(), DisksMembership()}
}

// ScenarioNames lists them.
func ScenarioNames() []string {
	var names []string
	for _, s := range scenarios() {
		names = append(names, s.Name)
	}
	return names
}

// ScenarioNamed returns a registered scenario. The error lists the names there are.
func ScenarioNamed(name string) (Scenario, error) {
	for _, s := range scenarios() {
		if s.Name == name {
			return s, nil
		}
	}
	return Scenario{}, fmt.Errorf("kvsim: no scenario is named %q; known are: %s", name, strings.Join(ScenarioNames(), ", "))
}

// String describes the scenario in a line, for people.
func (s *Scenario) String() string {
	return fmt.Sprintf("%s: %s, %s, %s, %s, %d s of virtual time", s.Name, counted(s.Servers, "node"),
		counted(s.Shards, "shard"), counted(s.Workload.Clients, "session"), counted(s.Workload.Operations, "operation"), s.ChaosEnd/netsim.Second)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// names lists the nodes of the world: servers, then clients.
func (s *Scenario) names() []string {
	names := make([]string, 0, s.Servers+s.Workload.Clients)
	for i := range s.Servers {
		names = append(names, fmt.Sprintf("n%d", i+1))
	}
	for i := range s.Workload.Clients + s.Administration.Clients {
		names = append(names, fmt.Sprintf("c%d", i+1))
	}
	return names
}

// founders is the number of the servers that form the store.
func (s *Scenario) founders() int {
	if s.Founders == 0 {
		return s.Servers
	}
	return s.Founders
}

// startAt draws when the nodes come that do not form the store.
func (s *Scenario) startAt(seed netsim.Seed) (at []netsim.Time) {
	for i := s.founders(); i < s.Servers; i++ {
		for len(at) < i {
			at = append(at, 0)
		}
		draw := seed.Stream("late", uint64(i))
		at = append(at, draw.Between(s.Late.Min, s.Late.Max))
	}
	return at
}

// Plan appends the operations of a seed, sorted by client and then by time.
func (s *Scenario) Plan(seed netsim.Seed, into []Operation) []Operation {
	into = s.Workload.Plan(seed, s.Servers, Keys(s.Workload.Keys), into)
	return s.Administration.Plan(seed, s.Workload.Clients, s.Servers, into)
}

// disk draws the disks of a seed.
func (s *Scenario) disk(seed netsim.Seed) netsim.DiskModel {
	if s.SlowDisks.Hits(seed.Draw("slow disks")) {
		return s.SlowDisk
	}
	return s.Disk
}

// Schedule draws the faults of a seed.
func (s *Scenario) Schedule(seed netsim.Seed) netsim.Schedule {
	schedule := append(s.drawn(s.Faults, seed, netsim.FirstNodes(s.Servers)), s.Losses.draw(seed, s)...)
	draw := seed.Stream("liar")
	liar := netsim.NodeID(draw.Below(uint64(s.Servers)))
	schedule = append(schedule, s.drawn(s.Liar, netsim.Seed(draw.Uint64()), netsim.Nodes(liar))...)
	if s.Lags.Count == 0 {
		return schedule
	}
	// Shards are filled with contiguous groups of the founders, the larger ones first.
	small, more := s.founders()/s.Shards, s.founders()%s.Shards
	first := 0
	for shard := range s.Shards {
		size := small
		if shard < more {
			size++
		}
		members := netsim.FirstNodes(first+size) &^ netsim.FirstNodes(first)
		schedule = append(schedule, s.drawn(s.Lags, netsim.Seed(seed.Draw("lags", uint64(shard))), members)...)
		first += size
	}
	slices.SortStableFunc(schedule, func(a, b netsim.Fault) int { return cmp.Compare(a.At, b.At) })
	return schedule
}

func (s *Scenario) drawn(swarm netsim.Swarm, seed netsim.Seed, targets netsim.NodeSet) netsim.Schedule {
	if swarm.Count == 0 {
		return nil
	}
	swarm.Targets = targets
	swarm.Begin, swarm.End = 0, s.ChaosEnd
	return swarm.Draw(seed)
}
