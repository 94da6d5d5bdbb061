package netsim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// parcel is a message that says what it depends on: the record with the number
// proof at the position after, in the log of its sender.
type parcel struct {
	id    uint64
	from  NodeID
	to    NodeID
	after Position
	proof uint64
	sent  Time
}

// model is what must be true of a world, whatever its faults.
type model struct {
	world  *World[parcel]
	logs   [][]uint64 // the log of each node, as it must be
	todo   [][]func(n *driven, now Clock, out *Outbox[parcel])
	wakeAt []Time // the timer, zero for none
	mono   []Time
	last   Time
	serial uint64
	// got counts the deliveries of each parcel, by id.
	got  []int
	sent []parcel
	err  error
}

func (m *model) expect(ok bool, format string, args ...any) {
	if !ok && m.err == nil {
		m.err = fmt.Errorf(format, args...)
	}
}

// driven is a node that does what the test put on its list, and checks what
// happens to it against the model.
type driven struct {
	m  *model
	id NodeID
}

func (n *driven) check(now Clock) {
	m := n.m
	m.expect(m.world.Up(n.id), "a node that is down is called")
	m.expect(now.Mono == m.world.Now(), "Mono is %v at %v", now.Mono, m.world.Now())
	m.expect(now.Mono >= m.mono[n.id], "Mono goes back")
	m.mono[n.id] = now.Mono
	if startAt := m.world.config.StartAt; int(n.id) < len(startAt) {
		m.expect(now.Mono >= startAt[n.id], "n%d is called before it starts", n.id+1)
	}
	truth := DefaultEpoch + int64(now.Mono)
	if m.world.Healed() {
		m.expect(now.Wall == truth, "a wrong clock after the chaos")
	}
	for _, index := range m.world.handlingFaults {
		f := &m.world.faults[index]
		m.expect(f.Kind != Pause || !f.Nodes.Has(n.id), "a paused node is called")
	}
}

func (n *driven) tick(now Clock, out *Outbox[parcel]) {
	for _, do := range n.m.todo[n.id] {
		do(n, now, out)
	}
	n.m.todo[n.id] = nil
	if n.m.wakeAt[n.id] == 0 {
		n.setWake(now.Mono+10*Millisecond, out)
	}
}

func (n *driven) setWake(at Time, out *Outbox[parcel]) {
	n.m.wakeAt[n.id] = at
	out.WakeAt(at)
}

func (n *driven) Start(now Clock, out *Outbox[parcel]) {
	n.m.wakeAt[n.id] = 0
	n.check(now)
	n.tick(now, out)
}

func (n *driven) Wake(now Clock, out *Outbox[parcel]) {
	n.check(now)
	at := n.m.wakeAt[n.id]
	n.m.expect(at != 0 && at <= now.Mono, "n%d wakes at %v, the timer says %v", n.id+1, now.Mono, at)
	n.m.wakeAt[n.id] = 0
	n.tick(now, out)
}

func (n *driven) Receive(now Clock, from NodeID, p parcel, _ *Outbox[parcel]) {
	n.check(now)
	m := n.m
	m.expect(p.from == from && p.to == n.id && p == m.sent[p.id], "%+v reaches n%d from n%d", p, n.id+1, from+1)
	m.expect(now.Mono >= p.sent+m.world.link(from, n.id).base, "a parcel is faster than its link")
	m.got[p.id]++
	if m.wiped(from) {
		return // its disk keeps no promise
	}
	log := m.logs[from]
	m.expect(p.after <= Position(len(log)) && (p.after == 0 || log[p.after-1] == p.proof),
		"a parcel arrived that depends on record %d, which a crash took", p.proof)
	m.expect(p.after <= m.world.Durable(from), "a parcel arrived before its record is durable")
}

func (n *driven) Synced(now Clock, upTo Position, _ *Outbox[parcel]) {
	n.check(now)
	n.m.expect(upTo == n.m.world.Durable(n.id) && int(upTo) <= len(n.m.logs[n.id]), "synced up to %d", upTo)
}

func (n *driven) AppendState(buf []byte) []byte {
	return binary.LittleEndian.AppendUint64(buf, uint64(len(n.m.logs[n.id])))
}

// wiped reports whether a wipe has hit a node by now.
func (m *model) wiped(id NodeID) bool {
	for _, report := range m.world.Faults() {
		if f := report.Effect; f.Kind == Wipe && f.Nodes.Has(id) {
			return true
		}
	}
	return false
}

