package netsim

import (
	"encoding/binary"
	"fmt"
	"testing"
)

// beat is the node of these tests: every few milliseconds it sends its count to
// everybody, and it keeps what it saw.
type beat struct {
	id    NodeID
	peers int
	every Time
	until Time
	logs  bool // append a record per beat and send after it is durable

	boot   Boot[uint64]
	beats  uint64
	got    []receipt
	wakes  []Clock
	syncs  []Position
	synced []Time
}

type receipt struct {
	at    Time
	from  NodeID
	count uint64
}

func (b *beat) Start(now Clock, out *Outbox[uint64]) { out.WakeAt(now.Mono + b.every) }

func (b *beat) Receive(now Clock, from NodeID, count uint64, _ *Outbox[uint64]) {
	b.got = append(b.got, receipt{now.Mono, from, count})
}

func (b *beat) Wake(now Clock, out *Outbox[uint64]) {
	b.wakes = append(b.wakes, now)
	b.beats++
	after := Position(0)
	if b.logs {
		after = out.Append(binary.BigEndian.AppendUint64(nil, b.beats))
	}
	for to := range NodeID(b.peers) {
		if to != b.id {
			out.Send(to, b.beats, after)
		}
	}
	if now.Mono < b.until {
		out.WakeAt(now.Mono + b.every)
	}
}

func (b *beat) Synced(now Clock, upTo Position, _ *Outbox[uint64]) {
	b.syncs = append(b.syncs, upTo)
	b.synced = append(b.synced, now.Mono)
}

func (b *beat) AppendState(buf []byte) []byte {
	return binary.BigEndian.AppendUint64(buf, b.beats)
}

func encodeCount(buf []byte, count uint64) []byte {
	return binary.BigEndian.AppendUint64(buf, count)
}

// rig is a world of beats. Change config before the first call of run.
type rig struct {
	t      *testing.T
	config Config[uint64]
	world  *World[uint64]
	// all holds the incarnations of each node.
	all [][]*beat
}

func names(n int) []string {
	var list []string
	for i := 1; i <= n; i++ {
		list = append(list, fmt.Sprintf("n%d", i))
	}
	return list
}

// newRig makes n beats, one every 10 ms until 1 s, on links of exactly 5 ms.
func newRig(t *testing.T, n int, schedule string) *rig {
	t.Helper()
	r := &rig{t: t, all: make([][]*beat, n)}
	faults, err := ParseSchedule(schedule, names(n))
	if err != nil {
		t.Fatal(err)
	}
	r.config = Config[uint64]{
		Seed:  1,
		Names: names(n),
		Boot: func(boot Boot[uint64]) Node[uint64] {
			b := &beat{id: boot.ID, peers: n, every: 10 * Millisecond, until: Second, boot: boot}
			b.beats = uint64(len(boot.Records))
			r.all[boot.ID] = append(r.all[boot.ID], b)
			return b
		},
		Network:  Network{Latency: Range{5 * Millisecond, 5 * Millisecond}},
		Schedule: faults,
		End:      2 * Second,
		Encode:   encodeCount,
	}
	return r
}

// logging makes the beats write a log whose syncs take 3 ms.
func (r *rig) logging() *rig {
	plain := r.config.Boot
	r.config.Boot = func(boot Boot[uint64]) Node[uint64] {
		node := plain(boot)
		node.(*beat).logs = true
		return node
	}
	r.config.Disk.Sync = Range{3 * Millisecond, 3 * Millisecond}
	return r
}

func (r *rig) run() *rig {
	r.t.Helper()
	w, err := New(r.config)
	if err != nil {
		r.t.Fatal(err)
	}
	r.world = w
	if err := w.Run(); err != nil {
		r.t.Fatal(err)
	}
	return r
}

// got returns what a node received from another, over all its incarnations.
func (r *rig) got(at, from NodeID) []receipt {
	var list []receipt
	for _, b := range r.all[at] {
		for _, g := range b.got {
			if g.from == from {
				list = append(list, g)
			}
		}
	}
	return list
}

// between counts the receipts with low <= time < high.
func between(list []receipt, low, high Time) int {
	count := 0
	for _, g := range list {
		if low <= g.at && g.at < high {
			count++
		}
	}
	return count
}

// wantHeld wants no receipt in between, and count of them at the end of that time.
func wantHeld(t *testing.T, list []receipt, from, until Time, count int) {
	t.Helper()
	if n := between(list, from, until); n != 0 {
		t.Errorf("%d messages were handled from %v to %v, want none", n, from, until)
	}
	if burst := between(list, until, until+1); burst != count {
		t.Errorf("%d messages were handled at %v, want %d", burst, until, count)
	}
}

func (r *rig) touched() uint64 { return r.world.Faults()[0].Touched }
