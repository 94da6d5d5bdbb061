package consensus_test

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/consensus"
)

const (
	heartbeat = 100 * time.Millisecond
	election  = time.Second
)

// failer is what a test and a rapid run have in common.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// dice makes the choices of a run.
type dice interface {
	// roll returns a number below n.
	roll(n int, label string) int
}

// seeded dice are the same on every platform.
type seeded struct{ random *rand.Rand }

func (s seeded) roll(n int, _ string) int { return int(s.random.Uint64() % uint64(n)) }

// state is the application: what was applied, and who is to take part.
type state struct {
	applied []consensus.Entry // the first of its kind is a fact; the same proposal again is none
	members []consensus.ID    // in the order in which they came
}

func (s *state) apply(e consensus.Entry) {
	if slices.ContainsFunc(s.applied, func(a consensus.Entry) bool { return string(a.Data) == string(e.Data) }) {
		return
	}
	s.applied = append(slices.Clip(s.applied), e)
	s.members = slices.Clone(s.members)
	var id, other consensus.ID
	switch text := string(e.Data); {
	case scan(text, "join %d", &id):
		s.members = append(s.members, id)
	case scan(text, "leave %d", &id):
		s.members = slices.DeleteFunc(s.members, func(m consensus.ID) bool { return m == id })
	case scan(text, "replace %d by %d", &id, &other):
		if i := slices.Index(s.members, id); i >= 0 {
			s.members[i] = other
		}
	}
}

func scan(text, format string, ids ...any) bool {
	n, err := fmt.Sscanf(text, format, ids...)
	return err == nil && n == len(ids)
}

func (s *state) encode() []byte {
	buf := codec.AppendUint(nil, uint64(len(s.members)))
	for _, id := range s.members {
		buf = codec.AppendUint(buf, uint64(id))
	}
	buf = codec.AppendUint(buf, uint64(len(s.applied)))
	for _, e := range s.applied {
		buf = codec.AppendBytes(codec.AppendUint(buf, e.Index), e.Data)
	}
	return buf
}

func decodeState(data []byte) state {
	var s state
	r := codec.NewReader(data)
	for range r.Count(1) {
		s.members = append(s.members, consensus.ID(r.Uint()))
	}
	for range r.Count(2) {
		s.applied = append(s.applied, consensus.Entry{Index: r.Uint(), Data: r.Bytes()})
	}
	if r.Close() != nil {
		panic("a snapshot that no state wrote")
	}
	return s
}

// step is what one call produced: nothing of it leaves the node before all of its records, and those
// of the steps before, are durable.
type step struct {
	records  []consensus.Record
	messages []consensus.Message
	applied  []consensus.Entry
	leading  bool
	status   consensus.Status
}

// slot is a place where one life after the other runs.
type slot struct {
	index    int
	life     consensus.ID
	founders []consensus.ID
	log      *consensus.Log // nil: down
	state    state
	disk     map[string][]byte
	unsynced []step
	durable  consensus.Status // of the last step that is durable
	boots    int
	out      consensus.Output
}

type packet struct {
	from, to consensus.ID
	source   int // slot
	payload  []byte
}

// world runs slots by the choices of dice and holds them to what consensus promises.
type world struct {
	t       failer
	dice    dice
	genesis []byte
	compact int
	now     time.Duration
	slots   []*slot
	flying  []packet
	cut     map[[2]int]bool // from, to
	lives   consensus.ID    // so many there were
	dead    []consensus.ID  // of them; their memory is gone
	wishes  []string        // proposals that are not known to be committed
	told    int             // proposals so far
	history []consensus.Entry
	known   state                   // by history
	leaders map[uint64]consensus.ID // by term
	digest  hash.Hash
	counts  map[string]int

	forgetful bool              // disks may lose what is durable
	lost      func(packet) bool // further packets that do not arrive; nil: none
}

// newWorld lets dice choose how many nodes there are, and what will happen.
func newWorld(t failer, d dice) *world {
	w := newCluster(t, 1+d.roll(8, "founders"), 4+d.roll(12, "compact after"))
	w.dice = d
	return w
}

