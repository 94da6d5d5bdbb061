package kvsim

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/hlc"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/store"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// The order of writing: an output waits for all that it reveals. The harness reads the records, so it finds an
// output that leaves too early in the step that makes it, without a crash that would prove it.

// The first bytes of the keys of records.
const (
	recordLife          = 'l'
	recordPledge        = 'p'
	recordConfiguration = 'g'
	recordLog           = 'r'
	recordState         = 's'
	recordCounters      = 'c'
	recordExecuted      = 'x'
	recordVersion       = 'v'
)

// executedWindow is how many counters of forwards of one life are told apart.
const executedWindow = 1 << 16

// unsynced is a record that is not known to be durable.
type unsynced struct {
	at  core.Position
	key []byte
	// value is empty for a deletion.
	value []byte
}

// ledger is what the process of a server has put on record since its boot.
type ledger struct {
	pending  []unsynced      // in their order
	before   core.Position   // of the disk, before the latest step
	have     causal.Coverage // all that was ever durable in this boot
	reserved uint64          // durably, of the counters of forwards
}

// append notes the records of a step; their memory stays.
func (l *ledger) append(at core.Position, records []core.Record) {
	for i := range records {
		l.pending = append(l.pending, unsynced{at: at, key: records[i].Key, value: records[i].Value})
	}
}

// synced notes up to where all is durable.
func (l *ledger) synced(upTo core.Position) {
	count, last := 0, -1
	for count < len(l.pending) && l.pending[count].at <= upTo {
		switch p := &l.pending[count]; p.key[0] {
		case recordState:
			last = count
		case recordCounters:
			l.reserved = max(l.reserved, p.counter())
		}
		count++
	}
	if last >= 0 {
		l.hold(l.pending[last].coverage())
	}
	l.pending = append(l.pending[:0], l.pending[count:]...)
}

func (l *ledger) hold(c causal.Coverage) {
	slots := c.Slots()
	l.have = l.have.Hold(&slots).RaiseAll(c)
}

// coveredAt is what is covered durably once the log is durable up to a position.
func (l *ledger) coveredAt(after core.Position) causal.Coverage {
	have := l.have
	for i := range l.pending {
		if p := &l.pending[i]; p.key[0] == recordState && p.at <= after {
			c := p.coverage()
			slots := c.Slots()
			have = have.Clone().Hold(&slots).RaiseAll(c)
		}
	}
	return have
}

// waits tells which record of those that are meant an output that waits for a position leaves before.
func (l *ledger) waits(after core.Position, what string, means func(p *unsynced) bool) error {
	for i := range l.pending {
		if p := &l.pending[i]; p.at > after && means(p) {
			return fmt.Errorf("it waits for position %d and tells of %s, which is on record at %d", after, what, p.at)
		}
	}
	return nil
}

func (p *unsynced) coverage() causal.Coverage {
	r := codec.NewReader(p.value)
	_ = hlc.Time(r.Uint())
	shard.ReadSet(&r)
	return causal.ReadCoverage(&r)
}

func (p *unsynced) counter() uint64 {
	r := codec.NewReader(p.value)
	return r.Uint()
}

// version is the dot of the version on record; zero if it is none.
func (p *unsynced) version() causal.Dot {
	if p.key[0] != recordVersion || len(p.value) == 0 {
		return causal.Dot{}
	}
	r := codec.NewReader(p.value)
	v := store.ReadVersion(&r)
	return v.Dot
}

// forward names a forward, as its executor does.
type forward struct {
	life    view.LifeID
	counter uint64
}

// answerWaits: an answer waits for the version that it names, and for the configuration that it was made in.
func answerWaits(r *run, o *observation) error {
	s, response := o.server, o.response
	plan := &r.plan[o.number]
	if err := s.configurationWaits(response.After, 0); err != nil {
		return err
	}
	if own := !r.fates[o.number].forwarded; own && plan.Op == wire.OpKeyCount && response.Status == wire.StatusAnswered {
		return s.everythingWaits(response.After, "the number of its keys")
	}
	if response.Dot == (causal.Dot{}) || r.relays(response.Dot) {
		return nil
	}
	return s.versionWaits(r, response.After, response.Dot)
}

// relays tells whether a step hands on what another node, which had it on disk, has answered of a version.
func (r *run) relays(dot causal.Dot) bool {
	if r.received == nil {
		return false
	}
	b, ok := r.received.Body.(*wire.Reply)
	return ok && b.Dot == dot
}

// messagesWait: so does a message, for all that it tells of its sender.
func messagesWait(r *run, o *observation) error {
	for i := range r.output.Sends {
		send := &r.output.Sends[i]
		if err := o.server.messageWaits(r, send.After, send.Message); err != nil {
			return fmt.Errorf("%s sends %s to %s too early: %w", r.names[o.server.index], bodyInWords(send.Message.Body), send.To, err)
		}
	}
	return nil
}

func bodyInWords(b wire.Body) string {
	switch b.(type) {
	case *wire.Heartbeat:
		return "a heartbeat"
	case *wire.Pull:
		return "a pull"
	case *wire.Batch:
		return "writes"
	case *wire.State:
		return "part of a copy"
	case *wire.Pledge:
		return "a pledge"
	case *wire.Forward:
		return "a forward"
	case *wire.Reply:
		return "the answer to a forward"
	case *wire.Raft, *wire.Propose:
		return "a message of the configuration log"
	case *wire.Configuration, *wire.Welcome:
		return "its configuration"
	default:
		return "a greeting"
	}
}

