package consensus_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/core/consensus"
)

// leader runs the world until there is one leader whom all running members know.
func (w *world) leader() *slot {
	w.t.Helper()
	for range 200 {
		w.flow(100 * time.Millisecond)
		for _, s := range w.slots {
			if s.log != nil && s.log.Leading() && !slices.ContainsFunc(w.slots, func(o *slot) bool {
				return o.log != nil && slices.Contains(w.known.members, o.life) && o.log.Status().Leader != s.life
			}) {
				return s
			}
		}
	}
	w.t.Fatalf("no leader:\n%s", w.describe())
	return nil
}

// others are all slots but some.
func (w *world) others(but ...*slot) []*slot {
	return slices.DeleteFunc(slices.Clone(w.slots), func(s *slot) bool { return slices.Contains(but, s) })
}

func (w *world) stop(s *slot) {
	s.log, s.unsynced = nil, nil
}

func (w *world) sever(from, to *slot) { w.cut[[2]int{from.index, to.index}] = true }

// must has wishes proposed until they come true.
func (w *world) must(wishes ...string) {
	w.t.Helper()
	w.wishes = append(w.wishes, wishes...)
	for range 100 {
		for _, wish := range slices.Clone(w.wishes) {
			for _, s := range w.slots {
				if s.log != nil && s.log.Leading() {
					w.propose(s, wish)
				}
			}
		}
		w.flow(100 * time.Millisecond)
		if len(w.wishes) == 0 {
			return
		}
	}
	w.t.Fatalf("%q do not come true:\n%s", w.wishes, w.describe())
}

func ids(from, to consensus.ID) []consensus.ID {
	var all []consensus.ID
	for id := from; id <= to; id++ {
		all = append(all, id)
	}
	return all
}

func TestGenesis(t *testing.T) {
	w := newCluster(t, 9, 100)
	for _, s := range w.slots {
		status := s.log.Status()
		if !slices.Equal(status.Voters, ids(1, 7)) || !slices.Equal(status.Learners, ids(8, 9)) ||
			status.Term != 1 || status.Applied != 1 || status.Last != 1 || status.LastTerm != 1 || status.Leader != 0 {
			t.Errorf("node %d begins with %+v", s.life, status)
		}
		if !slices.Equal(s.state.members, ids(1, 9)) || len(s.unsynced[0].records) == 0 {
			t.Errorf("node %d begins with %v and %d records", s.life, s.state, len(s.unsynced[0].records))
		}
		if s.log.Propose([]byte("op")) {
			t.Errorf("node %d takes a proposal without a leader", s.life)
		}
	}
}

func TestJoinerWaits(t *testing.T) {
	w := newCluster(t, 1, 100)
	w.add(2, nil)
	s := w.slots[1]
	if status := s.log.Status(); len(status.Voters) > 0 || status.Term != 0 || len(s.unsynced[0].records) > 0 {
		t.Errorf("a node that joins begins with %+v and %d records", status, len(s.unsynced[0].records))
	}
	for range 100 {
		w.now += election
		w.act(s, func() {})
	}
	if s.log.Due() != math.MaxInt64 || len(s.log.Status().Voters) > 0 || s.log.Status().Term != 0 {
		t.Errorf("it does something by itself: due %v, %+v", s.log.Due(), s.log.Status())
	}
	w.lives = 2
	w.must("join 2")
	w.flow(5 * time.Second)
	if status := s.log.Status(); !slices.Equal(status.Voters, ids(1, 2)) || s.log.Due() == math.MaxInt64 {
		t.Errorf("after it joined: due %v, %+v", s.log.Due(), status)
	}
}

// TestAloneAtOnce: who is the only voter need not wait for another leader.
func TestAloneAtOnce(t *testing.T) {
	w := newCluster(t, 1, 100)
	s := w.slots[0]
	w.act(s, func() {})
	w.propose(s, "op 1")
	if !s.log.Leading() || len(s.state.applied) != 1 {
		t.Errorf("after two steps at one time: %+v", s.log.Status())
	}
	if s.log.Propose(nil) {
		t.Error("an empty proposal is taken")
	}
}

