package kvsim

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sequitur-kv/sequitur/netsim"
)

// found is the first run that really fails, if what the store does not promise is judged.
var found = sync.OnceValue(func() Sweep {
	return RunSweep(context.Background(), linearizable(), SweepOptions{First: 1, Last: 50, FirstFailure: true})
})

func linearizable() Scenario {
	scenario := Standard()
	scenario.Linearizable = true
	return scenario
}

// failing returns the capsule of a run that really fails.
func failing(t *testing.T) Capsule {
	t.Helper()
	swept, scenario := found(), linearizable()
	if len(swept.Failures) == 0 || swept.Failures[0].Failure.Kind != KindLinearizability {
		t.Fatalf("no history of 50 seeds is found not to be linearizable: %+v", swept.Failures)
	}
	return Record(&scenario, &swept.Failures[0])
}

// least is what a capsule of failing becomes.
var least = sync.OnceValues(func() (Shrunk, error) {
	scenario := linearizable()
	return Shrink(Record(&scenario, &found().Failures[0]), ShrinkOptions{})
})

// TestShrunkIsMinimal: the same rule stays broken, and leaving out one more thing repairs it.
func TestShrunkIsMinimal(t *testing.T) {
	c := failing(t)
	one, err := least()
	if err != nil {
		t.Fatal(err)
	}
	many, err := Shrink(c, ShrinkOptions{Workers: 3})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(one.Capsule, many.Capsule); diff != "" || one.Runs != many.Runs {
		t.Errorf("the result depends on the number of workers (%d and %d runs): %s", one.Runs, many.Runs, diff)
	}
	small := one.Capsule
	if n := len(small.Faults) + len(small.Operations); n > 8 || small.Rule != c.Rule || small.Verdict != Violated || !one.Complete {
		t.Errorf("%d elements are left:\n%s", n, small.Format())
	}
	result, err := small.Run(nil)
	if err != nil || small.Differs(&result, false) != "" {
		t.Errorf("it replays differently: %s, %v", small.Differs(&result, false), err)
	}
	for i := range small.Operations {
		less := small.clone()
		less.Operations = slices.Delete(less.Operations, i, i+1)
		if result, err := less.Run(nil); err != nil || result.Failure.Rule() == c.Rule {
			t.Errorf("%s can be left out, %v", small.Operations[i].name(), err)
		}
	}
	for i := range small.Faults {
		less := small.clone()
		less.Faults = slices.Delete(less.Faults, i, i+1)
		if result, err := less.Run(nil); err != nil || result.Failure.Rule() == c.Rule {
			t.Errorf("fault %d can be left out, %v", i+1, err)
		}
	}
}

// TestStory: the sentences come in the order of time and end with what is wrong.
func TestStory(t *testing.T) {
	failing(t)
	shrunk, err := least()
	if err != nil {
		t.Fatal(err)
	}
	story := shrunk.Result.Story
	if len(story) < 2 {
		t.Fatalf("a short story: %+v", story)
	}
	for i, s := range story {
		if last := i == len(story)-1; last != (s.Mark != "") || s.Text == "" || i > 0 && s.At < story[i-1].At {
			t.Errorf("sentence %d of %d: %+v", i+1, len(story), s)
		}
	}
	if last := story[len(story)-1]; last.Mark != "violates linearizability" || !strings.Contains(last.Text, ": ") {
		t.Errorf("it ends with %+v", last)
	}
	if plain := NewRunner(Standard()).Run(1); plain.Story != nil {
		t.Error("a story that nobody asked for")
	}
}

// hurried are phases that leave nobody the time to delete a node that never comes back.
func hurried() Phases {
	p := Standard().Phases
	p.Settled = p.ChaosEnd + 5*netsim.Second
	return p
}

