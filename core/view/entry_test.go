package view_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/view"
)

// entries is one of each kind.
func entries() []view.Entry {
	halves := shard.Initial(2)
	low, high := halves.SlotsOf(1), halves.SlotsOf(2)
	return []view.Entry{
		view.Request{By: 1, Number: 2, Operation: view.Invite{Address: "d:80"}},
		view.Request{By: 1, Number: 3, Operation: view.Remove{Address: "d:80"}},
		view.Request{By: 1, Number: 4, Operation: view.Remove{Address: "d:80", Down: []view.LifeID{3, 1 << 63}}},
		view.Request{By: 1, Number: 5, Operation: view.AddMember{Address: "d:80", Shard: 2, Down: []view.LifeID{4}}},
		view.Request{By: 1, Number: 6, Operation: view.StartReshard{Count: 2, Up: []string{"a:80", "b:80"}}},
		view.Request{By: 1, Number: 7, Operation: view.StartReshard{Count: 2}},
		view.Request{By: 1, Number: 1 << 60, Operation: view.Abort{Started: 300}},
		view.Enter{Address: "d:80", Life: 1 << 63, Instead: 7},
		view.Unseat{Life: 1 << 63}, view.Expel{Life: 1<<63 + 1},
		view.Report{Life: 9, Epoch: 4},
		view.Report{
			Life: 9, Epoch: 4, Sealed: []causal.Dot{{Replica: 3}, {Replica: 4, Seq: 5}}, Ready: []causal.ReplicaID{7, 1<<32 - 1},
			Have: causal.Coverage{{Slots: low, Vector: causal.Vector{{Replica: 3, Seq: 8}}}, {Slots: high}},
		},
	}
}

func TestEntryRoundTrip(t *testing.T) {
	for _, e := range entries() {
		r := codec.NewReader(view.AppendEntry(nil, e))
		got := view.ReadEntry(&r)
		if r.Close() != nil || !reflect.DeepEqual(normal(got), normal(e)) {
			t.Errorf("%#v is read as %#v: %v", e, got, r.Err())
		}
	}
}

// normal makes empty slices nil.
func normal(e view.Entry) view.Entry {
	report, ok := e.(view.Report)
	if !ok {
		return e
	}
	if len(report.Have) == 0 {
		report.Have = nil
	}
	for i := range report.Have {
		if len(report.Have[i].Vector) == 0 {
			report.Have[i].Vector = nil
		}
	}
	return report
}

func TestEntryIsRefused(t *testing.T) {
	for name, data := range map[string][]byte{
		"nothing":             {},
		"another version":     {2, 4},
		"an unknown kind":     {1, 99},
		"addresses unsorted":  append(append([]byte{1, 4}, make([]byte, 9)...), 2, 2, 1, 'b', 1, 'a'),
		"more than there are": append(append([]byte{1, 4}, make([]byte, 9)...), 2, 0x80, 0x80, 0x80, 1),
		"a replica id twice":  append(append([]byte{1, 7}, make([]byte, 9)...), 0, 2, 1, 0, 0),
		"seals unsorted":      append(append([]byte{1, 7}, make([]byte, 9)...), 2, 1, 1, 0, 1, 0, 0),
	} {
		r := codec.NewReader(data)
		if e := view.ReadEntry(&r); e != nil || r.Close() == nil {
			t.Errorf("%s: %x is read as %#v", name, data, e)
		}
	}
}

// FuzzEntry: whatever is accepted has no other encoding, and can be applied.
func FuzzEntry(f *testing.F) {
	for _, e := range entries() {
		f.Add(view.AppendEntry(nil, e))
	}
	founding := view.Found(view.Founding{ShardCount: 2, Founders: []view.Founder{
		{Address: "a", Life: 1}, {Address: "b", Life: 2}, {Address: "c", Life: 3}, {Address: "d", Life: 4},
	}})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := codec.NewReader(data)
		e := view.ReadEntry(&r)
		if r.Close() != nil {
			return
		}
		if again := view.AppendEntry(nil, e); !bytes.Equal(again, data) {
			t.Fatalf("%x is written as %x", data, again)
		}
		next, _ := founding.Apply(7, e)
		r = codec.NewReader(view.AppendConfiguration(nil, next))
		if view.ReadConfiguration(&r); r.Close() != nil {
			t.Fatalf("%#v leads to a configuration that is not read again", e)
		}
	})
}

// FuzzConfiguration: whatever is accepted has no other encoding, and goes on.
func FuzzConfiguration(f *testing.F) {
	c := view.Found(view.Founding{ShardCount: 2, Founders: []view.Founder{
		{Address: "a", Life: 1}, {Address: "b", Life: 2}, {Address: "c", Life: 3}, {Address: "d", Life: 4},
	}})
	f.Add(view.AppendConfiguration(nil, c))
	for i, e := range []view.Entry{
		view.Enter{Address: "a", Life: 5, Instead: 1},
		view.Report{Life: 2, Epoch: 2, Have: causal.Coverage{{Slots: c.Shards[0].Slots, Vector: causal.Vector{{Replica: 1, Seq: 9}}}}},
		view.Request{By: 2, Number: 1, Operation: view.StartReshard{Count: 1, Up: []string{"a", "b", "c", "d"}}},
	} {
		c, _ = c.Apply(uint64(i+2), e)
		f.Add(view.AppendConfiguration(nil, c))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := codec.NewReader(data)
		c := view.ReadConfiguration(&r)
		if r.Close() != nil {
			return
		}
		if again := view.AppendConfiguration(nil, c); !bytes.Equal(again, data) {
			t.Fatalf("%x is written as %x", data, again)
		}
		for _, e := range entries() {
			c, _ = c.Apply(c.Index+1, e)
			c.Awaits(1, nil)
		}
	})
}

// Every outcome has a sentence of its own.
func TestResultSentences(t *testing.T) {
	seen := map[string]view.Result{}
	for r := view.Ignored; r <= view.Refused; r++ {
		if other, known := seen[r.String()]; known || len(r.String()) < 4 {
			t.Errorf("results %d and %d say %q", r, other, r)
		}
		seen[r.String()] = r
	}
}

// An entry that was applied already, or is part of the configuration that a peer handed over, changes
// nothing.
func TestEntryOfThePast(t *testing.T) {
	c := view.Found(view.Founding{ShardCount: 1, Founders: []view.Founder{{Address: "a", Life: 1}}})
	e := view.Enter{Address: "b", Life: 2}
	for _, index := range []uint64{0, 1} {
		if next, outcome := c.Apply(index, e); next != c || outcome != (view.Outcome{}) {
			t.Errorf("entry %d: %v", index, outcome)
		}
	}
	if next, outcome := c.Apply(2, e); next == c || outcome != (view.Outcome{Result: view.Done, Index: 2, Epoch: 2}) {
		t.Errorf("entry 2: %v", outcome)
	}
}