// newCluster starts a cluster for a test that makes its own choices.
func newCluster(t failer, founders, compact int) *world {
	w := &world{
		t: t, cut: map[[2]int]bool{}, leaders: map[uint64]consensus.ID{},
		digest: sha256.New(), counts: map[string]int{}, compact: compact,
	}
	for range founders {
		w.lives++
		w.known.members = append(w.known.members, w.lives)
	}
	w.genesis = w.known.encode()
	for _, id := range w.known.members {
		w.add(id, w.known.members)
	}
	return w
}

func (w *world) add(life consensus.ID, founders []consensus.ID) {
	s := &slot{index: len(w.slots), life: life, founders: founders, disk: map[string][]byte{}}
	w.slots = append(w.slots, s)
	w.boot(s)
}

// boot starts a slot from its disk and compares what it finds with what it had.
func (w *world) boot(s *slot) {
	w.t.Helper()
	var records []consensus.Record
	keys := make([]string, 0, len(s.disk))
	for key := range s.disk {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		records = append(records, consensus.Record{Key: []byte(key), Value: s.disk[key]})
	}
	s.boots++
	l, err := consensus.New(consensus.Config{
		Self: s.life, Founders: s.founders, Genesis: w.genesis, HeartbeatInterval: heartbeat, ElectionTimeout: election,
		Random: rand.New(rand.NewPCG(uint64(s.life), uint64(s.boots))), CompactAfter: w.compact,
	}, records)
	if err != nil {
		w.t.Fatalf("node %d does not start again: %v", s.life, err)
	}
	s.log, s.state, s.unsynced = l, state{}, nil
	w.act(s, func() {})
	if had, has := s.durable, l.Status(); len(records) > 0 &&
		(has.Term != had.Term || has.Last != had.Last || has.LastTerm != had.LastTerm || has.Applied != had.Applied ||
			has.Settled != had.Settled || has.Lost != had.Lost || !slices.Equal(has.Voters, had.Voters) || !slices.Equal(has.Learners, had.Learners)) {
		w.t.Fatalf("node %d starts again with %+v, had %+v", s.life, has, had)
	}
}

// act is one step of a node.
func (w *world) act(s *slot, call func()) {
	w.t.Helper()
	s.out.Reset()
	s.log.Tick(w.now)
	call()
	s.log.Ready(&s.out)
	w.obey(s)
	if s.log.Reconcile(s.state.members) {
		w.counts["change"]++
		s.log.Ready(&s.out)
		w.obey(s)
	}
	if s.out.Compact {
		w.counts["compaction"]++
		s.log.Compact(s.state.encode(), &s.out)
	}
	w.finish(s)
}

// obey applies what a node was told, once.
func (w *world) obey(s *slot) {
	w.t.Helper()
	if i := s.out.Installed; i.Index != 0 {
		if s.boots > 0 && len(s.state.members) > 0 {
			w.counts["snapshot"]++
		}
		s.state = decodeState(i.Data)
		s.out.Installed = consensus.Snapshot{}
		for _, e := range s.state.applied {
			w.compare(s, e)
		}
		w.pending(s).applied = append(w.pending(s).applied, s.state.applied...)
	}
	for _, e := range s.out.Committed {
		w.compare(s, e)
		if n := len(s.state.applied); n > 0 && s.state.applied[n-1].Index >= e.Index {
			w.t.Fatalf("node %d applies index %d after %d", s.life, e.Index, s.state.applied[n-1].Index)
		}
		s.state.apply(e)
	}
	w.pending(s).applied = append(w.pending(s).applied, s.out.Committed...)
	s.out.Committed = s.out.Committed[:0]
}

// pending is the step under way.
func (w *world) pending(s *slot) *step {
	if len(s.unsynced) == 0 || s.unsynced[len(s.unsynced)-1].status.Term != 0 {
		s.unsynced = append(s.unsynced, step{})
	}
	return &s.unsynced[len(s.unsynced)-1]
}

