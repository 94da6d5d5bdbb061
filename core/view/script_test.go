package view_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/view"
)

// TestScripts runs the scripts of testdata, which explain one mechanism of the configuration log each.
//
// Nodes are called a, b, c and so on; their lives a1, a2 (after a lost its memory) and so on. A founder
// a is the life a1. The directives:
//
//	found NODES SHARDS   the store is founded: "found abcd 2"
//	log                  a line is an entry of the log; its outcome is printed and what is different then
//	awaits               a line is a life, and have; what the log waits for from it is printed
//	show                 the whole configuration
//
// The entries:
//
//	invite d | remove b | remove b down | add-member d 1 | reshard 2 up=abcd | abort
//	enter a2 instead=a1 | enter a1 at=x
//	report a2 epoch=3 sealed=1.5,2.0 ready=6 have=1.5,2.7
//
// Requests are made by the first member unless there is by=b1 or number=4. The epoch of a report is the
// present one if it is not given. have is of all slots of the life, low= and high= are of those in the
// lower and the upper half.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		if strings.Contains(path, "fuzz") || strings.Contains(path, "rapid") {
			return
		}
		s := &script{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "found":
				return s.found(d)
			case "log":
				return s.log(t, d)
			case "awaits":
				return s.awaits(t, d)
			case "show":
				return strings.Join(describe(s.configuration), "\n")
			default:
				t.Fatalf("unknown directive %q", d.Cmd)
				return ""
			}
		})
	})
}

type script struct{ configuration *view.Configuration }

func (s *script) found(d *datadriven.TestData) string {
	f := view.Founding{}
	f.ShardCount, _ = strconv.Atoi(d.CmdArgs[1].Key)
	for _, node := range d.CmdArgs[0].Key {
		f.Founders = append(f.Founders, view.Founder{Address: string(node), Life: life(string(node) + "1")})
	}
	s.configuration = view.Found(f)
	return strings.Join(describe(s.configuration), "\n")
}

func (s *script) log(t *testing.T, d *datadriven.TestData) string {
	var out strings.Builder
	for line := range strings.Lines(d.Input) {
		line = strings.TrimSpace(line)
		next, outcome := s.configuration.Apply(s.configuration.Index+1, s.entry(t, line))
		fmt.Fprintf(&out, "%s: %s\n", line, strings.ToLower(resultName(outcome)))
		before, after := describe(s.configuration), describe(next)
		for _, gone := range before {
			if !slices.Contains(after, gone) && !slices.ContainsFunc(after, func(l string) bool { return subject(l) == subject(gone) }) {
				fmt.Fprintf(&out, "  no %s\n", subject(gone))
			}
		}
		for _, fresh := range after {
			if !slices.Contains(before, fresh) {
				fmt.Fprintf(&out, "  %s\n", fresh)
			}
		}
		s.configuration = next
	}
	return out.String()
}

// subject is what a line of a description is about.
func subject(line string) string {
	before, _, _ := strings.Cut(line, ":")
	return before
}

func (s *script) awaits(t *testing.T, d *datadriven.TestData) string {
	var out strings.Builder
	for line := range strings.Lines(d.Input) {
		words := strings.Fields(line)
		e := s.report(t, words)
		w := s.configuration.Awaits(e.Life, e.Have)
		fmt.Fprintf(&out, "%s:", strings.TrimSpace(line))
		if len(w.Seal) > 0 {
			fmt.Fprintf(&out, " the seals of %v", w.Seal)
		}
		if len(w.Copy) > 0 {
			fmt.Fprintf(&out, " full copies for %v", w.Copy)
		}
		if w.Report {
			fmt.Fprint(&out, " a report")
		}
		if len(w.Seal)+len(w.Copy) == 0 && !w.Report {
			fmt.Fprint(&out, " nothing")
		}
		fmt.Fprintln(&out)
	}
	return out.String()
}

