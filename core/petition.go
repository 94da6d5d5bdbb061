package core

import (
	"fmt"
	"slices"
	"time"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// petition is an administrative request on its way: proposed until the log has decided it, then
// waiting until everybody who is up knows of it.
type petition struct {
	request   RequestID // zero: of the node's own
	op        Op
	operation view.Operation
	number    uint64 // in the log; zero: not proposed yet
	offered   bool   // a log may have it
	deadline  time.Duration
	due       time.Duration // of the next proposal; once decided, of the next one to do without a silent leaver
	decided   bool
	outcome   view.Outcome
	phase     view.Phase // of its reshard, when a configuration spoke of it last
	served    bool       // the assignment that it made has served
	skipped   bool       // or may have, in a configuration that this node was not told
}

// maxPetitions bounds the administrative requests that wait at one node.
const maxPetitions = 64

// administer takes an administrative request. A node has one of them decided at a time. It says who is up
// as it sees them; what that means for the request is decided where the log has it.
func (m *Machine) administer(r *Request) {
	p := &petition{request: r.ID, op: r.Op, deadline: m.mono + m.config.AdministrationWait}
	switch r.Op {
	case wire.OpInvite:
		p.operation = view.Invite{Address: r.Member}
	case wire.OpRemove:
		p.operation = view.Remove{Address: r.Member, Down: m.down()}
	case wire.OpAddMember:
		p.operation = view.AddMember{Address: r.Member, Shard: r.Shard, Down: m.down()}
	case wire.OpReshard:
		p.operation = view.StartReshard{Count: r.Count, Up: m.up()}
	default:
	}
	switch up, missing := m.majority(); {
	case m.noRoom:
		m.probe(ProbeFullRefused)
		m.settlePetition(p, Response{Status: wire.StatusFull, Reason: m.fullAt(m.self) + "; nothing was changed. Ask another node, or make room"})
		return
	case len(m.petitions) >= maxPetitions:
		m.probe(ProbeOverloaded)
		m.settlePetition(p, Response{Status: wire.StatusOverloaded})
		return
	case !up:
		m.noMajority(p, missing)
		return
	}
	m.petitions = append(m.petitions, p)
	m.pursue()
}

// up lists the members that are up, sorted by address.
func (m *Machine) up() (addresses []string) {
	for i := range m.configuration.Members {
		if m.detector.Up(i) {
			addresses = append(addresses, m.configuration.Members[i].Address)
		}
	}
	return addresses
}

// down lists the lives of the members that are not up, ascending. One that came since then is none of them.
func (m *Machine) down() (lives []view.LifeID) {
	for i := range m.configuration.Members {
		if life := m.configuration.Members[i].Life; life != 0 && !m.detector.Up(i) {
			lives = append(lives, life)
		}
	}
	slices.Sort(lives)
	return lives
}

// pursue brings the petitions forward.
func (m *Machine) pursue() {
	kept := m.petitions[:0]
	undecided := false
	for _, p := range m.petitions {
		if !p.decided && !undecided {
			undecided = !m.decide(p)
		}
		if p.decided && m.complete(p) || m.mono >= p.deadline && m.tooLate(p) {
			continue
		}
		kept = append(kept, p)
	}
	clear(m.petitions[len(kept):])
	m.petitions = kept
}

// decide proposes a petition, again and again until the configuration shows that it was applied, and
// tells whether it was.
func (m *Machine) decide(p *petition) bool {
	own := &m.configuration.Members[m.self]
	if p.number != 0 && own.LastRequest >= p.number {
		p.decided, p.outcome = true, own.LastOutcome
		p.deadline = m.mono + m.config.ReshardPatience
		return true
	}
	if m.mono < p.due || m.noRoom {
		return false
	}
	if p.number == 0 {
		p.number, _ = m.nextCounter()
	}
	p.due = m.mono + m.config.RetryInterval/2
	if m.propose(view.Request{By: m.founder.Life, Number: p.number, Operation: p.operation}) {
		p.offered = true
	} else {
		p.due = m.mono + m.config.HeartbeatInterval/4 // there is no leader: look again soon
	}
	return false
}

// complete answers a decided petition once it has come to its end, and tells whether it has.
func (m *Machine) complete(p *petition) bool {
	response := Response{Status: wire.StatusAnswered, Outcome: p.outcome}
	switch p.outcome.Result {
	case view.Done:
		if finished, status := m.finished(p); !finished {
			return false
		} else if status != 0 {
			response.Status = status
		}
		if response.Status == wire.StatusUnknown {
			m.probe(ProbeAdministrationUnknown)
			response.Reason = "another reshard has begun since"
			if p.op == wire.OpAddMember {
				response.Reason = "the node's part in the shard has ended since"
			}
		}
	case view.Already:
	default:
		response.Status = wire.StatusDeclined
	}
	m.settlePetition(p, response)
	return true
}

// finished tells whether what a petition set off is over, and how if not as it should be.
func (m *Machine) finished(p *petition) (over bool, status Status) {
	switch operation := p.operation.(type) {
	case view.Remove:
		at := m.configuration.MemberAt(operation.Address)
		return at < 0 || !m.configuration.Members[at].Leaving, 0
	case view.AddMember:
		a := m.configuration.Assignment(p.outcome.Replica)
		switch closed := a == nil || a.Stage == view.Closed; {
		case !closed:
			return a.Stage == view.Serving && m.everybodyKnows(), 0
		case p.served || a != nil && (!a.Fixed || len(a.Finals) > 0): // only who has served may have written something
			return true, 0 // what ended it came later
		case p.skipped && (a == nil || a.Claimed != 0): // who has not copied has not served
			return true, wire.StatusUnknown
		}
		return true, wire.StatusRolledBack
	case view.StartReshard:
		switch {
		case p.phase == view.Aborted:
			return true, wire.StatusRolledBack
		case p.phase != view.Switched && m.configuration.Reshard.Started != p.outcome.Index:
			return true, wire.StatusUnknown // it has ended in a configuration that this node was never told
		}
		return p.phase == view.Switched && m.everybodyKnows(), 0
	default:
		return true, 0
	}
}

// noteProgress notes how far what was asked for here has come, by a configuration that is or leads to the one in force:
// the next one may speak of another reshard, and not at all of an assignment. handed tells whether others may have come
// before it that this node was not told. However long the copies of a reshard took, there is time at the switch for
// everybody to learn of the new layout.
func (m *Machine) noteProgress(c *view.Configuration, handed bool) {
	reshard := &c.Reshard
	for _, p := range m.petitions {
		if reshard.By == m.founder.Life && reshard.Number == p.number {
			if p.phase == view.Copying && reshard.Phase == view.Switched {
				p.deadline = m.mono + m.config.ReshardPatience
			}
			p.phase = reshard.Phase
		}
		if p.op == wire.OpAddMember {
			a := c.Assignment(m.assignedBy(p, c))
			p.served = p.served || a != nil && a.Stage == view.Serving
			p.skipped = (p.skipped || handed) && (a == nil || a.Stage != view.Learning) // a stage never comes back
		}
	}
}

// assignedBy is the replica id that a petition led to, zero for none that is known.
func (m *Machine) assignedBy(p *petition, c *view.Configuration) causal.ReplicaID {
	outcome := p.outcome
	if i := c.MemberOf(m.founder.Life); !p.decided && p.number != 0 && i >= 0 && c.Members[i].LastRequest == p.number {
		outcome = c.Members[i].LastOutcome
	}
	return outcome.Replica
}

// everybodyKnows tells whether all members that are up have this configuration or a newer one.
func (m *Machine) everybodyKnows() bool {
	for i := range m.configuration.Members {
		if i != m.self && m.configuration.Members[i].Life != 0 && m.detector.Up(i) && m.peers[i].epoch < m.configuration.Epoch {
			return false
		}
	}
	return true
}

// tooLate answers a petition that waited long enough; it tells whether it did.
func (m *Machine) tooLate(p *petition) bool {
	up, missing := m.majority()
	if up {
		missing = "" // it does without
	}
	switch {
	case p.decided && p.phase == view.Copying:
		return false // whoever leads the log rolls it back when it makes no progress
	case p.decided:
		m.settlePetition(p, Response{Status: wire.StatusUnfinished, Outcome: p.outcome})
	case p.offered:
		reason := ""
		if missing != "" {
			reason = "missing " + missing
		}
		m.probe(ProbeAdministrationUnknown)
		m.settlePetition(p, Response{Status: wire.StatusUnknown, Reason: reason})
	default:
		m.noMajority(p, missing)
	}
	return true
}

func (m *Machine) noMajority(p *petition, missing string) {
	m.probe(ProbeNoMajority)
	reason := "No majority of the voting members: nobody leads them at the moment"
	switch {
	case len(m.raft.Status().Voters) == 0:
		reason = "No majority of the voting members: this node has not been told yet who they are; ask another one"
	case missing != "":
		reason = fmt.Sprintf("No majority of the voting members; missing %s", missing)
	}
	m.settlePetition(p, Response{Status: wire.StatusNoMajority, Reason: reason})
}

func (m *Machine) settlePetition(p *petition, response Response) {
	if p.request == 0 {
		return // of the node's own
	}
	response.ID = p.request
	response.After = m.latest()
	m.out.Replies = append(m.out.Replies, response)
}

// abandonPetitions answers the administrative requests of a node that does not belong to the store any more. If
// that is what one of them was for, it is done.
func (m *Machine) abandonPetitions() {
	for _, p := range m.petitions {
		response := Response{Status: wire.StatusUnknown, Reason: m.refusal}
		removal, _ := p.operation.(view.Remove)
		if p.decided && p.outcome.Result == view.Done && removal.Address == m.founder.Address {
			response = Response{Status: wire.StatusAnswered, Outcome: p.outcome}
		}
		m.settlePetition(p, response)
	}
	m.petitions = nil
}

// watchReshard rolls a reshard back that makes no progress, if this node leads the log. Entries that change neither who
// owns what nor how far the reshard is are none: requests that are declined since it copies, above all.
func (m *Machine) watchReshard() {
	reshard := &m.configuration.Reshard
	if reshard.Phase != view.Copying {
		m.watched = stalled{}
		return
	}
	now := stalled{
		started: reshard.Started, epoch: m.configuration.Epoch, prepared: m.configuration.Prepared(), copied: m.copying().Moved,
		since: m.watched.since,
	}
	if now != m.watched {
		m.watched, m.watched.since = now, m.mono
		return
	}
	if m.mono-m.watched.since < m.config.ReshardPatience || !m.raft.Leading() {
		return
	}
	m.watched.since = m.mono
	m.probe(ProbeReshardGivenUp)
	m.log("the reshard makes no progress: it is rolled back")
	m.petitions = append(m.petitions, &petition{
		operation: view.Abort{Started: reshard.Started}, deadline: m.mono + m.config.AdministrationWait,
	})
}

// insist has leavers that fell silent deleted, if that was asked for here: whoever was asked just
// after they went could not know, and they will not hand over anything. A short silence is waited out, for the sake
// of what only they hold.
func (m *Machine) insist() {
	for _, p := range m.petitions {
		removal, ok := p.operation.(view.Remove)
		if !ok || !p.decided || m.mono < p.due {
			continue
		}
		at := m.configuration.MemberAt(removal.Address)
		if at < 0 || m.detector.Up(at) || m.Silent(at) < m.config.ForwardTimeout {
			continue
		}
		leaver := &m.configuration.Members[at]
		if !leaver.Leaving || !m.propose(view.Expel{Life: leaver.Life}) {
			continue
		}
		p.due = m.mono + m.config.RetryInterval
		m.probe(ProbeLeaverSilent)
		m.log("%s was to leave and is down: it is deleted without what only it held", removal.Address)
	}
}

// stalled is how far a reshard had come when it was last seen to move.
type stalled struct {
	started, epoch uint64
	prepared       int    // members
	copied         uint64 // keys
	since          time.Duration
}

// copying sums up what all members say of their full copies.
func (m *Machine) copying() Progress {
	p := Progress{Moved: m.copied, ToMove: m.toCopy}
	for i := range m.peers {
		p.Moved += m.peers[i].copied
		p.ToMove += m.peers[i].toCopy
	}
	return p
}

// progress says how far the last reshard has come.
func (m *Machine) progressOfReshard() Progress {
	p := m.copying()
	switch m.configuration.Reshard.Phase {
	case view.Copying:
		p.Phase = PhaseCopying
	case view.Switched:
		for i := range m.configuration.Assignments {
			if m.configuration.Assignments[i].Stage == view.Closed {
				p.Phase = PhaseSwitched
			}
		}
	case view.NoReshard, view.Aborted:
	}
	p.ToMove = max(p.ToMove, p.Moved)
	return p
}
