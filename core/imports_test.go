package core_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/hlc"
	"github.com/sequitur-kv/sequitur/core/store"
)

// TestImports gives some of the nodes of a new store backups that overlap in any way, and lets nodes crash and links
// fail meanwhile: in the end every owner has of each key what is newest in any of them.
func TestImports(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := newCluster(rapidTB{t, r}, 0, 0, nil)
		c.names = []string{"n1", "n2", "n3", "n4"}
		want := map[string]core.Saved{}
		for _, name := range c.names {
			c.nodes[name] = &node{name: name, config: core.Config{Address: name, View: c.names, ShardCount: 2, MaxWaiting: 3}}
			var log [][]core.Record
			for _, saved := range drawBackup(r) {
				if saved.Time > want[saved.Key].Time {
					want[saved.Key] = saved
				}
				log = append(log, []core.Record{core.ImportRecord(uint64(len(log)+1), &saved)})
			}
			if rapid.Bool().Draw(r, "restored") || len(log) > 0 {
				log = append(log, core.ImportsEnd(uint64(len(log))))
			}
			c.boot(name, log, core.Position(len(log)))
		}
		for range rapid.IntRange(0, 6).Draw(r, "moments") {
			name := rapid.SampledFrom(c.names).Draw(r, "node")
			switch rapid.IntRange(0, 2).Draw(r, "what") {
			case 0:
				c.crash(name)
				c.restart(name)
			case 1:
				c.cut["*->"+name] = true
			case 2:
				c.nodes[name].manual = !c.nodes[name].manual
			}
			c.advance(time.Duration(rapid.IntRange(0, 3000).Draw(r, "time")) * time.Millisecond)
		}
		clear(c.cut)
		for _, name := range c.names {
			c.nodes[name].manual = false
			c.sync(name)
		}
		c.advance(20 * time.Second)
		maps.DeleteFunc(want, func(_ string, s core.Saved) bool { return s.Time == 0 })
		c.wantImported(r, want)
	})
}

// drawBackup draws a backup. The value of a key says of when it is.
func drawBackup(r *rapid.T) (saved []core.Saved) {
	for range rapid.IntRange(0, 12).Draw(r, "keys") {
		s := core.Saved{
			Key: fmt.Sprint("key", rapid.IntRange(0, 9).Draw(r, "key")), Time: hlc.At(epochMillis + rapid.Int64Range(-9, 9_999).Draw(r, "time")),
		}
		if s.Deleted = s.Time.Millis()%3 == 0; !s.Deleted {
			s.Value = fmt.Append(nil, s.Time.Millis())
		}
		saved = append(saved, s)
	}
	return saved
}

// wantImported wants at the owners of each key exactly what is given.
func (c *cluster) wantImported(r *rapid.T, want map[string]core.Saved) {
	held := map[string]int{}
	for _, name := range c.names {
		m := c.nodes[name].machine
		if f := m.Figures(); f.ToRestore != 0 || f.Restored != 0 {
			r.Fatalf("%s has restored %d of %d", name, f.Restored, f.ToRestore)
		}
		m.Versions(func(v *store.Version) bool {
			held[v.Key]++
			if w := want[v.Key]; v.Clock() != w.Time || v.Deleted != w.Deleted || string(v.Value) != string(w.Value) {
				r.Fatalf("%s has %s=%s at %v, want %s at %v", name, v.Key, v.Value, v.Clock(), w.Value, w.Time)
			}
			return true
		})
	}
	for key := range want {
		if held[key] != 2 {
			r.Fatalf("%s is held by %d nodes", key, held[key])
		}
	}
	if len(held) != len(want) {
		r.Fatalf("%d keys are held, want %d", len(held), len(want))
	}
}
