package core_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/store"
	"github.com/sequitur-kv/sequitur/core/view"
)

// restorer is a model whose nodes lose their disks, and come back with backups that were made at any time.
type restorer struct {
	*model
	backups  [][]core.Saved
	imported past // what was in the backups of nodes that came back
	restores int
	newer    map[view.LifeID]past // what each life has held since its process began
	lifeOf   map[string]view.LifeID
	made     map[causal.Dot]bool // by imports
	looked   int                 // at so many of the writes that were accepted
}

// save keeps what a node has on its disk.
func (m *restorer) save(*rapid.T) {
	n := m.nodes[m.node()]
	var saved []core.Saved
	var records []core.Record
	for _, unit := range n.log[:n.durable] {
		records = append(records, unit...)
	}
	for _, r := range compacted(records) {
		if len(r.Value) == 0 {
			continue
		}
		one, ok, err := core.SavedOf(r)
		if err != nil {
			m.t.Fatal(err)
		}
		if ok {
			saved = append(saved, one)
		}
	}
	m.backups = append(m.backups, saved)
}

// restoreOne takes the disk of a node when the others have all that it holds, so that nothing is lost, and starts it as a
// new life with one or two backups.
func (m *restorer) restoreOne(t *rapid.T) {
	if len(m.backups) == 0 {
		t.SkipNow()
	}
	name := m.node()
	m.calm()
	m.advance(time.Minute)
	m.crash(name)
	m.bootFrom(t, name, rapid.IntRange(1, 2).Draw(t, "backups"))
	m.held["*->*"] = true
}

// bootFrom starts a new life that imports some of the backups.
func (m *restorer) bootFrom(t *rapid.T, name string, count int) {
	var log [][]core.Record
	for range count {
		for _, saved := range rapid.SampledFrom(m.backups).Draw(t, "backup") {
			log = append(log, []core.Record{core.ImportRecord(uint64(len(log)+1), &saved)})
			m.imported.learn(past{saved.Key: rank{clock: saved.Time}})
		}
	}
	if count > 0 {
		log = append(log, core.ImportsEnd(uint64(len(log))))
		m.restores++
	}
	m.boot(name, log, core.Position(len(log)))
}

// restoreAll takes all disks, and starts a new store, some nodes of it with backups. Clients begin anew.
func (m *restorer) restoreAll(t *rapid.T) {
	if len(m.backups) == 0 {
		t.SkipNow()
	}
	for _, name := range m.names {
		m.crash(name)
	}
	m.inflight, m.newest, m.imported = nil, past{}, past{}
	for i := range m.tokens {
		m.tokens[i], m.knows[i], m.busy[i] = "", past{}, 0
	}
	for _, name := range m.names {
		m.bootFrom(t, name, rapid.IntRange(0, 2).Draw(t, "backups"))
	}
}

// turmoil lets time pass in which everything under way arrives.
func (m *restorer) turmoil(t *rapid.T) {
	delete(m.held, "*->*")
	m.advance(time.Duration(rapid.IntRange(1, 4000).Draw(t, "ms")) * time.Millisecond)
	m.held["*->*"] = true
}

// importsBegin is the lowest number of an import's request.
const importsBegin core.RequestID = 1 << 63

// check wants no version to make place for an older one, and imports under the times of the originals.
func (m *restorer) check(t *rapid.T) {
	for _, a := range m.accepted[m.looked:] {
		m.made[a.Dot] = a.Request >= importsBegin // the last: a crash may have undone an earlier one
	}
	m.looked = len(m.accepted)
	for _, name := range m.names {
		machine := m.nodes[name].machine
		if machine == nil {
			// What was not durable may be forgotten; nobody has seen it.
			clear(m.newer[m.lifeOf[name]])
			continue
		}
		m.lifeOf[name] = machine.Life()
		held := m.newer[machine.Life()]
		if held == nil {
			held = past{}
			m.newer[machine.Life()] = held
		}
		now := past{}
		machine.Versions(func(v *store.Version) bool {
			now[v.Key] = rank{v.Clock(), v.Dot}
			if m.made[v.Dot] && !m.wasSaved(v) {
				t.Fatalf("%s imported %s as of %v, which no backup has", name, v.Key, v.Clock())
			}
			return true
		})
		for key, r := range held {
			if now[key].below(r) {
				t.Fatalf("%s had %s of %v, and has it of %v", name, key, r, now[key])
			}
		}
		held.learn(now)
	}
}

// wasSaved tells whether a version is as one in a backup was.
func (m *restorer) wasSaved(v *store.Version) bool {
	for _, saved := range m.backups {
		for i := range saved {
			if s := &saved[i]; s.Key == v.Key && s.Time == v.Clock() && s.Deleted == v.Deleted {
				return true
			}
		}
	}
	return false
}

// TestRestoresAtRandom lets rapid choose when nodes of a store that works, and fails, lose their disks and return with
// backups of any age: what a session has seen is never taken back, and nothing that was in a backup is missing in the end.
func TestRestoresAtRandom(t *testing.T) {
	restores := 0
	rapid.Check(t, func(rt *rapid.T) {
		m := &restorer{
			model: newModel(t, rt), imported: past{}, newer: map[view.LifeID]past{}, lifeOf: map[string]view.LifeID{}, made: map[causal.Dot]bool{},
		}
		actions := m.actions()
		actions[""] = m.check
		actions["backup"], actions["restore"], actions["turmoil"] = m.save, m.restoreOne, m.turmoil
		actions["restore all"] = m.restoreAll
		rt.Repeat(actions)
		m.newest.learn(m.imported)
		m.heal()
		m.check(rt)
		for _, name := range m.names {
			if f := m.nodes[name].machine.Figures(); f.ToRestore != 0 {
				rt.Fatalf("%s has restored %d of %d keys after everything healed", name, f.Restored, f.ToRestore)
			}
		}
		restores += m.restores
	})
	if restores == 0 {
		t.Error("nothing was restored")
	}
}
