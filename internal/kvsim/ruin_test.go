package kvsim

import (
	"strings"
	"testing"

	"github.com/sequitur-kv/sequitur/core/wire"
	"github.com/sequitur-kv/sequitur/netsim"
)

// ruined runs a seed of the standard scenario with more faults than it draws.
func ruined(t *testing.T, r *Runner, seed uint64, faults string) Result {
	t.Helper()
	schedule := r.scenario.Schedule(netsim.Seed(seed))
	added, err := netsim.ParseSchedule(faults, r.scenario.names())
	if err != nil {
		t.Fatal(err)
	}
	return r.RunWith(seed, Options{Schedule: append(schedule, added...)})
}

// TestWhatIsGoneWithEveryCopy: what a person takes from a store for good is not the store's fault, and the result
// says so. What it survives is judged as ever.
func TestWhatIsGoneWithEveryCopy(t *testing.T) {
	for _, test := range []struct{ faults, ruin string }{
		{"at 40s kill n1", ""},
		{"at 40s kill n2,n5", ""},
		{"at 40s for 2s wipe n4", ""},
		{"at 40s for 2s wipe n4..n6", ""},
		{"at 40s kill n1..n6", "everybody who knew of the store was dead or had lost its memory at 40 s: the run ends there"},
		{"at 40s for 2s wipe n1..n6", "everybody who knew of the store"},
		{"at 40s for 2s wipe n1..n5\nat 45s kill n6", "everybody who knew of the store"},
		{"at 10ms kill n3", "a founder died before the store had formed"},
		{"at 40s for 2s wipe n1..n4", "4 of 6 voters are lost for good"},
		{"at 40s kill n2,n4,n6", "3 of 6 voters are lost for good"},
		{"at 40s kill n1..n3", "nobody is left who serves shard 1"},
	} {
		r := NewRunner(Standard())
		for seed := range seeds(5) {
			result := ruined(t, r, seed, test.faults)
			if result.Verdict != Holds {
				t.Errorf("seed %d, %s: %s", seed, test.faults, result.Failure.Headline())
			}
			if !strings.Contains(result.Ruin, test.ruin) || test.ruin == "" && result.Ruin != "" {
				t.Errorf("seed %d, %s: %q", seed, test.faults, result.Ruin)
			}
			if len(r.run.history) == 0 && test.faults != "at 10ms kill n3" {
				t.Errorf("seed %d, %s: no history is left to judge", seed, test.faults)
			}
		}
	}
}

// TestRuinsThatWereMisjudged: losses one after another, of which more was demanded than can be had.
func TestRuinsThatWereMisjudged(t *testing.T) {
	for _, test := range []struct {
		seed        uint64
		faults, why string
	}{
		{243, "at 9516ms for 4994ms wipe n2,n3\nat 9853ms for 4611ms wipe n1..n3\nat 17227ms for 4403ms wipe n2,n4,n6\nat 28793ms for 1072ms wipe n3,n4",
			"half of four voters lost their memory, and so did the fifth that was about to vote"},
		{399, "at 16194ms for 4550ms wipe n3\nat 18767ms kill n1,n4\nat 19368ms kill n3,n6",
			"questions for keys that wait in vain keep a question for their number out"},
		{433, "at 26224ms for 2219ms wipe n2,n3\nat 33174ms for 4611ms wipe n6\nat 38933ms for 5071ms wipe n1\nat 48079ms kill n2,n5,n6",
			"nobody served a shard when nothing could be decided any more"},
		{10084, "at 21321ms for 3856ms wipe n1..n3\nat 31145ms for 2406ms wipe n2,n4,n6\nat 39707ms kill n1..n3\nat 43732ms for 3896ms wipe n1,n3",
			"the last learner of a shard that nobody served is dead"},
	} {
		result := ruined(t, NewRunner(Standard()), test.seed, test.faults)
		if result.Verdict != Holds || result.Ruin == "" {
			t.Errorf("seed %d: %s: %v, %q", test.seed, test.why, result.Failure, result.Ruin)
		}
	}
}

// TestTheDeadAreDeleted: in every scenario somebody deletes the nodes that never come back.
func TestTheDeadAreDeleted(t *testing.T) {
	r := NewRunner(Standard())
	ruined(t, r, 1, "at 40s kill n2")
	if c := r.run.ghost.newest; c.MemberAt("n2") >= 0 || len(c.Members) != 5 {
		t.Errorf("left are %v", r.run.members())
	}
	if plain := r.Run(1); plain.Stats.Admin+plain.Stats.AdminWithheld != 0 || r.run.world.Len() != 12 {
		t.Errorf("somebody administers a store that nothing happens to: %+v", plain.Stats)
	}
}

// TestRuinExcusesNothingElse breaks the promises in a run that has lost half of its nodes.
func TestRuinExcusesNothingElse(t *testing.T) {
	for _, promise := range settledPromises() {
		if promise.name == "settled.all_formed" {
			continue // a node without a memory stays outside of such a store, see TestEverySettledPromiseCanFail
		}
		r := NewRunner(Standard())
		if result := ruined(t, r, 1, "at 40s kill n4..n6"); result.Verdict != Holds || result.Ruin == "" {
			t.Fatalf("%v, %q", result.Failure, result.Ruin)
		}
		if r.run.unfinished() {
			t.Fatal("a change is under way, so that less is judged")
		}
		if err := promise.check(r.run, nil); err != nil {
			t.Fatalf("%s fails: %v", promise.name, err)
		}
		promiseBreaches[promise.name](t, r.run)
		if promise.check(r.run, nil) == nil {
			t.Errorf("a breach of %s goes unnoticed", promise.name)
		}
	}
}

// TestExcusesOfTheAudit: questions are excused where they need what is lost, and nowhere else.
func TestExcusesOfTheAudit(t *testing.T) {
	r := NewRunner(Standard())
	ruined(t, r, 1, "at 40s kill n4..n6")
	x := r.run
	excused, judged := 0, 0
	for number := x.audits; int(number) < len(x.plan); number++ {
		switch {
		case x.excused(number, 0):
			excused++
		case x.fates[number].ending != succeeded:
			t.Errorf("question %d (%s) ended as %d and is not excused", number, x.plan[number].Op, x.fates[number].ending)
		default:
			judged++
		}
	}
	if excused < 10 || judged < 20 {
		t.Errorf("%d excused, %d judged", excused, judged)
	}
}

// TestSavedByAMessage: a write whose maker lost its memory at once is not lost if a message was under way.
func TestSavedByAMessage(t *testing.T) {
	s := Standard()
	faults, err := netsim.ParseSchedule("at 4.2s for 100ms clog n3 -> n1,n2\nat 4.25s for 10ms wipe n3", s.names())
	if err != nil {
		t.Fatal(err)
	}
	plan := []Operation{{Number: 32, At: 4200 * netsim.Millisecond, Node: 2, Op: wire.OpPut, Key: "k4", Value: `"A"`, Timeout: 6 * netsim.Second}}
	r := NewRunner(s)
	result := r.RunWith(3193, Options{Plan: plan, Schedule: faults, Phases: Phases{ChaosEnd: 6 * netsim.Second, Settled: 26 * netsim.Second, End: 36 * netsim.Second}})
	if result.Verdict != Holds || result.Stats.Writes != 1 || result.Stats.Lost != 0 {
		t.Errorf("%v, %+v", result.Failure, result.Stats)
	}
}
