package kvsim

import (
	"fmt"
	"slices"
	"testing"

	"github.com/sequitur-kv/sequitur/core/wire"
	"github.com/sequitur-kv/sequitur/netsim"
)

const (
	churnWipes    = 20
	churnReshards = 10
	churnEvery    = 8 * netsim.Second // between two losses of memory; a reshard follows every second one
	longestToken  = 120               // characters, of a session that knows all of six nodes
)

// churn is six nodes that forget in turn and are resharded in between, while a session at each node writes.
// Before and after that, a fresh session at each node reads what the one before it wrote last and writes to
// both shards: the token of the last one has seen all nodes.
func churn() (s Scenario, o Options, before, after []int32) {
	s = Membership()
	s.Name = "churn"
	s.Founders, s.Workload.Clients, s.Workload.Keys, s.Audits, s.MaxEvents = 0, 6, 4, 20, 400_000
	s.Servers, s.Administration.Clients = 6, 1
	s.Network.Duplicate, s.SlowDisks = netsim.Ratio{}, netsim.Ratio{}
	begin, length := 10*netsim.Second, churnWipes*churnEvery
	s.Phases = Phases{ChaosEnd: begin + length + 10*netsim.Second}
	s.Settled, s.End = s.ChaosEnd+40*netsim.Second, s.ChaosEnd+70*netsim.Second
	o.Schedule = netsim.Schedule{}
	for i := range churnWipes {
		o.Schedule = append(o.Schedule, netsim.Fault{
			Kind: netsim.Wipe, At: begin + churnEvery*netsim.Time(i), For: netsim.Second, Nodes: netsim.Nodes(netsim.NodeID(i % s.Servers)),
		})
	}
	for client := range s.Servers {
		number := 0
		ask := func(at netsim.Time, node int, op wire.Op, key string) int32 {
			operation := Operation{
				Client: client, Number: number, At: at, Node: node, Op: op, Key: key, Timeout: 3 * netsim.Second,
			}
			if op == wire.OpPut {
				operation.Value = fmt.Sprintf(`"%s-%d"`, clientName(client), number)
			}
			o.Plan = append(o.Plan, operation)
			number++
			return int32(len(o.Plan) - 1)
		}
		fresh := func(at netsim.Time) int32 {
			o.Plan[ask(at, client, wire.OpGet, "k0")].Fresh = true
			ask(at, client, wire.OpPut, "k1")
			return ask(at, client, wire.OpPut, "k0")
		}
		before = append(before, fresh(5*netsim.Second+netsim.Time(client)*100*netsim.Millisecond))
		for at := begin; at < begin+length; at += churnEvery / 4 {
			ask(at+netsim.Time(client)*50*netsim.Millisecond, client, wire.OpPut, s.keyOf(client, number))
		}
		after = append(after, fresh(s.ChaosEnd+10*netsim.Second+netsim.Time(client)*100*netsim.Millisecond))
	}
	for i := range churnReshards {
		o.Plan = append(o.Plan, Operation{
			Client: s.Servers, Number: i, At: begin + churnEvery*netsim.Time(2*i) + 5*netsim.Second, Node: i % s.Servers,
			Op: wire.OpReshard, Count: 3 - i%2, Timeout: 8 * netsim.Second,
		})
	}
	return s, o, before, after
}

func (s *Scenario) keyOf(client, number int) string {
	return Keys(s.Workload.Keys)[(client+number)%s.Workload.Keys]
}

// TestTokensDoNotGrow: ten reshards and twenty losses of memory leave nothing in the tokens of those who come
// later, and the tokens of those who were there are honoured (the audit asks with them).
func TestTokensDoNotGrow(t *testing.T) {
	s, options, before, after := churn()
	runner := NewRunner(s)
	result := runner.RunWith(1, options)
	if result.Verdict != Holds {
		t.Fatalf("%s\n%s", result.Failure.Headline(), result.Failure.Explanation)
	}
	r := runner.run
	probes := func(name string) uint64 {
		i := slices.IndexFunc(result.Probes, func(p netsim.ProbeCount) bool { return p.Name == name })
		if i < 0 {
			return 0
		}
		return result.Probes[i].Count
	}
	if n := probes(ProbeReshardSwitched); n != churnReshards {
		t.Errorf("%d reshards came into force, want %d", n, churnReshards)
	}
	if n := len(r.ghost.newest.Ended); n != churnWipes {
		t.Errorf("%d lives have ended, want %d", n, churnWipes)
	}
	longest := func(numbers []int32) (characters, dots int) {
		for _, number := range numbers {
			f := &r.fates[number]
			if f.ending != succeeded {
				t.Fatalf("operation %d ended as %d, %s", number+1, f.ending, f.status)
			}
			characters, dots = max(characters, len(f.token)), max(dots, len(f.got.Vector))
		}
		return characters, dots
	}
	first, firstDots := longest(before)
	last, lastDots := longest(after)
	t.Logf("tokens have %d characters and %d dots at first, %d and %d after %d replica ids; %d tokens were collected",
		first, firstDots, last, lastDots, r.ghost.newest.NextReplica-1, len(r.collected))
	if firstDots != s.Servers || lastDots > s.Servers {
		t.Errorf("the last token names %d of %d nodes at first, %d replica ids in the end", firstDots, s.Servers, lastDots)
	}
	if last > longestToken {
		t.Errorf("a token has %d characters, want %d at most", last, longestToken)
	}
	for _, number := range after {
		for _, dot := range r.fates[number].got.Vector {
			if r.ghost.newest.Assignment(dot.Replica) == nil {
				t.Errorf("the token of %s names replica id %d, which has retired", r.names[r.plan[number].Node], dot.Replica)
			}
		}
	}
	if asked := s.Audits * s.Workload.Clients; len(r.collected) < asked {
		t.Errorf("the audit asks %d times with %d tokens", asked, len(r.collected))
	}
}
