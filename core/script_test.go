package core_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// TestScripts plays the situations in testdata, each on a cluster whose messages, clocks and disks
// the script controls. Run with -rewrite to accept new output, then read the difference.
//
// What is printed: deliveries (n1 -> n2 batch …; heartbeats and the traffic of forming are hidden
// unless traced), answers (a: created 1.1, token 1.1), probes (n2 ! stream.gap) and logs. Nothing
// moves by itself: after each command the messages that no hold keeps back are delivered, and time
// passes only in advance.
func TestScripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	reached := map[core.Probe]int{}
	ran := 0
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			ran++
			s := &script{}
			datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
				return s.run(t, d)
			})
			for p, n := range s.reached {
				reached[p] += n
			}
		})
	}
	if ran < len(paths) || t.Failed() {
		return // only some of them were asked for, or were played to their ends
	}
	for _, p := range declaredProbes(t) {
		if reached[p] == 0 {
			t.Errorf("no script reaches the probe %s", p)
		}
	}
}

// declaredProbes are the probes that probe.go names.
func declaredProbes(t *testing.T) (probes []core.Probe) {
	file, err := parser.ParseFile(token.NewFileSet(), "probe.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			for _, value := range spec.Values {
				text, err := strconv.Unquote(value.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				probes = append(probes, core.Probe(text))
			}
		}
		return true
	})
	if len(probes) < 30 {
		t.Fatalf("found only %d probes", len(probes))
	}
	return probes
}

// script is the state of one file: a cluster, and the names that the script gave to requests.
type script struct {
	*cluster
	out     strings.Builder
	ids     map[string]core.RequestID // by label
	labels  map[core.RequestID]string
	spoiled map[string]string       // token texts that no node gave
	saved   map[string][]core.Saved // backups, by label
	ejected map[string]*node        // nodes that do not run, by the label of their disk
	traced  map[string]bool         // kinds of messages whose delivery is printed although they are hidden by default
	muted   map[string]bool         // kinds of messages, and probes, that are not printed
	reached map[core.Probe]int

	transfers map[view.LifeID][]uint64 // ids of the copies that a life asked for
}

// handlers lists the commands by group. Each group has a file of its own.
func (s *script) handlers() map[string]func(directive) {
	return map[string]func(directive){
		"cluster": s.cmdCluster, "boot": s.cmdBoot, "crash": s.cmdCrash, "restart": s.cmdRestart, "wipe": s.cmdWipe,
		"disk": s.cmdDisk, "sync": s.cmdSync, "full": s.cmdFull, "room": s.cmdRoom, "clock": s.cmdClock, "advance": s.cmdAdvance, "await": s.cmdAwait,
		"pause": s.cmdPause, "resume": s.cmdResume, "eject": s.cmdEject, "insert": s.cmdInsert,

		"hold": s.cmdHold, "release": s.cmdRelease, "cut": s.cmdCut, "heal": s.cmdHeal, "deliver": s.cmdDeliver, "drop": s.cmdDrop,
		"duplicate": s.cmdDuplicate, "reverse": s.cmdReverse, "change": s.cmdChange, "inflight": s.cmdInflight, "trace": s.cmdTrace, "hide": s.cmdHide, "show": s.cmdShow,

		"put": s.cmdPut, "get": s.cmdGet, "delete": s.cmdDelete, "count": s.cmdCount, "view": s.cmdView, "shards": s.cmdShards,
		"node-shard": s.cmdNodeShard, "members": s.cmdMembers, "cancel": s.cmdCancel, "spoil": s.cmdSpoil,
		"invite": s.cmdInvite, "remove": s.cmdRemove, "add-member": s.cmdAddMember, "reshard": s.cmdReshard, "progress": s.cmdProgress,

		"backup": s.cmdBackup, "restore": s.cmdRestore, "restoring": s.cmdRestoring,

		"have": s.cmdHave, "store": s.cmdStore, "equal": s.cmdEqual, "unsynced": s.cmdUnsynced, "waiting": s.cmdWaiting,
		"token": s.cmdToken, "obstacle": s.cmdObstacle, "probes": s.cmdProbes, "configuration": s.cmdConfiguration, "leader": s.cmdLeader,
	}
}

// run executes one directive and returns what happened.
func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	s.out.Reset()
	command := s.handlers()[d.Cmd]
	if command == nil {
		d.Fatalf(t, "unknown command %s", d.Cmd)
	}
	if s.cluster == nil {
		s.reset(t, 0, 0, nil)
	}
	s.t = t
	command(directive{t: t, data: d})
	s.settle()
	if s.out.Len() == 0 {
		return "ok\n"
	}
	return s.out.String()
}