// TestFirstFounderLeadsAtOnce: nobody waits for an election timeout where a cluster begins, and the first
// founder tries again until enough of the others have begun too.
func TestFirstFounderLeadsAtOnce(t *testing.T) {
	w := newCluster(t, 3, 100)
	first := w.slots[0]
	w.flow(heartbeat)
	if !first.log.Leading() {
		t.Errorf("after one interval: %+v", first.log.Status())
	}
	w = newCluster(t, 3, 100)
	first = w.slots[0]
	late := w.others(first)
	for _, s := range late {
		w.stop(s)
	}
	w.flow(election / 2)
	for _, s := range late {
		w.boot(s)
	}
	w.flow(2 * heartbeat)
	if term := first.log.Status().Term; !first.log.Leading() || term != 2 {
		t.Errorf("two intervals after the others began it is in term %d, leading: %v", term, first.log.Leading())
	}
	// Later it is one like the others.
	w.stop(first)
	w.leader()
	w.boot(first)
	w.act(first, func() {})
	if due := first.log.Due() - w.now; due < election {
		t.Errorf("when it returns it stands after %v", due)
	}
}

// TestFirstFounderIsDown: the others do not wait for it for ever.
func TestFirstFounderIsDown(t *testing.T) {
	w := newCluster(t, 3, 100)
	w.stop(w.slots[0])
	leader := w.leader()
	if w.now < election || w.now > 4*election {
		t.Errorf("node %d leads after %v", leader.life, w.now)
	}
}

// TestDeafLeader: a leader that others hear, but that hears nobody, makes room for one that does.
func TestDeafLeader(t *testing.T) {
	w := newCluster(t, 3, 100)
	deaf := w.leader()
	for _, s := range w.others(deaf) {
		w.sever(s, deaf)
	}
	w.flow(3 * election)
	if deaf.log.Leading() {
		t.Error("the deaf leader still leads")
	}
	w.flow(3 * election)
	for _, s := range w.others(deaf) {
		if leader := s.log.Status().Leader; leader == 0 || leader == deaf.life {
			t.Errorf("node %d obeys %d", s.life, leader)
		}
	}
}

// TestLonelyVoterDisturbsNobody: a voter that does not hear the leader, and can reach the others,
// wins none of them over while they hear the leader.
func TestLonelyVoterDisturbsNobody(t *testing.T) {
	w := newCluster(t, 3, 100)
	leader := w.leader()
	lonely := w.others(leader)[0]
	w.sever(leader, lonely)
	w.sever(lonely, leader)
	term := leader.log.Status().Term
	w.flow(20 * election)
	if s := leader.log.Status(); !leader.log.Leading() || s.Term != term {
		t.Errorf("it led in term %d, now: %+v", term, s)
	}
	w.mend()
	w.must("op 1")
	w.flow(election)
	if len(lonely.state.applied) != 1 {
		t.Errorf("the voter does not catch up: %+v", lonely.log.Status())
	}
}

// TestPromotion: a place among the voters goes to no learner that is silent or behind.
func TestPromotion(t *testing.T) {
	const appendMessage = 3 // raftpb.MsgApp
	for name, hinder := range map[string]func(w *world, learner *slot){
		"silent": func(w *world, learner *slot) {
			w.stop(learner)
			w.flow(2 * election)
		},
		"behind": func(w *world, learner *slot) {
			w.lost = func(p packet) bool { return p.to == learner.life && p.payload[1] == appendMessage }
			w.must("op 1")
		},
	} {
		w := newCluster(t, 8, 100)
		leader := w.leader()
		hinder(w, w.slots[7])
		w.must(fmt.Sprintf("leave %d", w.others(leader)[0].life))
		w.flow(5 * election)
		if voters := leader.log.Status().Voters; len(voters) != 6 || slices.Contains(voters, 8) {
			t.Errorf("%s: voters are %d", name, voters)
		}
		w.lost = nil
		w.heal()
		if voters := w.leader().log.Status().Voters; len(voters) != 7 || !slices.Contains(voters, 8) {
			t.Errorf("%s no more: voters are %d", name, voters)
		}
	}
}

// TestLearnerForgetsSilentLeader: it does not go on to send proposals into the void.
func TestLearnerForgetsSilentLeader(t *testing.T) {
	w := newCluster(t, 8, 100)
	leader := w.leader()
	learner := w.slots[7]
	for _, s := range w.others(learner) {
		w.sever(s, learner)
	}
	if learner.log.Status().Leader != leader.life || !learner.log.Propose([]byte("op 1")) {
		t.Fatalf("the learner knows no leader: %+v", learner.log.Status())
	}
	w.flow(3 * election)
	if learner.log.Status().Leader != 0 || learner.log.Propose([]byte("op 2")) {
		t.Errorf("the learner holds on to %+v", learner.log.Status())
	}
}

