package httpnode

import (
	"cmp"
	"slices"
	"time"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/token"
	"github.com/sequitur-kv/sequitur/core/view"
)

// snapshot is what a node knows of itself and of the others at one moment.
type snapshot struct {
	obstacle string // why it does not serve, "" when it does
	life     view.LifeID
	cluster  token.ClusterID // zero until the store has formed, like all below
	epoch    uint64
	replica  causal.ReplicaID
	shard    shard.ID
	shards   int
	have     causal.Vector // of each replica, what is covered in every slot where any of it is
	members  []memberFigures

	core.Figures
	engineFigures
	position, durable core.Position
	held              int // outputs that wait for the log
	room              room
}

// memberFigures are what a node knows of a member.
type memberFigures struct {
	view.Member
	state       memberState
	up          bool
	silent      time.Duration
	unconfirmed uint64 // own writes that it has not told it holds
	full        bool   // its disk is
}

// snapshot looks at everything in one go. A node that does not run has no figures.
func (e *engine) snapshot() snapshot {
	if err := e.err(); err != nil {
		return snapshot{obstacle: stopped(err)}
	}
	var s snapshot
	e.inspect(func(m machine) {
		s = snapshot{
			obstacle: m.Obstacle(), life: m.Life(), Figures: m.Figures(), engineFigures: e.figures,
			position: e.position, durable: e.durable, held: len(e.held.replies) + len(e.held.sends), room: e.room,
		}
		s.probes = slices.Clone(s.probes)
		configuration := m.Configuration()
		if configuration == nil {
			return
		}
		s.cluster, s.epoch, s.shards = configuration.Cluster, configuration.Epoch, len(configuration.Shards)
		s.replica, s.shard, s.have = m.Replica(), m.Shard(), covered(m.Have())
		for i, member := range configuration.Members {
			s.members = append(s.members, memberFigures{
				Member: member, state: stateOf(configuration, i), up: m.Up(i), silent: m.Silent(i), unconfirmed: m.Unconfirmed(i), full: m.Full(i),
			})
		}
	})
	return s
}

// covered is of each replica what have covers in every slot where it covers any of it.
func covered(have causal.Coverage) (least causal.Vector) {
	for i := range have {
		for _, dot := range have[i].Vector {
			at, known := slices.BinarySearchFunc(least, dot.Replica, func(d causal.Dot, r causal.ReplicaID) int { return cmp.Compare(d.Replica, r) })
			if !known {
				least = slices.Insert(least, at, dot)
			}
			least[at].Seq = min(least[at].Seq, dot.Seq)
		}
	}
	return least
}

// memberState is what a member is in the configuration.
type memberState string

const (
	stateInvited    memberState = "invited"    // was never seen
	stateUnassigned memberState = "unassigned" // has no shard
	stateLearning   memberState = "learning"   // copies its shard
	stateServing    memberState = "serving"    // owns its shard
	stateLeaving    memberState = "leaving"    // is being deleted, and hands over what only it holds
)

var memberStates = []memberState{stateInvited, stateUnassigned, stateLearning, stateServing, stateLeaving}

func stateOf(configuration *view.Configuration, i int) memberState {
	member := &configuration.Members[i]
	home := configuration.Shard(member.Shard)
	switch {
	case member.Life == 0:
		return stateInvited
	case member.Leaving:
		return stateLeaving
	case home == nil:
		return stateUnassigned
	case slices.Contains(home.Serving, i):
		return stateServing
	default:
		return stateLearning
	}
}