// reset begins anew with count nodes, all of which boot at once.
func (s *script) reset(t testing.TB, count, shards int, adapt func(*core.Config)) {
	s.ids, s.labels, s.spoiled = map[string]core.RequestID{}, map[core.RequestID]string{}, map[string]string{}
	s.transfers, s.ejected = map[view.LifeID][]uint64{}, map[string]*node{}
	if s.saved == nil {
		s.saved = map[string][]core.Saved{}
	}
	if s.reached == nil {
		s.reached, s.traced, s.muted = map[core.Probe]int{}, map[string]bool{}, map[string]bool{}
	}
	s.cluster = newCluster(t, count, shards, adapt)
	s.observe = func(format string, args ...any) {
		if !s.muted["logs"] {
			s.print("%s", hideNumbers(fmt.Sprintf(format, args...)))
		}
	}
	s.watch = watch{delivered: s.delivered, probed: s.probed, replied: s.replied, refused: s.refused}
}

func (s *script) print(format string, args ...any) { fmt.Fprintf(&s.out, format, args...) }

func (s *script) delivered(e envelope, m *wire.Message, lost bool) {
	if !s.shows(e.kind) {
		return
	}
	s.print("%s -> %s %s", e.from, e.to, s.describe(m))
	if lost {
		s.print("; %s is down", e.to)
	}
	s.print("\n")
}

// shows tells whether messages of a kind are printed.
func (s *script) shows(kind string) bool {
	return s.traced[kind] || !hidden[kind] && !s.muted[kind]
}

func (s *script) probed(name string, p core.Probe) {
	s.reached[p]++
	if !s.muted[string(p)] {
		s.print("%s ! %s\n", name, p)
	}
}

func (s *script) replied(_ string, r core.Response, token string) {
	s.print("%s: %s\n", s.labels[r.ID], s.describeAnswer(r, token))
}

func (s *script) refused(name string, err error) { s.print("%s does not start: %v\n", name, err) }

// key finds the key that a script calls name: "x@2" belongs to shard 2, "x@n5" is forwarded to n5
// as long as n5 is up. The key proper has dots appended until that is so.
func (s *script) key(name string) string {
	_, place, ok := strings.Cut(name, "@")
	if !ok {
		return name
	}
	configuration := s.configuration()
	if !slices.ContainsFunc(configuration.Shards, func(owner view.Shard) bool {
		return place == owner.ID.String() || slices.ContainsFunc(owner.Members, func(i int) bool { return place == configuration.Members[i].Address })
	}) {
		s.t.Fatalf("%s: there is no shard %s, and no node of that name that has one", name, place)
	}
	for key := name; ; key += "." {
		slot := shard.SlotOf(key)
		owner := configuration.Shard(configuration.Layout.Owner(slot))
		first := configuration.Members[owner.Members[int(slot)%len(owner.Members)]]
		if place == owner.ID.String() || place == first.Address {
			return key
		}
	}
}

// keyName is what a script calls a key.
func keyName(key string) string { return strings.TrimRight(key, ".") }

// directive gives access to the arguments of a command.
type directive struct {
	t    *testing.T
	data *datadriven.TestData
}

// words are the arguments without a value.
func (d directive) words() (words []string) {
	for _, arg := range d.data.CmdArgs {
		if len(arg.Vals) == 0 {
			words = append(words, arg.Key)
		}
	}
	return words
}

// word is the i-th argument without a value.
func (d directive) word(i int) string {
	words := d.words()
	if i >= len(words) {
		d.fail("argument %d is missing", i+1)
	}
	return words[i]
}

func (d directive) has(word string) bool { return slices.Contains(d.words(), word) }

// option is the value of key=value, "" if absent.
func (d directive) option(key string) string {
	for _, arg := range d.data.CmdArgs {
		if arg.Key == key && len(arg.Vals) > 0 {
			return strings.Join(arg.Vals, ",")
		}
	}
	return ""
}

// number is the value of key=number, 0 if absent.
func (d directive) number(key string) int {
	text := d.option(key)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		d.fail("%v", err)
	}
	return n
}

func (d directive) duration(text string) time.Duration {
	if text == "" {
		return 0
	}
	duration, err := time.ParseDuration(text)
	if err != nil {
		d.fail("%v", err)
	}
	return duration
}

func (d directive) fail(format string, args ...any) {
	d.t.Helper()
	d.data.Fatalf(d.t, format, args...)
}