// TestShrinkWhatNoSessionSees: a store that does not come to rest needs no operations to show it: one
// dead node that is still a member is enough.
func TestShrinkWhatNoSessionSees(t *testing.T) {
	s := Standard()
	c := Capsule{
		Scenario: "standard", Seed: 3, Phases: hurried(), Faults: s.Schedule(3),
		Operations: s.Workload.Plan(3, s.Servers, Keys(s.Workload.Keys), nil),
	}
	c.Faults = append(c.Faults, netsim.Fault{Kind: netsim.Kill, At: 30 * netsim.Second, Nodes: netsim.Nodes(1, 2)})
	expectRun(t, &c, "settled.configurations_agree")
	shrunk, err := Shrink(c, ShrinkOptions{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	small := shrunk.Capsule
	if len(small.Operations) != 0 || len(small.Faults) != 1 || small.Faults[0].Kind != netsim.Kill || small.Faults[0].Nodes.Len() != 1 {
		t.Errorf("left is\n%s", small.Format())
	}
	if small.Faults[0].At > 5*netsim.Second || small.Phases.End > 50*netsim.Second {
		t.Errorf("it takes long:\n%s", small.Format())
	}
}

// expectRun makes the capsule expect what its run comes to, which has to break a rule.
func expectRun(t *testing.T, c *Capsule, rule string) {
	t.Helper()
	result, err := c.Run(nil)
	if err != nil || result.Failure.Rule() != rule {
		t.Fatalf("%v, %v", result.Failure, err)
	}
	c.Expect(&result)
}

// TestShrinkWhatWaitsForASituation: the situation stays, what else was said about it goes as far as it can.
func TestShrinkWhatWaitsForASituation(t *testing.T) {
	s := Standard()
	faults, err := netsim.ParseSchedule(`when 2nd lww.concurrent_loser_dropped at n1..n6 then after 20s kill n1,n2,met
		when what.never.happens then pause met for 1s`, s.names())
	if err != nil {
		t.Fatal(err)
	}
	c := Capsule{Scenario: "standard", Seed: 2, Phases: hurried(), Faults: faults}
	c.Operations = s.Workload.Plan(2, s.Servers, Keys(s.Workload.Keys), nil)
	expectRun(t, &c, "settled.configurations_agree")
	shrunk, err := Shrink(c, ShrinkOptions{Workers: 2, Events: 4_000_000})
	if err != nil {
		t.Fatal(err)
	}
	small := shrunk.Capsule
	if len(small.Faults) != 1 {
		t.Fatalf("left is\n%s", small.Format())
	}
	f := &small.Faults[0]
	when := netsim.Trigger{Probe: "lww.concurrent_loser_dropped", After: f.When.After}
	if f.When != when || when.After > 5*netsim.Second || f.Nodes&netsim.Met != 0 || f.Nodes.Len() != 1 {
		t.Errorf("left is\n%s", small.Format())
	}
	told := slices.IndexFunc(shrunk.Result.Story, func(s Sentence) bool {
		return strings.Contains(s.Text, " meets lww.concurrent_loser_dropped, n") && strings.HasSuffix(s.Text, "crashed and never came back")
	})
	if began := shrunk.Result.Faults[0].Began; told < 0 || began == 0 || shrunk.Result.Story[told].At != began {
		t.Errorf("the fault began at %v, its story is %+v", began, shrunk.Result.Story)
	}
	again, err := ParseCapsule(small.Format())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(small, again); diff != "" {
		t.Errorf("it reads back differently: %s", diff)
	}
}

// TestWeakenShortens: what does not matter becomes as short and small as it can.
func TestWeakenShortens(t *testing.T) {
	s := Standard()
	faults, err := netsim.ParseSchedule("at 3s kill n1\nat 20s for 8s slow 200ms n2,n3", s.names())
	if err != nil {
		t.Fatal(err)
	}
	c := Capsule{Scenario: "standard", Seed: 3, Phases: hurried(), Faults: faults}
	expectRun(t, &c, "settled.configurations_agree")
	x := shrinker{best: c, kind: KindPromise, rule: c.Rule, left: 1 << 40, runners: []*Runner{NewRunner(s)}}
	x.weakenFault(1)
	if f := &x.best.Faults[1]; f.For > 10*netsim.Millisecond || f.Amount > netsim.Millisecond || f.Nodes.Len() != 1 {
		t.Errorf("left is\n%s", x.best.Format())
	}
}

func TestSpareLeavesAFault(t *testing.T) {
	one, two := netsim.Nodes(0), netsim.Nodes(1)
	for _, test := range []struct{ set, spared, left netsim.NodeSet }{
		{one | two, one, two},
		{one, one, 0},
		{one, two, 0},
		{one | netsim.Met, one, netsim.Met},
		{one | netsim.Met, netsim.Met, one},
		{netsim.Met, netsim.Met, 0},
		{one | two | netsim.ButMet, one, two | netsim.ButMet},
		{one | netsim.ButMet, one, 0},
	} {
		f, g := netsim.Fault{Nodes: test.set}, netsim.Fault{Groups: []netsim.NodeSet{4, test.set}}
		changed, also := spare(&f, test.spared), spare(&g, test.spared)
		want := test.set
		if test.left != 0 {
			want = test.left
		}
		if changed != (test.left != 0) || also != changed || f.Nodes != want || g.Groups[1] != want {
			t.Errorf("%x without %x: %t, %x, %x", test.set, test.spared, changed, f.Nodes, g.Groups[1])
		}
	}
}

func TestNothingToShrink(t *testing.T) {
	scenario := Standard()
	result := NewRunner(scenario).Run(1)
	if _, err := Shrink(Record(&scenario, &result), ShrinkOptions{}); !errors.Is(err, ErrNothingToShrink) {
		t.Errorf("what holds shrinks: %v", err)
	}
	fails, holds := failing(t), Record(&scenario, &result)
	for _, test := range []struct {
		capsule Capsule
		verdict Verdict
		rule    string
		want    string
	}{
		{holds, Violated, "monotonic reads", "expects violated monotonic reads, but nothing is violated here"},
		{holds, Holds, "", "expects that nothing is violated, and so it is"},
		{fails, Holds, "", `expects holds, but its run is violated linearizability; to shrink that, change its line to "expect violated linearizability"`},
		{fails, Violated, "monotonic reads", "expects violated monotonic reads, but its run is violated linearizability; to shrink that"},
	} {
		c := test.capsule
		c.Verdict, c.Rule = test.verdict, test.rule
		_, err := Shrink(c, ShrinkOptions{})
		if !errors.Is(err, ErrNothingToShrink) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, want %s", err, test.want)
		}
	}
	if _, err := Shrink(Capsule{Scenario: "nonsense"}, ShrinkOptions{}); err == nil {
		t.Error("an unknown scenario shrinks")
	}
}

// TestShrinkingEnds: a budget that is too small still leaves a capsule that fails.
func TestShrinkingEnds(t *testing.T) {
	c := failing(t)
	shrunk, err := Shrink(c, ShrinkOptions{Events: 50_000})
	if err != nil {
		t.Fatal(err)
	}
	if shrunk.Complete || shrunk.Capsule.Rule != c.Rule || shrunk.Runs > 100 {
		t.Errorf("complete %t after %d runs, %q", shrunk.Complete, shrunk.Runs, shrunk.Capsule.Rule)
	}
}

func TestFaultsInWords(t *testing.T) {
	names := []string{"n1", "n2", "n3", "n4"}
	for text, want := range map[string]string{
		"at 1s for 2s partition n1,n2 | n3..n4": "the network splits into n1 and n2 | n3 and n4 for 2 s",
		"at 1s for 2s bridge n1 | n2 via n3":    "n1 | n2 see each other through n3 only for 2 s",
		"at 1s for 2s block n1 -> n2,n3":        "nothing gets from n1 to n2 and n3 for 2 s",
		"at 1s for 2s isolate n3":               "n3 is cut off from everybody for 2 s",
		"at 1s for 2s isolate n3,n4 from n1,n2": "n3 and n4 are cut off from n1 and n2 for 2 s",
		"at 1s for 2s loss 1/5 n1 -> n2":        "1/5 of the messages from n1 to n2 get lost for 2 s",
		"at 1s for 2s duplicate 1/4 all":        "1/4 of the messages everywhere arrive twice for 2 s",
		"at 1s for 2s reorder 50ms n1":          "messages to and from n1 take up to 50 ms longer, each its own time, for 2 s",
		"at 1s for 2s delay 100ms n1..n3 -> n4": "messages from n1, n2 and n3 to n4 take 100 ms longer for 2 s",
		"at 1s for 2s clog n1 -> n2":            "messages from n1 to n2 are held back for 2 s",
		"at 1s for 2s pause n2":                 "n2 is paused for 2 s",
		"at 1s for 2s slow 5ms n2":              "n2 takes 5 ms longer for everything for 2 s",
		"at 1s for 2s crash n1,n2":              "n1 and n2 crashed, with the disk kept, for 2 s",
		"at 1s for 2s wipe n1":                  "n1 crashed, and the disk is lost, for 2 s",
		"at 1s for 2s skew -250ms n1":           "the clock of n1 is off by -250 ms for 2 s",
		"at 1s for 2.0004s jump +2s n1":         "the clock of n1 jumps by 2 s, to come back slowly, for 2 s",
		"at 1s for 500us freeze n1":             "the clock of n1 stands still for 500 us",
		"at 1s for 2s slow-sync 30ms n1":        "the disk of n1 takes 30 ms longer for 2 s",
		"at 1s for 2s tear n1":                  "n1 crashed in the middle of writing, with a part of it on disk, for 2 s",
		"at 1s for 2s fail-disk n1":             "the disk of n1 refuses what is written, which ends the process, for 2 s",
		"at 1s for 2s fill-disk n1,n2":          "the disk of n1 and n2 is full for 2 s",
		"at 1s for 2s false-sync n1":            "the disk of n1 says that it wrote what it did not for 2 s",
		"at 1s kill n1,n2":                      "n1 and n2 crashed and never came back",
	} {
		schedule, err := netsim.ParseSchedule(text, names)
		if err != nil {
			t.Fatal(err)
		}
		if got := faultInWords(&schedule[0], names); got != want {
			t.Errorf("%s\n is told as %s\n want      %s", text, got, want)
		}
	}
}

// TestOnlyTheSameRuleCounts: a candidate that fails for another reason is no smaller form of the failure.
func TestOnlyTheSameRuleCounts(t *testing.T) {
	c := failing(t)
	scenario, err := c.Load()
	if err != nil {
		t.Fatal(err)
	}
	s := shrinker{best: c, kind: KindLinearizability, rule: c.Rule, left: 1 << 40, runners: []*Runner{NewRunner(scenario)}}
	same := func(*Capsule) bool { return true }
	if !s.try(same) {
		t.Error("the failure itself is refused")
	}
	s.rule = "another rule"
	if s.try(same) {
		t.Error("another rule of the same kind is accepted")
	}
	s.rule, s.kind = c.Rule, KindInvariant
	if s.try(same) {
		t.Error("another kind is accepted")
	}
}

func TestTriggeredFaultsInWords(t *testing.T) {
	names := []string{"n1", "n2", "n3"}
	effect := netsim.Fault{Kind: netsim.Pause, For: 2 * netsim.Second, Nodes: netsim.Nodes(0, 2)}
	for text, want := range map[string]string{
		"when a.b then pause others for 2s":                      "as n2 meets a.b, n1 and n3 are paused for 2 s",
		"when 2nd a.b then pause others for 2s":                  "as n2 meets a.b, which had been met 1 time before, n1 and n3 are paused for 2 s",
		"when 9th a.b at n2 then after 50ms pause others for 2s": "50 ms after n2 meets a.b, which had been met 8 times before, n1 and n3 are paused for 2 s",
	} {
		schedule, err := netsim.ParseSchedule(text, names)
		if err != nil {
			t.Fatal(err)
		}
		report := netsim.FaultReport{Fault: schedule[0], Effect: effect, Met: 1}
		if got := reportInWords(&report, names); got != want {
			t.Errorf("%s\n is told as %s\n want      %s", text, got, want)
		}
	}
}

// TestStoryLeavesOutWhatNeverBegan: a fault whose situation nobody met is no part of it.
func TestStoryLeavesOutWhatNeverBegan(t *testing.T) {
	s := Standard()
	faults, err := netsim.ParseSchedule("when what.never.happens then crash met for 2s\nat 0s for 2s pause n1\nat 61s for 2s pause n2", s.names())
	if err != nil {
		t.Fatal(err)
	}
	result := NewRunner(s).RunWith(1, Options{Plan: []Operation{}, Schedule: faults, Tell: true})
	if len(result.Story) != 1 || result.Story[0].Text != "n1 is paused for 2 s" {
		t.Errorf("%+v", result.Story)
	}
	if result.Stats.Idle != 2 || result.Stats.Faults != 1 {
		t.Errorf("%+v", result.Stats)
	}
}