// TestOverwritten: what a new leader overwrites is gone from the disk too, also where the new log is
// shorter.
func TestOverwritten(t *testing.T) {
	w := newCluster(t, 3, 100)
	old := w.leader()
	for _, s := range w.others(old) {
		w.sever(old, s)
		w.sever(s, old)
	}
	for i := range 5 {
		w.propose(old, fmt.Sprintf("op %d", i))
	}
	w.flow(5 * election)
	had := old.log.Status().Last
	w.mend()
	w.leader()
	w.flow(election)
	if last := old.log.Status().Last; last >= had || len(old.disk) != int(last)-1+2 {
		t.Errorf("the log ended at %d, ends at %d and has %d records", had, last, len(old.disk))
	}
	w.stop(old)
	w.boot(old)
	w.must("op 9")
}

// TestMajorityIsKept: to remove a voter that is alive while others are silent would leave the rest
// without a majority.
func TestMajorityIsKept(t *testing.T) {
	w := newCluster(t, 5, 100)
	w.leader()
	down := w.slots[3:]
	for _, s := range down {
		w.stop(s)
	}
	w.flow(2 * election)
	leader := w.leader()
	leaving := w.others(append(down, leader)...)[0]
	w.must(fmt.Sprintf("leave %d", leaving.life))
	w.flow(5 * election)
	// A new leader does not know yet who is silent.
	w.stop(leader)
	w.boot(leader)
	next := w.leader()
	w.flow(5 * election)
	if voters := next.log.Status().Voters; !slices.Equal(voters, ids(1, 5)) {
		t.Errorf("voters are %d", voters)
	}
	w.must("op 1") // with a majority
	w.heal()
	if voters := w.leader().log.Status().Voters; len(voters) != 4 || slices.Contains(voters, leaving.life) {
		t.Errorf("voters are %d", voters)
	}
}

// TestSilentGoFirst: of two voters to remove, the one that is alive must outlive the silent one.
func TestSilentGoFirst(t *testing.T) {
	w := newCluster(t, 3, 100)
	leader := w.leader()
	others := w.others(leader)
	alive, silent := others[0], others[1] // the alive one comes first in the order of IDs
	w.stop(silent)
	w.flow(2 * election)
	w.must(fmt.Sprintf("leave %d", alive.life), fmt.Sprintf("leave %d", silent.life), "op 1")
	w.flow(5 * election)
	if voters := leader.log.Status().Voters; !slices.Equal(voters, []consensus.ID{leader.life}) {
		t.Errorf("voters are %d", voters)
	}
}

// TestLeaderLeavesLast: a leader hands the whole cluster over before it goes.
func TestLeaderLeavesLast(t *testing.T) {
	w := newCluster(t, 3, 100)
	leader := w.leader()
	for range 3 {
		w.lives++
		w.add(w.lives, nil)
	}
	w.must("join 4", "join 5", "join 6", "leave 1", "leave 2", "leave 3")
	for range 1000 {
		w.flow(25 * time.Millisecond)
		if !leader.log.Leading() {
			break
		}
	}
	if status := leader.log.Status(); !slices.Equal(status.Voters, ids(4, 6)) {
		t.Errorf("when the leader goes, it leaves %+v", status)
	}
	w.must("op 1")
	w.flow(5 * election)
	if leader := leader.log.Status().Leader; leader != 0 {
		t.Errorf("who left still believes in leader %d", leader)
	}
}

// TestRollback: a disk that lost what it had called durable is found out.
func TestRollback(t *testing.T) {
	w := newCluster(t, 3, 100)
	w.forgetful = true
	leader := w.leader()
	w.must("op 1", "op 2")
	follower := w.others(leader)[0]
	old, had := maps.Clone(follower.disk), follower.durable
	w.must("op 3")
	w.flow(election)
	w.stop(follower)
	follower.disk, follower.durable = old, had
	w.boot(follower)
	w.flow(election / 2)
	if w.counts["rollback"] == 0 {
		t.Errorf("nobody noticed: %+v", follower.log.Status())
	}
}

// TestRollbackToOtherEntries: so is one that came back with entries of a leader before, which nobody else has any more:
// the leader knows how many entries it had, and it takes the old ones for them.
func TestRollbackToOtherEntries(t *testing.T) {
	w := newCluster(t, 3, 100)
	w.forgetful = true
	liar := w.leader()
	others := w.others(liar)
	for _, n := range others {
		w.stop(n)
	}
	for _, op := range []string{"lost 1", "lost 2", "lost 3", "lost 4"} {
		w.propose(liar, op)
	}
	w.flow(election / 2)
	old, had := maps.Clone(liar.disk), liar.durable
	w.stop(liar)
	for _, n := range others {
		w.boot(n)
	}
	w.leader()
	w.must("op 1")
	w.boot(liar)
	w.flow(5 * election)
	w.stop(liar)
	liar.disk, liar.durable = old, had
	w.boot(liar)
	w.flow(5 * election)
	w.must("op 2")
	w.flow(election)
	if w.counts["rollback"] == 0 {
		t.Errorf("nobody noticed: %+v", liar.log.Status())
	}
}

