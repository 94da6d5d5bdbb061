package wire_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/hlc"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/store"
	"github.com/sequitur-kv/sequitur/core/token"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

func drawVector(t *rapid.T) (v causal.Vector) {
	for range rapid.IntRange(0, 4).Draw(t, "dots") {
		v = v.Raise(causal.Dot{
			Replica: causal.ReplicaID(rapid.Uint32Min(1).Draw(t, "replica")), Seq: rapid.Uint64Min(1).Draw(t, "seq"),
		})
	}
	return v
}

func drawContext(t *rapid.T) causal.Context {
	return causal.Context{Epoch: rapid.Uint64().Draw(t, "epoch"), Clock: hlc.Time(rapid.Uint64().Draw(t, "clock")), Vector: drawVector(t)}
}

func drawBytes(t *rapid.T) []byte { return rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "bytes") }

func drawVersions(t *rapid.T) (versions []store.Version) {
	for range rapid.IntRange(0, 3).Draw(t, "versions") {
		v := store.Version{
			Key: rapid.StringN(0, 8, -1).Draw(t, "key"), Deleted: rapid.Bool().Draw(t, "deleted"),
			Dot: causal.Dot{Replica: 3, Seq: rapid.Uint64Min(1).Draw(t, "number")},
		}
		context := drawContext(t)
		context.Vector = context.Vector.Raise(v.Dot)
		v.Context = causal.Pack(context)
		if !v.Deleted {
			v.Value = drawBytes(t)
		}
		versions = append(versions, v)
	}
	return versions
}

func drawSet(t *rapid.T) (s shard.Set) {
	start := rapid.IntRange(0, shard.Slots-1).Draw(t, "slot")
	for slot := start; slot < min(start+rapid.IntRange(0, 200).Draw(t, "slots"), shard.Slots); slot++ {
		s.Add(shard.Slot(slot))
	}
	return s
}

func drawFounding(t *rapid.T) view.Founding {
	f := view.Founding{ShardCount: rapid.IntRange(1, shard.MaxShards).Draw(t, "shards")}
	for _, address := range []string{"a:1", "b:1", "c:1"}[:rapid.IntRange(1, 3).Draw(t, "founders")] {
		founder := view.Founder{Address: address, Life: view.LifeID(rapid.Uint64().Draw(t, "life"))}
		copy(founder.Key[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "key"))
		f.Founders = append(f.Founders, founder)
	}
	return f
}

