package core_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core"
)

// worked is a store of four nodes in two shards, after some work that left records of every kind.
func worked(t testing.TB) *cluster {
	c := newCluster(t, 4, 2, nil)
	c.advance(time.Second)
	for i, key := range []string{"a", "b", "c", "d", "e", "f", "a", "b"} {
		c.put(c.names[i%4], key, `"value"`, "")
		c.settle()
	}
	return c
}

// records are those of a node, in the order of its steps.
func (c *cluster) records(name string) (records []core.Record) {
	for _, unit := range c.nodes[name].log {
		records = append(records, unit...)
	}
	return records
}

// compacted keeps the last record of each key, by key, as a disk does.
func compacted(records []core.Record) (kept []core.Record) {
	last := map[string]core.Record{}
	for _, r := range records {
		last[string(r.Key)] = r
	}
	for _, r := range last {
		kept = append(kept, r)
	}
	slices.SortFunc(kept, func(a, b core.Record) int { return bytes.Compare(a.Key, b.Key) })
	return kept
}

// The log of all records and the last record of each key restore the same node, which is the one that
// wrote them. It makes no difference for those who catch up from it, either.
func TestRestore(t *testing.T) {
	for _, compact := range []bool{false, true} {
		c := worked(t)
		for _, name := range c.names {
			n := c.nodes[name]
			want := n.machine.AppendState(nil)
			records := c.records(name)
			if compact {
				records = compacted(records)
			}
			m, err := core.New(n.config, records, n.durable)
			if err != nil {
				t.Fatal(err)
			}
			var out core.Output
			m.Step(core.Input{Kind: core.InputWake, Durable: n.durable, Mono: c.now}, &out)
			if !bytes.Equal(m.AppendState(nil), want) || m.LiveKeys() != n.machine.LiveKeys() || m.Life() != n.machine.Life() || m.Obstacle() != "" {
				t.Errorf("%s, compacted %t: restored as another node", name, compact)
			}
			if len(out.Records) != 0 || out.Position != n.durable {
				t.Errorf("%s, compacted %t: restoring changed the state", name, compact)
			}
		}
	}
}

func TestRestoredNodeIsASource(t *testing.T) {
	for _, compact := range []bool{false, true} {
		c := newCluster(t, 2, 1, nil)
		c.advance(time.Second)
		c.cut["n1->n2 batch"] = true
		var id core.RequestID
		for i, key := range []string{"a", "b", "c", "b"} {
			id = c.put("n1", key, string(rune('0'+i)), "")
		}
		records := c.records("n1")
		if compact {
			records = compacted(records)
		}
		n := c.nodes["n1"]
		m, err := core.New(n.config, records, n.durable)
		if err != nil {
			t.Fatal(err)
		}
		n.machine = m
		c.step("n1", core.Input{Kind: core.InputWake})
		read := c.get("n2", "a", c.tokens[id])
		c.settle()
		if got := c.answer(read); got != "found 0 (1.1)" {
			t.Errorf("compacted %t: n2 reads %s", compact, got)
		}
		if c.nodes["n2"].machine.LiveKeys() != 3 {
			t.Errorf("compacted %t: n2 has %d keys", compact, c.nodes["n2"].machine.LiveKeys())
		}
	}
}

func TestNew(t *testing.T) {
	for _, test := range []struct {
		name   string
		config core.Config
		want   error
	}{
		{"no address", core.Config{View: []string{"a", "b"}}, core.ErrAddress},
		{"alone", core.Config{Address: "a", ShardCount: 1}, nil},
		{"own address missing in VIEW", core.Config{Address: "a", View: []string{"b"}, ShardCount: 1}, nil},
		{"addresses twice", core.Config{Address: "a", View: []string{"b", "a", "b", "c"}, ShardCount: 2}, core.ErrShardCount},
		{"two shards of two", core.Config{Address: "a", View: []string{"a", "b", "c", "d"}, ShardCount: 2}, nil},
		{"two shards of three nodes", core.Config{Address: "a", View: []string{"a", "b", "c"}, ShardCount: 2}, core.ErrShardCount},
		{"two shards of one node", core.Config{Address: "a", ShardCount: 2}, core.ErrShardCount},
		{"a negative count", core.Config{Address: "a", ShardCount: -1}, core.ErrShardCount},
		{"more shards than slots", core.Config{Address: "a", ShardCount: 1 << 20}, core.ErrShardCount},
	} {
		if _, err := core.New(test.config, nil, 0); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

// Records of something else are refused with a reason, and never make New or the first Step panic.
func TestForeignRecords(t *testing.T) {
	c := worked(t)
	n := c.nodes["n1"]
	good := compacted(c.records("n1"))
	change := func(kind byte, edit func(r *core.Record)) []core.Record {
		records := slices.Clone(good)
		for i := range records {
			if records[i].Key[0] == kind {
				records[i].Value = bytes.Clone(records[i].Value)
				edit(&records[i])
				return records
			}
		}
		t.Fatalf("no record of kind %q", kind)
		return nil
	}
	without := func(kind byte) []core.Record {
		return slices.DeleteFunc(slices.Clone(good), func(r core.Record) bool { return r.Key[0] == kind })
	}
	for _, test := range []struct {
		name    string
		records []core.Record
		at      core.Position
		want    string
	}{
		{"records without a position", good, 0, "position 0"},
		{"a position without records", nil, 5, "0 records"},
		{"another format", change('a', func(r *core.Record) { r.Value = []byte{9} }), n.durable, "format 9"},
		{"empty key", append(slices.Clone(good), core.Record{}), n.durable, "empty key"},
		{"unknown kind", append(slices.Clone(good), core.Record{Key: []byte("?"), Value: []byte{1}}), n.durable, "unknown kind"},
		{"half a life", change('l', func(r *core.Record) { r.Value = r.Value[:20] }), n.durable, "malformed"},
		{"half a version", change('v', func(r *core.Record) { r.Value = r.Value[:5] }), n.durable, "malformed"},
		{"a longer state", change('s', func(r *core.Record) { r.Value = append(r.Value, 0) }), n.durable, "malformed"},
		{"another life", change('l', func(r *core.Record) { r.Value[0] ^= 1 }), n.durable, "those of a node that is no member"},
		{"no life", without('l'), n.durable, "no life"},
	} {
		_, err := core.New(n.config, test.records, test.at)
		if !errors.Is(err, core.ErrRecords) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

// A flipped bit or a cut in any record is refused, or makes a node that starts; nothing panics.
func TestDamagedRecords(t *testing.T) {
	c := worked(t)
	n := c.nodes["n1"]
	good := c.records("n1")
	rapid.Check(t, func(t *rapid.T) {
		records := slices.Clone(good)
		r := &records[rapid.IntRange(0, len(records)-1).Draw(t, "record")]
		if len(r.Value) == 0 {
			return
		}
		r.Value = bytes.Clone(r.Value)
		if at := rapid.IntRange(0, len(r.Value)-1).Draw(t, "byte"); rapid.Bool().Draw(t, "cut") {
			r.Value = r.Value[:at]
		} else {
			r.Value[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		}
		m, err := core.New(n.config, records, n.durable)
		if err != nil {
			return
		}
		var out core.Output
		m.Step(core.Input{Kind: core.InputWake, Durable: n.durable}, &out)
	})
}