// TestOneHop: a proposal goes to the leader, and no further if that is none.
func TestOneHop(t *testing.T) {
	w := newCluster(t, 3, 100)
	leader := w.leader()
	follower := w.others(leader)[0]
	w.propose(follower, "op 1")
	forwarded := slices.Clone(follower.unsynced[len(follower.unsynced)-1].messages)
	w.flow(election)
	if len(forwarded) != 1 || forwarded[0].To != leader.life || len(leader.state.applied) != 1 {
		t.Fatalf("%d messages forward a proposal; applied: %v", len(forwarded), leader.state.applied)
	}
	w.stop(leader)
	w.leader()
	w.boot(leader)
	w.leader()
	if result := leader.log.Step(follower.life, forwarded[0].Payload); result != consensus.Ignored {
		t.Errorf("a former leader takes a proposal: %d", result)
	}
	other := w.others(leader, follower)[0]
	if result := other.log.Step(follower.life, forwarded[0].Payload); result != consensus.Misdirected {
		t.Errorf("a message for another life: %d", result)
	}
	for _, payload := range [][]byte{nil, {}, {9}, forwarded[0].Payload[:5]} {
		if result := other.log.Step(follower.life, payload); result != consensus.Malformed {
			t.Errorf("payload %x: %d", payload, result)
		}
	}
	if result := leader.log.Step(leader.life, forwarded[0].Payload); result != consensus.Malformed {
		t.Errorf("a message of oneself: %d", result)
	}
}

// TestBounds: neither the records nor what a leader takes without a majority grow without end.
func TestBounds(t *testing.T) {
	w := newCluster(t, 2, 8)
	for i := range 300 {
		w.must(fmt.Sprintf("op %d", i))
	}
	w.flow(election)
	for _, s := range w.slots {
		if len(s.disk) > 8+2+2 {
			t.Errorf("node %d has %d records", s.life, len(s.disk))
		}
		w.stop(s)
		w.boot(s)
	}
	leader := w.leader()
	w.stop(w.others(leader)[0])
	taken := 0
	for taken < 100 && leader.log.Propose(bytes.Repeat([]byte("x"), 256<<10)) {
		taken++
	}
	if taken > 17 {
		t.Errorf("a leader without a majority takes %d proposals of 256 KiB", taken)
	}
}

// TestBytesAskForCompaction: few entries, but large ones.
func TestBytesAskForCompaction(t *testing.T) {
	w := newCluster(t, 1, 1000)
	leader := w.leader()
	for i := range 5 {
		w.must(fmt.Sprintf("op %d %s", i, bytes.Repeat([]byte("x"), 300<<10)))
	}
	if w.counts["compaction"] != 1 {
		t.Errorf("%d compactions, at %+v", w.counts["compaction"], leader.log.Status())
	}
}

