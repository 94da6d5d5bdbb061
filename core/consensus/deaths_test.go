package consensus_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/sequitur-kv/sequitur/core/consensus"
)

// forget takes the memory of nodes, and tells all others.
func (w *world) forget(victims ...*slot) {
	w.t.Helper()
	for _, s := range victims {
		w.amnesia(s)
	}
	for _, s := range w.slots {
		if s.log != nil {
			w.bury(s, w.dead...)
		}
	}
}

// TestHalfForgets: the other half brings its successors in, and nothing is lost.
func TestHalfForgets(t *testing.T) {
	for _, voters := range []int{2, 4, 6} {
		for _, leads := range []bool{true, false} {
			w := newCluster(t, voters, 100)
			leader := w.leader()
			w.must("op 1", "op 2")
			w.flow(election)
			victims := w.others(leader)[:voters/2]
			if leads {
				victims[0] = leader
			}
			begin := w.now
			w.forget(victims...)
			w.heal()
			if took := w.now - begin; took > 10*election {
				t.Errorf("%d voters, leader among the dead: %v: it took %v", voters, leads, took)
			}
			if voters := w.leader().log.Status().Voters; len(voters) != len(w.slots) {
				t.Errorf("voters are %d", voters)
			}
			for _, s := range w.slots {
				for key := range s.disk {
					if key[0] == 'd' {
						t.Errorf("node %d still has a death on record: %x", s.life, key)
					}
				}
			}
			// Then the other half forgets.
			w.flow(election)
			w.forget(w.others(victims...)...)
			w.heal()
			w.must("op 3")
		}
	}
}

// TestOtherHalfIsUnanimous: no voter outside the buried half is passed over, neither in an election nor when
// an entry is to be committed.
func TestOtherHalfIsUnanimous(t *testing.T) {
	w := newCluster(t, 4, 100)
	leader := w.leader()
	other := w.others(leader)[0]
	w.flow(election)
	w.lost = func(p packet) bool { return p.to == other.life || p.from == other.life }
	w.forget(w.others(leader, other)...)
	w.propose(leader, "op 1")
	w.flow(election / 2)
	if !leader.log.Leading() {
		t.Error("a leader gives up before it can know that anybody is silent")
	}
	if len(w.history) > 0 {
		t.Error("an entry is committed that one voter lacks")
	}
	w.flow(10 * election)
	for _, s := range []*slot{leader, other} {
		if status := s.log.Status(); s.log.Leading() || len(w.history) > 0 || status.Lost {
			t.Errorf("node %d decides alone: %+v", s.life, status)
		}
	}
	both := func(id consensus.ID) bool { return id == leader.life || id == other.life }
	if !leader.log.Decides(both) || leader.log.Decides(func(id consensus.ID) bool { return id != other.life }) {
		t.Error("who decides is not who is left")
	}
	w.lost = nil
	w.heal()
}

// TestMoreThanHalfIsLost: what a majority decided may be known to nobody.
func TestMoreThanHalfIsLost(t *testing.T) {
	w := newCluster(t, 4, 100)
	leader := w.leader()
	w.must("op 1")
	w.flow(election)
	w.forget(w.others(leader)...)
	w.flow(20 * election)
	if status := leader.log.Status(); leader.log.Leading() || !status.Lost || leader.log.Decides(func(consensus.ID) bool { return true }) {
		t.Errorf("one of four goes on: %+v", status)
	}
	// Nor can a learner replace the only voter.
	w = newCluster(t, 1, 100)
	w.leader()
	w.lives++
	w.add(w.lives, nil)
	promoted := func(s *slot) bool { return slices.Contains(s.log.Status().Voters, 2) }
	w.lost = func(packet) bool { return promoted(w.slots[0]) } // nobody else hears of the promotion
	w.must("join 2")
	w.flow(5 * election)
	if promoted(w.slots[1]) {
		t.Fatal("the learner knows that it votes")
	}
	w.lost = nil
	w.forget(w.slots[0])
	w.flow(20 * election)
	if status := w.slots[1].log.Status(); w.slots[1].log.Leading() || !status.Lost {
		t.Errorf("a learner goes on: %+v", status)
	}
}

