package consensus_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core/consensus"
)

// maxSlots bounds the size of a world.
const maxSlots = 10

// action is something that may happen to a world; it returns false if it cannot happen now.
type action struct {
	name   string
	weight int
	do     func(*world) bool
}

func actions() []action {
	return []action{
		{"flow", 4, (*world).runFreely},
		{"advance", 4, (*world).advance},
		{"deliver", 12, (*world).deliverOne},
		{"drop", 2, (*world).dropOne},
		{"sync", 6, (*world).syncOne},
		{"propose", 6, (*world).proposeOne},
		{"wish", 4, (*world).proposeWish},
		{"crash", 2, (*world).crash},
		{"restart", 3, (*world).restart},
		{"cut", 2, (*world).cutOne},
		{"isolate", 1, (*world).isolate},
		{"mend", 2, (*world).mend},
		{"wipe", 6, (*world).wipe},
		{"tell", 6, (*world).tell},
		{"join", 1, (*world).join},
		{"leave", 4, (*world).leave},
		{"compact", 2, (*world).compactOne},
	}
}

// running picks a slot that is not down.
func (w *world) running() *slot {
	var up []*slot
	for _, s := range w.slots {
		if s.log != nil {
			up = append(up, s)
		}
	}
	if len(up) == 0 {
		return nil
	}
	return up[w.dice.roll(len(up), "slot")]
}

func (w *world) runFreely() bool {
	w.flow(time.Duration(1+w.dice.roll(20, "tenths")) * 100 * time.Millisecond)
	return true
}

func (w *world) advance() bool {
	w.now += time.Duration(1+w.dice.roll(300, "ms")) * time.Millisecond
	for _, s := range w.slots {
		if s.log != nil && w.now >= s.log.Due() {
			w.act(s, func() {})
		}
	}
	return true
}

func (w *world) deliverOne() bool {
	if len(w.flying) == 0 {
		return false
	}
	i := w.dice.roll(len(w.flying), "packet")
	p := w.flying[i]
	if w.dice.roll(4, "keep") > 0 { // else it will arrive again
		w.flying = slices.Delete(w.flying, i, i+1)
	}
	w.deliver(p)
	return true
}

func (w *world) dropOne() bool {
	if len(w.flying) == 0 {
		return false
	}
	i := w.dice.roll(len(w.flying), "packet")
	w.flying = slices.Delete(w.flying, i, i+1)
	return true
}

func (w *world) syncOne() bool {
	s := w.running()
	if s == nil || len(s.unsynced) == 0 {
		return false
	}
	w.sync(s, 1+w.dice.roll(len(s.unsynced), "steps"))
	return true
}

func (w *world) proposeOne() bool {
	s := w.running()
	if s == nil {
		return false
	}
	w.told++
	w.wishes = append(w.wishes, fmt.Sprintf("op %d", w.told))
	w.propose(s, w.wishes[len(w.wishes)-1])
	return true
}

func (w *world) proposeWish() bool {
	s := w.running()
	if s == nil || len(w.wishes) == 0 {
		return false
	}
	w.propose(s, w.wishes[w.dice.roll(len(w.wishes), "wish")])
	return true
}

// crash loses what was not durable; part of what was under way may have become so.
func (w *world) crash() bool {
	s := w.running()
	if s == nil {
		return false
	}
	w.counts["crash"]++
	s.log = nil
	w.sync(s, w.dice.roll(len(s.unsynced)+1, "steps"))
	s.unsynced = nil
	return true
}

func (w *world) restart() bool {
	for _, s := range w.slots {
		if s.log == nil && w.dice.roll(2, "restart") == 0 {
			w.boot(s)
			return true
		}
	}
	return false
}

func (w *world) cutOne() bool {
	w.cut[[2]int{w.dice.roll(len(w.slots), "from"), w.dice.roll(len(w.slots), "to")}] = true
	return true
}