func TestConfigErrors(t *testing.T) {
	good := consensus.Config{
		Self: 1, Founders: ids(1, 3), HeartbeatInterval: heartbeat, ElectionTimeout: election,
		Random: rand.New(rand.NewPCG(1, 1)),
	}
	for name, change := range map[string]func(*consensus.Config){
		"nobody":           func(c *consensus.Config) { c.Self = 0 },
		"reserved":         func(c *consensus.Config) { c.Self = math.MaxUint64 },
		"unsorted":         func(c *consensus.Config) { c.Founders = []consensus.ID{2, 1} },
		"repeated":         func(c *consensus.Config) { c.Founders = []consensus.ID{1, 1} },
		"zero founder":     func(c *consensus.Config) { c.Founders = []consensus.ID{0, 1} },
		"no heartbeats":    func(c *consensus.Config) { c.HeartbeatInterval = 0 },
		"hasty elections":  func(c *consensus.Config) { c.ElectionTimeout = heartbeat },
		"no jitter":        func(c *consensus.Config) { c.Random = nil },
		"negative compact": func(c *consensus.Config) { c.CompactAfter = -1 },
	} {
		config := good
		change(&config)
		if _, err := consensus.New(config, nil); !errors.Is(err, consensus.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := consensus.New(good, nil); err != nil {
		t.Error(err)
	}
}

// TestRecordErrors takes and breaks each record of a log.
func TestRecordErrors(t *testing.T) {
	w := newCluster(t, 1, 100)
	w.leader()
	w.must("op 1", "op 2", "op 3")
	config := consensus.Config{
		Self: 1, HeartbeatInterval: heartbeat, ElectionTimeout: election, Random: rand.New(rand.NewPCG(1, 1)),
	}
	disk := w.slots[0].disk
	try := func(name string, change func(disk map[string][]byte), fails bool) {
		t.Helper()
		changed := maps.Clone(disk)
		change(changed)
		var records []consensus.Record
		for key, value := range changed {
			records = append(records, consensus.Record{Key: []byte(key), Value: value})
		}
		if _, err := consensus.New(config, records); errors.Is(err, consensus.ErrRecords) != fails {
			t.Errorf("%s: %v", name, err)
		}
	}
	try("nothing", func(map[string][]byte) {}, false)
	for key, value := range disk {
		entry := key[0] == 'e' && key != slices.Max(slices.Collect(maps.Keys(disk)))
		try("without "+key, func(d map[string][]byte) { delete(d, key) }, key[0] != 'e' || entry)
		try("empty "+key, func(d map[string][]byte) { d[key] = nil }, true)
		try("short "+key, func(d map[string][]byte) { d[key] = value[:len(value)-1] }, true)
		try("other version of "+key, func(d map[string][]byte) { d[key] = append([]byte{2}, value[1:]...) }, true)
		try("long "+key, func(d map[string][]byte) { delete(d, key); d[key+"x"] = value }, true)
	}
	try("unknown", func(d map[string][]byte) { d["z"] = []byte{1} }, true)
	try("no key", func(d map[string][]byte) { d[""] = []byte{1} }, true)
}

// idle is a leader of three with nothing to do.
func idle(t testing.TB) (*world, *consensus.Log) {
	w := newCluster(t, 3, 100)
	leader := w.leader()
	w.flow(heartbeat / 2)
	return w, leader.log
}

func TestIdleAllocatesNothing(t *testing.T) {
	w, l := idle(t)
	var out consensus.Output
	desired := ids(1, 3)
	if n := testing.AllocsPerRun(100, func() {
		l.Tick(w.now)
		l.Ready(&out)
		l.Reconcile(desired)
	}); n != 0 || len(out.Messages) > 0 {
		t.Errorf("%v allocations, %d messages", n, len(out.Messages))
	}
}

func BenchmarkIdle(b *testing.B) {
	w, l := idle(b)
	var out consensus.Output
	for b.Loop() {
		l.Tick(w.now)
		l.Ready(&out)
	}
}

// BenchmarkCommit proposes, persists and commits an entry of 100 bytes in a cluster of three.
func BenchmarkCommit(b *testing.B) {
	var out [3]consensus.Output
	var logs [3]*consensus.Log
	for i := range logs {
		l, err := consensus.New(consensus.Config{
			Self: consensus.ID(i + 1), Founders: ids(1, 3), HeartbeatInterval: heartbeat, ElectionTimeout: election,
			Random: rand.New(rand.NewPCG(1, uint64(i))),
		}, nil)
		if err != nil {
			b.Fatal(err)
		}
		logs[i] = l
	}
	exchange := func() {
		for busy := true; busy; {
			busy = false
			for i, l := range logs {
				out[i].Reset()
				l.Ready(&out[i])
				for _, m := range out[i].Messages {
					logs[m.To-1].Step(consensus.ID(i+1), m.Payload)
					busy = true
				}
				if out[i].Compact {
					l.Compact([]byte("state"), &out[i])
				}
			}
		}
	}
	now := time.Duration(0)
	for !logs[0].Leading() && !logs[1].Leading() && !logs[2].Leading() {
		now += heartbeat
		for _, l := range logs {
			l.Tick(now)
		}
		exchange()
	}
	leader := logs[slices.IndexFunc(logs[:], (*consensus.Log).Leading)]
	data := bytes.Repeat([]byte("x"), 100)
	before := leader.Status().Applied
	b.ReportAllocs()
	n := uint64(0)
	for b.Loop() {
		if !leader.Propose(data) {
			b.Fatal("not proposed")
		}
		exchange()
		n++
	}
	if done := leader.Status().Applied - before; done != n {
		b.Fatalf("%d of %d committed", done, n)
	}
}