// boot checks that exactly the durable prefix is there.
func (m *model) boot(boot Boot[parcel]) Node[parcel] {
	log := m.logs[boot.ID]
	if boot.Count > 0 {
		durable := m.world.Durable(boot.ID)
		m.expect(boot.Wiped == (boot.Crashed == nil), "n%d hears of its disk: lost %t", boot.ID+1, boot.Wiped)
		m.expect(Position(len(boot.Records)) == durable && boot.Position == durable, "n%d boots with %d records of %d durable", boot.ID+1, len(boot.Records), durable)
		if boot.Crashed == nil { // wiped
			m.expect(durable == 0, "records survive a wipe")
			log = nil
		}
		log = log[:min(len(log), len(boot.Records))]
		m.expect(len(log) == len(boot.Records), "a record appeared from nowhere")
		for i := range log {
			m.expect(binary.LittleEndian.Uint64(boot.Records[i]) == log[i], "record %d is another one", i)
		}
	}
	m.logs[boot.ID] = log
	m.todo[boot.ID] = nil
	return &driven{m: m, id: boot.ID}
}

// queue gives a node something to do when it wakes next.
func (m *model) queue(id NodeID, do func(n *driven, now Clock, out *Outbox[parcel])) {
	m.todo[id] = append(m.todo[id], do)
}

func (m *model) append(id NodeID) {
	m.queue(id, func(_ *driven, _ Clock, out *Outbox[parcel]) {
		m.serial++
		m.logs[id] = append(slices.Clone(m.logs[id]), m.serial)
		position := out.Append(binary.LittleEndian.AppendUint64(nil, m.serial))
		m.expect(position == Position(len(m.logs[id])), "appended at %d", position)
	})
}

// send sends a parcel that depends on a record back positions from the newest.
func (m *model) send(id, to NodeID, back int) {
	m.queue(id, func(_ *driven, now Clock, out *Outbox[parcel]) {
		p := parcel{id: uint64(len(m.sent)), from: id, to: to, sent: now.Mono}
		p.after = Position(max(0, len(m.logs[id])-back))
		if p.after > 0 {
			p.proof = m.logs[id][p.after-1]
		}
		m.sent, m.got = append(m.sent, p), append(m.got, 0)
		out.Send(to, p, p.after)
	})
}

func (m *model) probe(id NodeID) {
	m.queue(id, func(_ *driven, _ Clock, out *Outbox[parcel]) { out.Probe("odd") })
}

func newModel(seed Seed, n int, schedule Schedule, startAt []Time) *model {
	m := &model{
		logs:   make([][]uint64, n),
		todo:   make([][]func(*driven, Clock, *Outbox[parcel]), n),
		wakeAt: make([]Time, n),
		mono:   make([]Time, n),
	}
	var err error
	m.world, err = New(Config[parcel]{
		Seed:     seed,
		Names:    names(n),
		Boot:     m.boot,
		Network:  Network{Latency: Range{at(1), at(9)}, Jitter: at(4), Loss: Ratio{1, 20}, Duplicate: Ratio{1, 20}, Reorder: seed&1 == 0},
		Disk:     DiskModel{Sync: Range{0, at(15)}},
		Schedule: schedule,
		StartAt:  startAt,
		ChaosEnd: Second,
		End:      1000 * Second,
		Encode: func(buf []byte, p parcel) []byte {
			return fmt.Appendf(buf, "%v", p)
		},
		Invariant: func(w *World[parcel]) error {
			m.expect(w.Now() >= m.last, "time goes back from %v to %v", m.last, w.Now())
			m.last = w.Now()
			return m.err
		},
	})
	m.expect(err == nil, "%v", err)
	return m
}

