package consensus_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/core/consensus"
)

// voter is one of three founders whose messages the test carries.
type voter struct {
	id     consensus.ID
	log    *consensus.Log
	config consensus.Config
	disk   map[string][]byte
	sent   []consensus.Message
}

func newVoter(t *testing.T, id consensus.ID) *voter {
	t.Helper()
	v := &voter{id: id, disk: map[string][]byte{}, config: consensus.Config{
		Self: id, Founders: []consensus.ID{1, 2, 3}, Genesis: []byte("genesis"), Random: rand.New(rand.NewPCG(uint64(id), 0)),
		HeartbeatInterval: time.Second, ElectionTimeout: 10 * time.Second,
	}}
	v.start(t)
	return v
}

// start makes the log from what is on the disk.
func (v *voter) start(t *testing.T) {
	t.Helper()
	var records []consensus.Record
	for key, value := range v.disk {
		records = append(records, consensus.Record{Key: []byte(key), Value: value})
	}
	log, err := consensus.New(v.config, records)
	if err != nil {
		t.Fatal(err)
	}
	v.log, v.sent = log, nil
	v.work()
}

// work writes what is to be on record and collects the messages.
func (v *voter) work() {
	var out consensus.Output
	v.log.Ready(&out)
	for _, r := range out.Records {
		if r.Value == nil {
			delete(v.disk, string(r.Key))
		} else {
			v.disk[string(r.Key)] = r.Value
		}
	}
	v.sent = append(v.sent, out.Messages...)
}

// carry delivers the messages between two voters until there are none or the first one leads: what it
// sends then is lost, and so is what is for others.
func carry(a, b *voter) {
	for len(a.sent)+len(b.sent) > 0 && !a.log.Leading() {
		for _, pair := range [][2]*voter{{a, b}, {b, a}} {
			messages := pair[0].sent
			pair[0].sent = nil
			for _, m := range messages {
				if m.To == pair[1].id {
					pair[1].log.Step(pair[0].id, m.Payload)
					pair[1].work()
				}
			}
		}
	}
}

// TestVoteOutlivesRestart: 1 and 2 stand for election in the same term, knowing nothing of each other; 3
// votes for 1, crashes, and is asked by 2. Were the vote not on record, the term would have two leaders.
func TestVoteOutlivesRestart(t *testing.T) {
	first, second, third := newVoter(t, 1), newVoter(t, 2), newVoter(t, 3)
	stand := func(v *voter) {
		v.log.Tick(0)
		v.log.Tick(20 * time.Second)
		v.work()
		third.log.Tick(0)
		carry(v, third)
	}
	stand(first)
	if !first.log.Leading() {
		t.Fatal("the first candidate is not elected")
	}
	term := first.log.Status().Term
	third.start(t)
	stand(second)
	if status := second.log.Status(); second.log.Leading() && status.Term == term {
		t.Errorf("term %d has two leaders", term)
	}
}