func (w *world) isolate() bool {
	i := w.dice.roll(len(w.slots), "slot")
	for other := range w.slots {
		w.cut[[2]int{i, other}], w.cut[[2]int{other, i}] = true, true
	}
	return true
}

func (w *world) mend() bool {
	clear(w.cut)
	return true
}

// wipe takes the memory of members, and other lives begin in their places: of less than a majority of the
// voters at a time, or exactly half of them, and only while all others remember everything.
func (w *world) wipe() bool {
	leader, ok := w.settled()
	if !ok {
		return false
	}
	voters := leader.log.Status().Voters
	count := 1 + w.dice.roll(max(1, len(voters)/2), "count")
	begin := w.dice.roll(len(w.slots), "slot")
	var victims []*slot
	var lost []consensus.ID
	for i := range w.slots {
		if s := w.slots[(begin+i)%len(w.slots)]; len(victims) < count && slices.Contains(w.known.members, s.life) {
			victims = append(victims, s)
			if slices.Contains(voters, s.life) {
				lost = append(lost, s.life)
			}
		}
	}
	if len(lost) == len(voters) || 2*len(lost) == len(voters) && !w.recoverable(voters, lost) {
		return false
	}
	w.counts["wipe"] += len(victims)
	if 2*len(lost) == len(voters) {
		w.counts["half"]++
	}
	for _, s := range victims {
		w.amnesia(s)
	}
	return true
}

// recoverable tells whether all voters but some know, durably, that the last change of voters is over.
func (w *world) recoverable(voters, but []consensus.ID) bool {
	for _, s := range w.slots {
		d := &s.durable
		if slices.Contains(voters, s.life) && !slices.Contains(but, s.life) && (!d.Settled || !slices.Equal(d.Voters, voters)) {
			return false
		}
	}
	return true
}

// amnesia begins another life in the place of a member.
func (w *world) amnesia(s *slot) {
	w.lives++
	w.wishes = append(w.wishes, fmt.Sprintf("replace %d by %d", s.life, w.lives))
	w.dead = append(w.dead, s.life)
	s.life, s.founders, s.disk, s.log, s.boots = w.lives, nil, map[string][]byte{}, nil, 0
	s.durable = consensus.Status{}
	w.boot(s)
}

// tell lets a node know of a death.
func (w *world) tell() bool {
	s := w.running()
	if s == nil || len(w.dead) == 0 {
		return false
	}
	w.bury(s, w.dead[max(0, len(w.dead)-1-w.dice.roll(4, "death"))])
	return true
}

func (w *world) join() bool {
	if len(w.slots) == maxSlots {
		return false
	}
	w.counts["join"]++
	w.lives++
	w.wishes = append(w.wishes, fmt.Sprintf("join %d", w.lives))
	w.add(w.lives, nil)
	return true
}

// leave removes a member, perhaps the leader, but never two at a time.
func (w *world) leave() bool {
	if leader, ok := w.settled(); ok && len(w.known.members) > 1 {
		id := w.known.members[w.dice.roll(len(w.known.members), "member")]
		if w.dice.roll(2, "leader") == 0 {
			id = leader.life
		}
		w.counts["leave"]++
		w.wishes = append(w.wishes, fmt.Sprintf("leave %d", id))
		return true
	}
	return false
}

func (w *world) compactOne() bool {
	s := w.running()
	if s == nil || s.log.Status().Applied == 0 {
		return false
	}
	w.act(s, func() {
		s.log.Ready(&s.out)
		w.obey(s)
		s.log.Compact(s.state.encode(), &s.out)
	})
	return true
}

type drawn struct{ t *rapid.T }

func (d drawn) roll(n int, label string) int { return rapid.IntRange(0, n-1).Draw(d.t, label) }