func (s *server) messageWaits(r *run, after core.Position, m *wire.Message) error {
	if m.From != s.life {
		return nil // it ended within this step, and what it was is over
	}
	l := &s.ledger
	if err := l.waits(after, "its life", func(p *unsynced) bool { return p.key[0] == recordLife }); err != nil {
		return err
	}
	if _, outside := m.Body.(*wire.Enter); !outside && m.Cluster != 0 {
		if err := s.configurationWaits(after, m.Epoch); err != nil {
			return err
		}
	}
	switch b := m.Body.(type) {
	case *wire.Pledge:
		return l.waits(after, "its pledge", func(p *unsynced) bool { return p.key[0] == recordPledge })
	case *wire.Heartbeat:
		return s.coverageWaits(after, b.Have)
	case *wire.Pull:
		if b.Boot != 0 {
			return nil // it goes on with a copy, from what the source itself has told
		}
		return s.coverageWaits(after, causal.Coverage{{Slots: b.Slots, Vector: b.Have}})
	case *wire.Batch:
		if err := s.versionWaits(r, after, causal.Dot{Replica: b.Replica, Seq: b.To}); err != nil {
			return err
		}
		for i := range b.Writes {
			if err := s.versionWaits(r, after, b.Writes[i].Dot); err != nil {
				return err
			}
		}
	case *wire.State:
		for i := range b.Versions {
			if err := s.versionWaits(r, after, b.Versions[i].Dot); err != nil {
				return err
			}
		}
		return s.everythingWaits(after, "what it holds")
	case *wire.Forward:
		if b.Counter>>63 != 0 && !b.Op.Writes() {
			return nil // of a node whose disk is full: it reserves nothing, and a read may run twice
		}
		return l.reserves(after, b.Counter)
	case *wire.Reply:
		return s.replyWaits(r, after, m, b)
	case *wire.Raft:
		if err := l.waits(after, "what its log has", func(p *unsynced) bool { return p.key[0] == recordLog }); err != nil {
			return err
		}
		return s.everythingWaits(after, "its log")
	case *wire.Propose, *wire.Configuration, *wire.Welcome:
		return s.everythingWaits(after, "its configuration")
	default:
	}
	return nil
}

// replyWaits: what a node answers another about a write waits for the mark that the forward may not run any more.
func (s *server) replyWaits(r *run, after core.Position, m *wire.Message, b *wire.Reply) error {
	if b.Status == wire.StatusWaiting || b.Status == wire.StatusFull { // which promise nothing
		return nil
	}
	if r.forwards[forward{m.To, b.Counter}].Writes() {
		id := codec.AppendUint(codec.AppendFixed64([]byte{recordExecuted}, uint64(m.To)), b.Counter%executedWindow)
		taken := func(p *unsynced) bool { return bytes.Equal(p.key, id) && p.counter() == b.Counter }
		err := s.ledger.waits(after, "a forward that was taken", taken)
		if err == nil && !slices.ContainsFunc(s.ledger.pending, func(p unsynced) bool { return taken(&p) }) {
			err = fmt.Errorf("it ends the forward %d of life %s, which is not on record as taken", b.Counter, m.To)
		}
		if err != nil {
			return err
		}
	}
	if b.Dot == (causal.Dot{}) || r.relays(b.Dot) {
		return nil
	}
	return s.versionWaits(r, after, b.Dot)
}

// versionWaits: of a version that the node puts on record, or of a write of its own.
func (s *server) versionWaits(r *run, after core.Position, dot causal.Dot) error {
	own := r.ghost.replica(dot.Replica)
	if w := r.ghost.lookup(dot); w != nil && own != nil && own.life == s.life && w.at > max(after, s.durable) {
		return fmt.Errorf("it waits for position %d and tells of the write %s, which is on record at %d", after, dot, w.at)
	}
	return s.ledger.waits(after, "the version "+dot.String(), func(p *unsynced) bool { return p.version() == dot })
}

// coverageWaits: of what a node says that it covers.
func (s *server) coverageWaits(after core.Position, claim causal.Coverage) error {
	if have := s.ledger.coveredAt(after); !have.CoversAll(claim) {
		return fmt.Errorf("it waits for position %d and claims %s, but durable is %s by then", after, inWords(claim), inWords(have))
	}
	return nil
}

// everythingWaits: of all that the node had before this step.
func (s *server) everythingWaits(after core.Position, what string) error {
	if after < s.ledger.before {
		return fmt.Errorf("it waits for position %d and tells of %s, and the log ended at %d before this step", after, what, s.ledger.before)
	}
	return nil
}

// configurationWaits: of the configuration in force, if an output is made with it; epoch says so for those of this
// step.
func (s *server) configurationWaits(after core.Position, epoch uint64) error {
	switched := s.adopted != nil && s.adopted.Epoch == epoch && (s.former == nil || s.former.Epoch != epoch)
	return s.ledger.waits(after, "its configuration", func(p *unsynced) bool {
		return p.key[0] == recordConfiguration && (p.at <= s.ledger.before || switched)
	})
}

// reserves: no counter of a forward is used before its reservation is durable.
func (l *ledger) reserves(after core.Position, counter uint64) error {
	reserved := l.reserved
	for i := range l.pending {
		if p := &l.pending[i]; p.key[0] == recordCounters && p.at <= after {
			reserved = max(reserved, p.counter())
		}
	}
	if counter > reserved {
		return fmt.Errorf("it waits for position %d and uses the counter %d, but durably reserved are those up to %d by then", after, counter, reserved)
	}
	return nil
}