// finish runs past the chaos, sends one parcel over each link, and requires that
// all sent since arrive exactly once.
func (m *model) finish() error {
	m.runUntil(1200 * Millisecond)
	begin, first := m.world.Now(), len(m.sent)
	n := m.world.Len()
	living := n - m.world.Killed().Len()
	for from := range NodeID(n) {
		m.append(from)
		for to := range NodeID(n) {
			m.send(from, to, 0)
		}
	}
	m.runUntil(begin + 300*Millisecond)
	m.expect(len(m.sent) >= first+living*n, "%d parcels sent after the chaos, want %d", len(m.sent)-first, living*n)
	for _, p := range m.sent {
		if p.sent >= begin && !m.world.Killed().Has(p.to) {
			m.expect(m.got[p.id] == 1, "a parcel sent after the chaos arrived %d times", m.got[p.id])
		}
	}
	for _, report := range m.world.Faults() {
		m.expect(report.Effect.Kind != Kill || report.Effect.Nodes&^m.world.Killed() == 0, "a kill killed nobody")
	}
	for id := range NodeID(n) {
		if m.world.Killed().Has(id) {
			m.expect(!m.world.Up(id), "n%d came back", id+1)
			continue
		}
		m.expect(m.world.Up(id) && m.world.Durable(id) == Position(len(m.logs[id])), "n%d is down or behind its log", id+1)
	}
	return errors.Join(m.world.Violation(), m.err)
}

func (m *model) runUntil(at Time) {
	for m.world.Now() < at && m.world.Step() {
	}
}

// TestWorldAgainstModel drives a world by random actions through random faults.
func TestWorldAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const n = 4
		schedule := Schedule(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Fault {
			if rapid.IntRange(0, 2).Draw(t, "crash") == 0 { // the richest kind
				return Fault{
					Kind:  Crash,
					At:    Time(rapid.Int64Range(0, 3e8).Draw(t, "at")),
					For:   Time(rapid.Int64Range(1, 3e8).Draw(t, "for")),
					Nodes: NodeSet(rapid.Uint64Range(1, 1<<n-1).Draw(t, "nodes")),
				}
			}
			f := rapid.Custom(anyFault).Filter(func(f Fault) bool { return f.validate(n) == nil }).Draw(t, "fault")
			f.At, f.For = f.At%Second, 1+f.For%Second
			if f.Kind == Kill {
				f.For = 0
			}
			if rapid.Bool().Draw(t, "triggered") {
				makeTriggered(t, &f)
				f.When.Probe, f.When.By, f.When.Skip, f.When.After = "odd", f.When.By&FirstNodes(n), f.When.Skip%4, f.When.After%Second
			}
			f.Amount %= Second
			if f.Kind.hasAmount() && f.Amount == 0 {
				f.Amount = 1
			}
			return f
		}), 0, 8).Draw(t, "schedule"))
		seed := Seed(rapid.Uint64().Draw(t, "seed"))
		// The same actions on a second world have to give the same digest.
		startAt := rapid.SliceOfN(rapid.SampledFrom([]Time{0, 0, at(30), at(700)}), 0, n).Draw(t, "start at")
		m, twin := newModel(seed, n, schedule, startAt), newModel(seed, n, schedule, startAt)
		id := rapid.Custom(func(t *rapid.T) NodeID { return NodeID(rapid.IntRange(0, n-1).Draw(t, "node")) })
		both := func(do func(m *model)) { do(m); do(twin) }
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				if err := errors.Join(m.err, m.world.Violation()); err != nil {
					t.Fatal(err)
				}
			},
			"append": func(t *rapid.T) {
				node := id.Draw(t, "id")
				both(func(m *model) { m.append(node) })
			},
			"append and send": func(t *rapid.T) {
				from, to := id.Draw(t, "from"), id.Draw(t, "to")
				both(func(m *model) {
					m.append(from)
					m.send(from, to, 0)
				})
			},
			"send": func(t *rapid.T) {
				from, to, back := id.Draw(t, "from"), id.Draw(t, "to"), rapid.IntRange(0, 5).Draw(t, "back")
				both(func(m *model) { m.send(from, to, back) })
			},
			"probe": func(t *rapid.T) {
				node := id.Draw(t, "id")
				both(func(m *model) { m.probe(node) })
			},
			"timer": func(t *rapid.T) {
				node, in := id.Draw(t, "id"), Time(rapid.Int64Range(1, 4e7).Draw(t, "in"))
				both(func(m *model) {
					m.queue(node, func(n *driven, now Clock, out *Outbox[parcel]) { n.setWake(now.Mono+in, out) })
				})
			},
			"steps": func(t *rapid.T) {
				count := rapid.IntRange(1, 60).Draw(t, "count")
				both(func(m *model) {
					for range count {
						m.world.Step()
					}
				})
			},
		})
		both(func(m *model) {
			if err := m.finish(); err != nil {
				t.Fatal(err)
			}
		})
		if m.world.Digest() != twin.world.Digest() {
			t.Fatal("the twin world differs")
		}
	})
}
