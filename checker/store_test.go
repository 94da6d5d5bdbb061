package checker

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// update is a write on its way between the replicas of the store.
type update struct {
	operation Operation
	after     []int // by replica: how many of its updates have to be applied before
}

// store is a last-writer-wins store with a replica per session and causal delivery.
type store struct {
	logs    [][]update
	applied [][]int       // by replica, then by origin
	content [][]Operation // by replica, then by key: the winning write, or the zero Operation
	clock   []uint64
}

func newStore(replicas, keys int) *store {
	s := &store{logs: make([][]update, replicas), clock: make([]uint64, replicas)}
	for range replicas {
		s.applied = append(s.applied, make([]int, replicas))
		s.content = append(s.content, make([]Operation, keys))
	}
	return s
}

func (s *store) apply(replica, key, origin int, op Operation) {
	s.applied[replica][origin]++
	s.clock[replica] = max(s.clock[replica], op.Stamp.Clock)
	if s.content[replica][key].Stamp.Compare(op.Stamp) < 0 {
		s.content[replica][key] = op
	}
}

// deliver applies the next update of an origin if everything before it has arrived.
func (s *store) deliver(replica, origin int) bool {
	next := s.applied[replica][origin]
	if origin == replica || next == len(s.logs[origin]) {
		return false
	}
	u := s.logs[origin][next]
	for other, needed := range u.after {
		if s.applied[replica][other] < needed {
			return false
		}
	}
	s.apply(replica, int(u.operation.Key[1]-'0'), origin, u.operation)
	return true
}

// runStore returns what sessions saw in a run of the store, and what was left when all had arrived.
func runStore(rng *rand.Rand, operations int) (History, []Final) {
	replicas, keys := 2+rng.IntN(2), 1+rng.IntN(3)
	s := newStore(replicas, keys)
	var h History
	for len(h.Operations) < operations {
		replica, key := rng.IntN(replicas), rng.IntN(keys)
		op := Operation{Session: replica, Kind: Read, Key: fmt.Sprint("k", key), Outcome: Acknowledged}
		switch rng.IntN(3) {
		case 0:
			s.deliver(replica, rng.IntN(replicas))
			continue
		case 1:
			op.Version = s.content[replica][key].Version
		case 2:
			op.Kind = Write + Kind(rng.IntN(4)/3)
			op.Stamp = Stamp{Clock: s.clock[replica] + 1 + uint64(rng.IntN(40)), Tie: uint64(replica)}
			op.Version = fmt.Sprintf("%d.%d", replica, len(s.logs[replica]))
			after := slices.Clone(s.applied[replica])
			s.logs[replica] = append(s.logs[replica], update{op, after})
			s.apply(replica, key, replica, op)
		}
		h.Operations = append(h.Operations, op)
	}
	for moved := true; moved; {
		moved = false
		for replica := range replicas {
			for origin := range replicas {
				moved = s.deliver(replica, origin) || moved
			}
		}
	}
	var final []Final
	for _, op := range s.content[0] {
		if op.Version != "" {
			final = append(final, Final{Key: op.Key, Version: op.Version, Stamp: op.Stamp})
		}
	}
	slices.SortFunc(final, func(a, b Final) int { return int(a.Key[1]) - int(b.Key[1]) })
	return h, final
}