// TestUnsettledIsLost: as long as the voters before a change may have decided more, half of those after it
// do not go on without them.
func TestUnsettledIsLost(t *testing.T) {
	w := newCluster(t, 1, 100)
	w.leader()
	w.lives++
	w.add(w.lives, nil)
	s := w.slots[1]
	w.lost = func(p packet) bool { return p.to == s.life && len(s.log.Status().Voters) == 2 }
	w.must("join 2")
	w.flow(5 * election)
	if status := s.log.Status(); !slices.Equal(status.Voters, ids(1, 2)) || status.Settled || status.Lost {
		t.Fatalf("it knows of its promotion, and of nothing after it: %+v", status)
	}
	w.lost = nil
	w.forget(w.slots[0])
	w.flow(20 * election)
	if status := s.log.Status(); s.log.Leading() || !status.Lost {
		t.Errorf("it goes on: %+v", status)
	}
}

// promotion brings node 3 into a cluster of two, and then loses all that node 2, which leads, tells the nodes
// that deaf holds for.
func promotion(t *testing.T, deaf func(consensus.ID) bool) *world {
	w := newCluster(t, 2, 100)
	w.lost = func(p packet) bool { return p.from == 1 && p.payload[1] == 17 } // raftpb.MsgPreVote
	leader := w.leader()
	if leader.life != 2 {
		t.Fatalf("node %d leads", leader.life)
	}
	w.lives++
	w.add(w.lives, nil)
	w.lost = func(p packet) bool { return deaf(p.to) && len(leader.log.Status().Voters) == 3 }
	w.must("join 3")
	w.flow(5 * election)
	if status := w.slots[0].log.Status(); !slices.Equal(status.Voters, ids(1, 2)) || !slices.Equal(leader.log.Status().Voters, ids(1, 3)) ||
		status.Last == status.Applied {
		t.Fatalf("node 1 has %+v", status)
	}
	return w
}

// TestPendingVoterCounts: node 3 may be a voter already, as far as node 1 knows, so that it must be asked.
//
//	node 1  … i      i: node 3 votes
//	node 2  … i k    and forgets
//	node 3  … i k    k is committed by nodes 2 and 3
func TestPendingVoterCounts(t *testing.T) {
	w := promotion(t, func(id consensus.ID) bool { return id == 1 })
	w.must("op 1")
	w.lost = func(p packet) bool { return p.from == 3 || p.to == 3 }
	w.forget(w.slots[1])
	w.flow(10 * election)
	if status := w.slots[0].log.Status(); w.slots[0].log.Leading() || status.Lost {
		t.Errorf("node 1 leads without node 3, or gives up: %+v", status)
	}
	w.lost = nil
	w.heal()

	w = promotion(t, func(id consensus.ID) bool { return id == 1 })
	w.must("op 1")
	w.lost = nil
	w.forget(w.slots[1], w.slots[2])
	w.flow(10 * election)
	if status := w.slots[0].log.Status(); w.slots[0].log.Leading() || !slices.Equal(status.Voters, ids(1, 2)) || !status.Lost {
		t.Errorf("node 1 led or goes on waiting, although two of perhaps three forgot: %+v", status)
	}
}

// TestPendingVoterIsAsked: here node 3 does not know either whether it is a voter, and would never stand.
func TestPendingVoterIsAsked(t *testing.T) {
	w := promotion(t, func(consensus.ID) bool { return true })
	if voters := w.slots[2].log.Status().Voters; !slices.Equal(voters, ids(1, 2)) {
		t.Fatalf("node 3 knows the voters %d", voters)
	}
	w.lost = nil
	w.forget(w.slots[1])
	w.heal()
}