func (s *script) entry(t *testing.T, line string) view.Entry {
	words := strings.Fields(line)
	r := view.Request{By: s.configuration.Members[0].Life}
	named := arguments(words)
	if by := named["by"]; by != "" {
		r.By = life(by)
	}
	if i := s.configuration.MemberOf(r.By); i >= 0 {
		r.Number = s.configuration.Members[i].LastRequest + 1
	}
	if n := named["number"]; n != "" {
		r.Number = number(t, n)
	}
	switch words[0] {
	case "invite":
		r.Operation = view.Invite{Address: words[1]}
	case "remove":
		r.Operation = view.Remove{Address: words[1], Down: lives(named["down"])}
	case "add-member":
		r.Operation = view.AddMember{Address: words[1], Shard: shard.ID(number(t, words[2])), Down: lives(named["down"])}
	case "reshard":
		up := strings.Split(named["up"], "")
		r.Operation = view.StartReshard{Count: int(number(t, words[1])), Up: up}
	case "abort":
		r.Operation = view.Abort{Started: s.configuration.Reshard.Started}
	case "enter":
		e := view.Enter{Address: words[1][:1], Life: life(words[1]), Instead: life(named["instead"])}
		if at := named["at"]; at != "" {
			e.Address = at
		}
		return e
	case "report":
		return s.report(t, words[1:])
	case "unseat":
		return view.Unseat{Life: life(words[1])}
	case "expel":
		return view.Expel{Life: life(words[1])}
	default:
		t.Fatalf("unknown entry %q", line)
	}
	return r
}

// lives are those with these names, ascending.
func lives(names string) (lives []view.LifeID) {
	if names == "" {
		return nil
	}
	for name := range strings.SplitSeq(names, ",") {
		lives = append(lives, life(name))
	}
	return lives
}

func (s *script) report(t *testing.T, words []string) view.Report {
	named := arguments(words)
	e := view.Report{Life: life(words[0]), Epoch: s.configuration.Epoch, Sealed: dots(t, named["sealed"])}
	if epoch := named["epoch"]; epoch != "" {
		e.Epoch = number(t, epoch)
	}
	if ready := named["ready"]; ready != "" {
		for replica := range strings.SplitSeq(ready, ",") {
			e.Ready = append(e.Ready, causal.ReplicaID(number(t, replica)))
		}
	}
	var held shard.Set
	for _, a := range s.configuration.AssignmentsOf(e.Life) {
		held = held.Union(&a.Slots)
	}
	halves := shard.Initial(2)
	all, low, high := shard.All(), halves.SlotsOf(1), halves.SlotsOf(2)
	e.Have = e.Have.Hold(&held)
	for name, slots := range map[string]*shard.Set{"have": &all, "low": &low, "high": &high} {
		for _, dot := range dots(t, named[name]) {
			e.Have, _ = e.Have.Raise(slots, 0, dot)
		}
	}
	return e
}

func arguments(words []string) map[string]string {
	named := map[string]string{}
	for _, word := range words {
		if name, value, ok := strings.Cut(word, "="); ok {
			named[name] = value
		}
	}
	return named
}

func number(t *testing.T, text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func dots(t *testing.T, text string) (dots []causal.Dot) {
	if text == "" {
		return nil
	}
	for dot := range strings.SplitSeq(text, ",") {
		replica, seq, _ := strings.Cut(dot, ".")
		dots = append(dots, causal.Dot{Replica: causal.ReplicaID(number(t, replica)), Seq: number(t, seq)})
	}
	return dots
}

// life is the life that a script calls by this name.
func life(name string) view.LifeID {
	if len(name) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(name[1:])
	return view.LifeID(name[0])<<8 | view.LifeID(n)
}

func lifeName(l view.LifeID) string { return fmt.Sprintf("%c%d", rune(l>>8), l&0xff) }

func resultName(o view.Outcome) string {
	names := []string{
		"Ignored", "Done", "Exists", "NotFound", "NoShard", "NotSeen", "Down", "LastMember", "Already", "Elsewhere",
		"Leaving", "Busy", "TooFew", "Over", "Refused",
	}
	name := names[o.Result]
	if o.Replica != 0 {
		name += fmt.Sprintf(", replica %d", o.Replica)
	}
	return name
}