// TestConsensus lets rapid choose what happens.
func TestConsensus(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, drawn{t})
		repeated := map[string]func(*rapid.T){}
		for _, a := range actions() {
			for i := range (a.weight + 1) / 2 {
				repeated[fmt.Sprint(a.name, i)] = func(t *rapid.T) {
					if !a.do(w) {
						t.Skip()
					}
				}
			}
		}
		t.Repeat(repeated)
		w.heal()
	})
}

// runSeed is a longer run of the same kind, the same for the same seed on every platform.
func runSeed(t failer, seed uint64, length int) *world {
	w := newWorld(t, seeded{rand.New(rand.NewPCG(seed, 0))})
	var deck []action
	for _, a := range actions() {
		for range a.weight {
			deck = append(deck, a)
		}
	}
	for range length {
		deck[w.dice.roll(len(deck), "action")].do(w)
	}
	w.heal()
	return w
}

// runHalves lets half of the voters forget everything, several times over, amid other faults.
func runHalves(t failer, d dice) *world {
	w := newCluster(t, 2+2*d.roll(3, "pairs"), 4+d.roll(12, "compact after"))
	w.dice = d
	var deck []action
	for _, a := range actions() {
		if a.name != "wipe" && a.name != "join" && a.name != "leave" {
			deck = append(deck, a)
		}
	}
	disturb := func() {
		for range d.roll(60, "length") {
			deck[d.roll(len(deck), "action")].do(w)
		}
	}
	for range 1 + d.roll(3, "rounds") {
		disturb()
		w.heal()
		for before := w.counts["half"]; w.counts["half"] == before; w.flow(heartbeat) {
			if w.wipe(); w.counts["half"] == before {
				w.heal()
			}
		}
		disturb()
		w.heal()
	}
	return w
}

// TestHalves demands that a cluster comes back by itself when half of its voters forget.
func TestHalves(t *testing.T) {
	for seed := *from; seed < *from+4**seeds; seed++ {
		runHalves(seedT{t, seed}, seeded{rand.New(rand.NewPCG(seed, 1))})
	}
	rapid.Check(t, func(t *rapid.T) { runHalves(t, drawn{t}) })
}

var (
	update = flag.Bool("update", false, "write testdata/digests.txt anew")
	seeds  = flag.Uint64("seeds", 12, "how many seeds TestSeeds runs")
	from   = flag.Uint64("from", 1, "the first seed of TestSeeds")
)

// TestSeeds must also reach the situations that make consensus hard.
func TestSeeds(t *testing.T) {
	total := map[string]int{}
	for seed := *from; seed < *from+*seeds; seed++ {
		w := runSeed(seedT{t, seed}, seed, 400)
		for name, n := range w.counts {
			total[name] += n
		}
		total["terms"] += len(w.leaders)
		total["committed"] += len(w.history)
	}
	t.Log(total)
	for _, name := range strings.Fields("proposal change compaction snapshot crash wipe join leave terms committed") {
		if total[name] == 0 {
			t.Errorf("no %s in %d seeds", name, *seeds)
		}
	}
}

type seedT struct {
	*testing.T
	seed uint64
}

func (s seedT) Fatalf(format string, args ...any) {
	s.T.Helper()
	s.T.Fatalf("seed %d: "+format, append([]any{s.seed}, args...)...)
}

// TestDigests compares every byte of some runs with those of other platforms, and of another run.
func TestDigests(t *testing.T) {
	const golden = "testdata/digests.txt"
	var b strings.Builder
	b.WriteString("# seed and digest of all records, messages and entries, the same on every platform\n")
	for seed := uint64(1); seed <= 4; seed++ {
		first, again := runSeed(t, seed, 200).digest.Sum(nil), runSeed(t, seed, 200).digest.Sum(nil)
		if string(first) != string(again) {
			t.Errorf("seed %d runs differently the second time", seed)
		}
		fmt.Fprintf(&b, "%d %x\n", seed, first[:8])
	}
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("digests differ from %s; if the change is meant, run: go test ./core/consensus -run Digests -update\n%s", golden, b.String())
	}
}