// TestDeathIsOnRecord: a restart makes nobody forget it.
func TestDeathIsOnRecord(t *testing.T) {
	w := newCluster(t, 2, 100)
	leader := w.leader()
	w.flow(election)
	s := w.others(leader)[0]
	w.amnesia(leader)
	w.bury(s, w.dead...)
	w.sync(s, len(s.unsynced))
	w.stop(s)
	w.boot(s)
	for range 10 {
		w.flow(election)
		for _, wish := range slices.Clone(w.wishes) {
			w.propose(s, wish)
		}
	}
	if !s.log.Leading() || len(w.wishes) > 0 {
		t.Errorf("after its restart: %+v", s.log.Status())
	}
}

// TestBuriedReturns: nobody listens any more to a life that counts as over, should it turn up with its old
// disk.
func TestBuriedReturns(t *testing.T) {
	w := newCluster(t, 2, 100)
	leader := w.leader()
	s := w.others(leader)[0]
	var beat packet
	w.lost = func(p packet) bool {
		if p.to == s.life {
			beat = p
		}
		return false
	}
	w.flow(election)
	if result := s.log.Step(beat.from, beat.payload); result != consensus.Stepped {
		t.Fatalf("a message of the living: %d", result)
	}
	w.forget(leader)
	if result := s.log.Step(beat.from, beat.payload); result != consensus.Ignored {
		t.Errorf("a message of the buried: %d", result)
	}
}

// TestBuriedHalfKeepsTheLeader: a leader that the other half hears goes on to lead, as long as nobody has
// decided to remove the dead.
func TestBuriedHalfKeepsTheLeader(t *testing.T) {
	w := newCluster(t, 4, 100)
	leader := w.leader()
	w.flow(election)
	term := leader.log.Status().Term
	w.forget(w.others(leader)[1:]...)
	for range 10 {
		w.flow(election)
		if status := leader.log.Status(); !leader.log.Leading() || status.Term != term || len(status.Voters) != 4 {
			t.Fatalf("after %v: %+v", w.now, status)
		}
	}
}

// TestDeathsAmongManyChangeLittle: as long as there is a majority, it decides as before. But nobody has to find
// out whether the dead are silent: they are removed at once.
func TestDeathsAmongManyChangeLittle(t *testing.T) {
	w := newCluster(t, 5, 100)
	old := w.leader()
	w.flow(election)
	w.forget(old, w.others(old)[0])
	leader := w.leader()
	for _, wish := range slices.Clone(w.wishes) {
		w.propose(leader, wish)
	}
	w.flow(election / 2)
	if status := leader.log.Status(); !leader.log.Leading() || status.Lost || slices.Contains(status.Voters, w.dead[0]) {
		t.Errorf("after two deaths: %+v", status)
	}
	w.heal()
}

// TestNothingFollowsPendingChange: a leader appends nothing while it does not know who decides about it.
func TestNothingFollowsPendingChange(t *testing.T) {
	w := newCluster(t, 3, 100)
	leader := w.leader()
	w.must("leave 3")
	w.flow(election / 2)                                                             // node 3 is alive, as far as the leader knows
	w.lost = func(p packet) bool { return p.to == leader.life && p.payload[1] == 4 } // raftpb.MsgAppResp
	for leader.log.Status().Last == leader.log.Status().Applied {
		w.flow(heartbeat / 4)
	}
	last := leader.log.Status().Last
	w.propose(leader, "op 1")
	for _, s := range w.others(leader) {
		w.propose(s, "op 2")
	}
	w.flow(heartbeat)
	if status := leader.log.Status(); !leader.log.Leading() || status.Last != last {
		t.Errorf("the log ended at %d: %+v", last, status)
	}
	w.lost = nil
	w.must("op 3")
}

// TestBuryIsForOthers: a node takes no notice of its own death, nor of one who is no member.
func TestBuryIsForOthers(t *testing.T) {
	w := newCluster(t, 1, 100)
	w.leader()
	w.add(9, nil)
	for _, s := range w.slots {
		had := fmt.Sprintf("%v %+v", s.disk, s.log.Status())
		w.bury(s, s.life, 0, 1)
		w.sync(s, len(s.unsynced))
		if has := fmt.Sprintf("%v %+v", s.disk, s.log.Status()); has != had {
			t.Errorf("node %d had %s, has %s", s.life, had, has)
		}
	}
	w.must("op 1")
}