// bodies draws one of each kind of message.
func bodies() []func(t *rapid.T) wire.Body {
	number := func(t *rapid.T) uint64 { return rapid.Uint64().Draw(t, "number") }
	return []func(t *rapid.T) wire.Body{
		func(t *rapid.T) wire.Body {
			return &wire.Hello{Address: "a:1", Challenge: number(t), View: []string{"a:1", "b:1"}, ShardCount: rapid.IntRange(0, 9).Draw(t, "count")}
		},
		func(t *rapid.T) wire.Body {
			w := &wire.Welcome{Address: "b:1", Challenge: number(t), Key: view.Key{7}, View: []string{"a:1"}, Formed: rapid.Bool().Draw(t, "formed")}
			if w.Formed {
				w.Store, w.Decides, w.Missing = drawBytes(t), rapid.Bool().Draw(t, "decides"), rapid.String().Draw(t, "missing")
			}
			return w
		},
		func(t *rapid.T) wire.Body { return &wire.Pledge{Founding: drawFounding(t)} },
		func(t *rapid.T) wire.Body {
			b := &wire.Heartbeat{Have: drawCoverage(t), Copied: number(t), ToCopy: number(t), Full: rapid.Bool().Draw(t, "full")}
			b.Restoring = !b.Full && rapid.Bool().Draw(t, "restoring")
			return b
		},
		func(t *rapid.T) wire.Body {
			return &wire.Batch{Replica: 3, From: number(t), To: number(t), Slots: drawSet(t), Writes: drawVersions(t)}
		},
		func(t *rapid.T) wire.Body {
			return &wire.Pull{Transfer: number(t), Full: rapid.Bool().Draw(t, "full"), Slots: drawSet(t), Have: drawVector(t), Boot: number(t), Cursor: number(t)}
		},
		func(t *rapid.T) wire.Body {
			return &wire.State{
				Transfer: number(t), Asked: number(t), First: rapid.Bool().Draw(t, "first"), Last: rapid.Bool().Draw(t, "last"),
				Boot: number(t), Cursor: number(t), Keys: number(t), Whole: drawSet(t), To: drawCoverage(t), Versions: drawVersions(t),
			}
		},
		func(t *rapid.T) wire.Body {
			f := &wire.Forward{
				Counter: number(t), Request: number(t), Final: rapid.Bool().Draw(t, "final"),
				Op:  rapid.SampledFrom([]wire.Op{wire.OpGet, wire.OpPut, wire.OpDelete, wire.OpKeyCount}).Draw(t, "op"),
				Key: rapid.String().Draw(t, "key"), Value: drawBytes(t), Shard: shard.ID(rapid.Uint32().Draw(t, "shard")), Context: drawContext(t),
			}
			if f.Op.Writes() {
				f.Time = hlc.Time(rapid.Uint64().Draw(t, "time"))
			}
			return f
		},
		func(t *rapid.T) wire.Body {
			return &wire.Reply{
				Counter: number(t), Status: wire.Status(rapid.IntRange(int(wire.StatusFound), int(wire.StatusFull)).Draw(t, "status")),
				Value: drawBytes(t), Context: causal.Pack(drawContext(t)), Clock: hlc.Time(number(t)), Dot: causal.Dot{Replica: 1, Seq: number(t)}, Count: number(t),
				Reason: rapid.String().Draw(t, "reason"),
			}
		},
		func(t *rapid.T) wire.Body { return &wire.Enter{Address: "c:1", Instead: view.LifeID(number(t))} },
		func(t *rapid.T) wire.Body { return &wire.Configuration{Encoded: drawBytes(t)} },
		func(t *rapid.T) wire.Body { return &wire.Raft{Payload: drawBytes(t)} },
		func(t *rapid.T) wire.Body { return &wire.Propose{Entry: drawBytes(t)} },
	}
}

// drawCoverage draws a coverage of up to three parts.
func drawCoverage(t *rapid.T) causal.Coverage {
	var c causal.Coverage
	for range rapid.IntRange(0, 3).Draw(t, "parts") {
		slots := drawSet(t)
		c = c.Hold(&slots)
		for _, dot := range drawVector(t) {
			c, _ = c.Raise(&slots, 0, dot)
		}
	}
	return c
}

func drawMessage(t *rapid.T) *wire.Message {
	all := bodies()
	return &wire.Message{
		Cluster: token.ClusterID(rapid.Uint64().Draw(t, "cluster")), Epoch: rapid.Uint64().Draw(t, "epoch"),
		From: view.LifeID(rapid.Uint64Min(1).Draw(t, "from")), To: view.LifeID(rapid.Uint64Min(1).Draw(t, "to")),
		Body: all[rapid.IntRange(0, len(all)-1).Draw(t, "kind")](t),
	}
}

func TestRoundTrip(t *testing.T) {
	sets := cmp.Comparer(func(a, b shard.Set) bool { return a == b })
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t)
		data := wire.Append(nil, m)
		got, err := wire.Decode(data)
		if err != nil {
			t.Fatalf("%T: %v", m.Body, err)
		}
		again := wire.Append(nil, got)
		for i := range data {
			data[i] = 0xff // the message must not share memory with the bytes
		}
		if diff := cmp.Diff(m, got, cmpopts.EquateEmpty(), sets); diff != "" {
			t.Fatalf("%T (-sent +received):\n%s", m.Body, diff)
		}
		if fresh := wire.Append(nil, m); !bytes.Equal(again, fresh) {
			t.Fatalf("%T is written as %x and as %x", m.Body, fresh, again)
		}
	})
}

func TestPiecesAreRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := wire.Append(nil, drawMessage(t))
		for end := range data {
			if m, err := wire.Decode(data[:end]); err == nil {
				t.Fatalf("the first %d of %d bytes are accepted as %T", end, len(data), m.Body)
			}
		}
		if m, err := wire.Decode(append(data, 0)); !errors.Is(err, codec.ErrMalformed) {
			t.Fatalf("one byte more is accepted as %v: %v", m, err)
		}
	})
}

func TestOtherVersionsAreRefused(t *testing.T) {
	data := wire.Append(nil, &wire.Message{From: 1, To: 2, Body: &wire.Heartbeat{}})
	data[0] = wire.Version + 1
	_, err := wire.Decode(data)
	var version *wire.VersionError
	if !errors.As(err, &version) || version.Theirs != wire.Version+1 {
		t.Fatalf("got %v", err)
	}
	if text := err.Error(); !strings.Contains(text, "version 2") || !strings.Contains(text, "version 1") {
		t.Errorf("%q does not name both versions", text)
	}
	for _, kind := range []byte{0, 10, 255} {
		data := bytes.Clone(data)
		data[0], data[1] = wire.Version, kind
		if _, err := wire.Decode(data); !errors.Is(err, codec.ErrMalformed) {
			t.Errorf("kind %d: %v", kind, err)
		}
	}
	if _, err := wire.Decode(nil); !errors.Is(err, codec.ErrMalformed) {
		t.Errorf("nothing: %v", err)
	}
}

// A value outside its range is refused by the reader, not met later as a surprise.
func TestRangesAreChecked(t *testing.T) {
	for name, body := range map[string]wire.Body{
		"no operation":                       &wire.Forward{},
		"unknown operation":                  &wire.Forward{Op: 200},
		"operation that nobody passes on":    &wire.Forward{Op: wire.OpView},
		"read at a time":                     &wire.Forward{Op: wire.OpGet, Time: 1},
		"no status":                          &wire.Reply{},
		"unknown status":                     &wire.Reply{Status: wire.StatusFull + 1},
		"no founders":                        &wire.Pledge{Founding: view.Founding{ShardCount: 1}},
		"no shards":                          &wire.Pledge{Founding: view.Founding{Founders: []view.Founder{{Address: "a"}}}},
		"too many shards":                    &wire.Pledge{Founding: view.Founding{ShardCount: shard.MaxShards + 1, Founders: []view.Founder{{Address: "a"}}}},
		"founders out of order":              &wire.Pledge{Founding: view.Founding{ShardCount: 1, Founders: []view.Founder{{Address: "b"}, {Address: "a"}}}},
		"founder twice":                      &wire.Pledge{Founding: view.Founding{ShardCount: 1, Founders: []view.Founder{{Address: "a"}, {Address: "a"}}}},
		"version that does not cover itself": &wire.Batch{Writes: []store.Version{{Key: "x", Dot: causal.Dot{Replica: 1, Seq: 2}}}},
	} {
		if _, err := wire.Decode(wire.Append(nil, &wire.Message{From: 1, To: 2, Body: body})); !errors.Is(err, codec.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzDecode: no bytes make Decode panic, and what it accepts has no other encoding.
func FuzzDecode(f *testing.F) {
	f.Add(wire.Append(nil, &wire.Message{From: 1, Body: &wire.Hello{Address: "a:1", Challenge: 5, View: []string{"a:1", "b:1"}, ShardCount: 1}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := wire.Decode(data)
		if err != nil {
			return
		}
		if again := wire.Append(nil, m); !bytes.Equal(again, data) {
			t.Fatalf("%x is written as %x", data, again)
		}
	})
}

func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for op := range wire.OpProgress + 1 {
		seen[op.String()] = true
	}
	for status := range wire.StatusFull + 1 {
		seen["status "+status.String()] = true
	}
	if want := int(wire.OpProgress) + int(wire.StatusFull) + 2; len(seen) != want {
		t.Errorf("%d names for %d values: %v", len(seen), want, seen)
	}
	if got := wire.StatusFull.String(); got != "disk full" {
		t.Errorf("the last status is called %q", got)
	}
	if got := wire.OpShardMembers.String(); got != "shard members" {
		t.Errorf("the last operation is called %q", got)
	}
}