func (w *world) finish(s *slot) {
	w.t.Helper()
	p := w.pending(s)
	p.records, p.messages = slices.Clone(s.out.Records), slices.Clone(s.out.Messages)
	p.status, p.leading = s.log.Status(), s.log.Leading()
	if p.status.Term == 0 {
		p.status.Term = 1 // marks the step as complete; nothing of such a node is on record
		if len(p.records) > 0 {
			w.t.Fatalf("node %d has records in term 0", s.life)
		}
	}
	if len(p.status.Voters) > consensus.MaxVoters {
		w.t.Fatalf("node %d has %d voters", s.life, len(p.status.Voters))
	}
	buf := codec.AppendUint(nil, uint64(s.life))
	for _, r := range p.records {
		buf = codec.AppendBytes(codec.AppendBytes(buf, r.Key), r.Value)
	}
	for _, m := range p.messages {
		buf = codec.AppendBytes(codec.AppendUint(buf, uint64(m.To)), m.Payload)
	}
	for _, e := range p.applied {
		buf = codec.AppendBytes(codec.AppendUint(buf, e.Index), e.Data)
	}
	buf = codec.AppendUint(buf, uint64(s.log.Due()))
	w.digest.Write(codec.AppendBytes(nil, buf))
}

// compare holds an entry that a node applies against what others have applied at its index.
func (w *world) compare(s *slot, e consensus.Entry) {
	w.t.Helper()
	for _, h := range w.history {
		if h.Index == e.Index && string(h.Data) != string(e.Data) {
			w.t.Fatalf("node %d applies %q at index %d, others have %q", s.life, e.Data, e.Index, h.Data)
		}
	}
	for _, other := range w.slots {
		if other.log == nil {
			continue
		}
		for _, a := range other.state.applied {
			if a.Index == e.Index && string(a.Data) != string(e.Data) {
				w.t.Fatalf("node %d applies %q at index %d, node %d has %q", s.life, e.Data, e.Index, other.life, a.Data)
			}
		}
	}
}

// sync makes the oldest unsynced steps of a slot durable; a node that lives releases what waited.
func (w *world) sync(s *slot, count int) {
	w.t.Helper()
	for _, done := range s.unsynced[:count] {
		for _, r := range done.records {
			if r.Value == nil {
				delete(s.disk, string(r.Key))
			} else {
				s.disk[string(r.Key)] = r.Value
			}
		}
		s.durable = done.status
		if s.log != nil {
			w.release(s, done)
		}
	}
	s.unsynced = slices.Delete(s.unsynced, 0, count)
}

func (w *world) release(s *slot, done step) {
	w.t.Helper()
	for _, m := range done.messages {
		w.flying = append(w.flying, packet{from: s.life, to: m.To, source: s.index, payload: m.Payload})
	}
	for _, e := range done.applied {
		w.compare(s, e)
		if n := len(w.history); n == 0 || w.history[n-1].Index < e.Index {
			w.remember(e)
		}
	}
	if done.leading {
		term := done.status.Term
		if other, known := w.leaders[term]; known && other != s.life {
			w.t.Fatalf("nodes %d and %d both lead in term %d", other, s.life, term)
		}
		w.leaders[term] = s.life
	}
}

// remember adds an entry to what everybody may know.
func (w *world) remember(e consensus.Entry) {
	w.history = append(w.history, e)
	w.known.apply(e)
	w.wishes = slices.DeleteFunc(w.wishes, func(wish string) bool { return wish == string(e.Data) })
}

// deliver hands a packet over, unless its link is cut or its receiver is no more.
func (w *world) deliver(p packet) {
	w.t.Helper()
	for _, s := range w.slots {
		if s.life != p.to || s.log == nil || w.cut[[2]int{p.source, s.index}] || w.lost != nil && w.lost(p) {
			continue
		}
		w.act(s, func() {
			switch result := s.log.Step(p.from, p.payload); result {
			case consensus.Malformed, consensus.Misdirected:
				w.t.Fatalf("node %d gets a message of %d: %d", s.life, p.from, result)
			case consensus.Rollback:
				w.counts["rollback"]++
				if !w.forgetful {
					w.t.Fatalf("node %d finds that it forgot what it told %d", s.life, p.from)
				}
			default:
			}
		})
	}
}

