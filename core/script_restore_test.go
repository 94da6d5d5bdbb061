package core_test

import (
	"slices"
	"strings"

	"github.com/sequitur-kv/sequitur/core"
)

// backup NODE as=LABEL: what is durable at the node, as a backup keeps it.
func (s *script) cmdBackup(d directive) {
	n := s.nodes[d.word(0)]
	var records []core.Record
	for _, unit := range n.log[:n.durable] {
		records = append(records, unit...)
	}
	var saved []core.Saved
	for _, r := range compacted(records) {
		if len(r.Value) == 0 {
			continue
		}
		one, ok, err := core.SavedOf(r)
		if err != nil {
			d.fail("%v", err)
		}
		if ok {
			saved = append(saved, one)
			s.print("%s\n", describeSaved(&one))
		}
	}
	s.saved[d.option("as")] = saved
}

func describeSaved(saved *core.Saved) string {
	text := keyName(saved.Key) + "=" + string(saved.Value)
	if saved.Deleted {
		text = keyName(saved.Key) + " deleted"
	}
	return text + " at " + clockText(saved.Time)
}

// restore NODE from=LABEL,… view=a,b,c [shards=S] [manual] [cut]: boots a node with backups to import; cut: with half of what
// a restore puts on record.
func (s *script) cmdRestore(d directive) {
	name := d.word(0)
	var units [][]core.Record
	for label := range strings.SplitSeq(d.option("from"), ",") {
		for i := range s.saved[label] {
			units = append(units, []core.Record{core.ImportRecord(uint64(len(units)+1), &s.saved[label][i])})
		}
	}
	units = append(units, core.ImportsEnd(uint64(len(units))))
	if d.has("cut") {
		units = units[:len(units)/2]
	}
	if !slices.Contains(s.names, name) {
		s.names = append(s.names, name)
		slices.Sort(s.names)
	}
	config := core.Config{Address: name, View: strings.Split(d.option("view"), ","), ShardCount: d.number("shards")}
	s.nodes[name] = &node{name: name, config: config, manual: d.has("manual"), boots: s.boots(name)}
	s.cluster.boot(name, units, core.Position(len(units)))
}

// boots counts how often a node has started.
func (s *script) boots(name string) byte {
	if n := s.nodes[name]; n != nil {
		return n.boots
	}
	return 0
}

// restoring [NODE…]: how far restores have come.
func (s *script) cmdRestoring(d directive) {
	for _, name := range s.chosen(d) {
		f := s.nodes[name].machine.Figures()
		s.print("%s: %d of %d\n", name, f.Restored, f.ToRestore)
	}
}