// flow lets the world run undisturbed for some time, except for what is cut or down.
func (w *world) flow(d time.Duration) {
	w.t.Helper()
	const turn = 25 * time.Millisecond
	for end := w.now + d; w.now < end; {
		w.now += turn
		for _, s := range w.slots {
			if s.log != nil && w.now >= s.log.Due() {
				w.act(s, func() {})
			}
			w.sync(s, len(s.unsynced))
		}
		arriving := w.flying
		w.flying = nil
		for _, p := range arriving {
			w.deliver(p)
		}
	}
	for _, s := range w.slots {
		w.sync(s, len(s.unsynced))
	}
}

func (w *world) propose(s *slot, wish string) {
	w.t.Helper()
	w.act(s, func() {
		if s.log.Propose([]byte(wish)) {
			w.counts["proposal"]++
		}
	})
}

// bury lets a node know for certain that lives are over.
func (w *world) bury(s *slot, dead ...consensus.ID) {
	w.t.Helper()
	w.act(s, func() {
		for _, id := range dead {
			s.log.Bury(id)
		}
	})
}

// settled tells whether the members are those of the history, in the eyes of a leader.
func (w *world) settled() (*slot, bool) {
	for _, s := range w.slots {
		if s.log == nil || !s.log.Leading() || len(s.unsynced) > 0 {
			continue
		}
		status := s.log.Status()
		all := slices.Concat(status.Voters, status.Learners)
		wanted := slices.Clone(w.known.members)
		slices.Sort(all)
		slices.Sort(wanted)
		if slices.Equal(all, wanted) && len(status.Voters) == min(len(wanted), consensus.MaxVoters) &&
			slices.Equal(s.state.members, w.known.members) && !slices.ContainsFunc(w.wishes, aboutMembers) {
			return s, true
		}
	}
	return nil, false
}

func aboutMembers(wish string) bool { return !strings.HasPrefix(wish, "op ") }

// heal ends all faults and demands that everything wished for comes true in bounded time.
func (w *world) heal() {
	w.t.Helper()
	clear(w.cut)
	for _, s := range w.slots {
		if s.log == nil {
			w.boot(s)
		}
	}
	const bound = 60 * time.Second
	for begin := w.now; !w.complete(); {
		if w.now-begin > bound {
			w.t.Fatalf("not live again %v after the world healed:\n%s", bound, w.describe())
		}
		for _, s := range w.slots {
			w.bury(s, w.dead...)
		}
		for _, wish := range slices.Clone(w.wishes) {
			for _, s := range w.slots {
				w.propose(s, wish)
			}
		}
		w.flow(500 * time.Millisecond)
	}
}

// complete tells whether all wishes are known to all members.
func (w *world) complete() bool {
	w.t.Helper()
	if _, ok := w.settled(); !ok || len(w.wishes) > 0 {
		return false
	}
	for _, s := range w.slots {
		if !slices.Contains(w.known.members, s.life) {
			continue
		}
		if len(s.state.applied) < len(w.known.applied) {
			return false
		}
		if string(s.state.encode()) != string(w.known.encode()) {
			w.t.Fatalf("node %d ends with %v, others with %v", s.life, s.state, w.known)
		}
	}
	return true
}

func (w *world) describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "wishes %v, members %d\n", w.wishes, w.known.members)
	for _, s := range w.slots {
		fmt.Fprintf(&b, "slot %d, node %d, boots %d", s.index, s.life, s.boots)
		if s.log != nil {
			fmt.Fprintf(&b, ": leading %v %+v, applied %d of %d", s.log.Leading(), s.log.Status(), len(s.state.applied), len(w.history))
		}
		b.WriteString("\n")
	}
	return b.String()
}
