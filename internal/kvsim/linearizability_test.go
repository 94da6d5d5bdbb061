package kvsim

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sequitur-kv/sequitur/checker"
)

// TestSingleNodeIsLinearizable is the positive control.
func TestSingleNodeIsLinearizable(t *testing.T) {
	s := sweep(t, Single(), seeds(300))
	if s.Passed != s.Seeds || s.Stats.Overlapping*100 < 30*s.Stats.Operations {
		t.Errorf("%d of %d seeds passed, %d of %d operations overlap a fault", s.Passed, s.Seeds, s.Stats.Overlapping, s.Stats.Operations)
	}
}

// TestReplicasAreNotLinearizable is the negative control: replicas that accept writes without asking each
// other cannot be, and the judge has to notice within few seeds.
func TestReplicasAreNotLinearizable(t *testing.T) {
	s := Standard()
	s.Linearizable = true
	swept := RunSweep(t.Context(), s, SweepOptions{First: 1, Last: 20, Workers: 2})
	violated := 0
	for _, f := range swept.Failures {
		if f.Failure.Kind == KindLinearizability {
			violated++
			if !strings.Contains(f.Failure.Explanation, "<- this one") {
				t.Errorf("seed %d names no culprit: %s", f.Seed, f.Failure.Explanation)
			}
		}
	}
	if violated < 15 {
		t.Errorf("%d of 20 seeds are found not to be linearizable: %d undecided", violated, swept.Undecided)
	}
}

// registersOf makes a run whose history is given.
func registersOf(operations []checker.Operation) *run {
	s := Single()
	r := newRun(&s)
	r.plan = make([]Operation, len(operations))
	r.history = operations
	for i := range operations {
		r.plan[i].Client = operations[i].Session
		r.historyOf = append(r.historyOf, int32(i))
		if r.history[i].Outcome == 0 {
			r.history[i].Outcome = checker.Acknowledged
		}
		r.history[i].Key = "k0"
	}
	return r
}

func TestLinearizability(t *testing.T) {
	write := func(value string, from, to int64) checker.Operation {
		return checker.Operation{Kind: checker.Write, Value: value, Invoked: from, Returned: to}
	}
	read := func(value string, from, to int64) checker.Operation {
		return checker.Operation{Kind: checker.Read, Value: value, Invoked: from, Returned: to, Session: 1}
	}
	maybe := func(value string, from, to int64) checker.Operation {
		return checker.Operation{Kind: checker.Write, Value: value, Invoked: from, Returned: to, Outcome: checker.Indeterminate}
	}
	remove := checker.Operation{Kind: checker.Delete, Invoked: 30, Returned: 40}
	for _, test := range []struct {
		name    string
		history []checker.Operation
		culprit int32 // counted from 1; zero: it is linearizable
	}{
		{"in turn", []checker.Operation{write("a", 0, 10), read("a", 11, 20)}, 0},
		{"a write that overlaps may come later", []checker.Operation{write("a", 0, 10), write("b", 12, 30), read("a", 15, 20), read("b", 31, 35)}, 0},
		{"a stale read", []checker.Operation{write("a", 0, 10), write("b", 12, 14), read("a", 15, 20)}, 3},
		{"back in time", []checker.Operation{write("a", 0, 10), write("b", 12, 30), read("b", 13, 15), read("a", 16, 20)}, 4},
		{"nothing after a write", []checker.Operation{write("a", 0, 10), read("", 15, 20)}, 2},
		{"nothing after a deletion", []checker.Operation{write("a", 0, 10), remove, read("", 41, 50)}, 0},
		{"something after a deletion", []checker.Operation{write("a", 0, 10), remove, read("a", 41, 50)}, 3},
		{"an open write takes effect much later", []checker.Operation{maybe("a", 0, 10), read("", 20, 30), read("a", 40, 50)}, 0},
		{"an open write takes effect once", []checker.Operation{maybe("a", 0, 10), read("a", 20, 30), write("b", 31, 35), read("a", 40, 50)}, 4},
		{"an open write never takes effect", []checker.Operation{write("b", 0, 5), maybe("a", 6, 10), read("b", 20, 30)}, 0},
	} {
		f := registersOf(test.history).checkLinearizable()
		switch {
		case test.culprit == 0 && f != nil:
			t.Errorf("%s: %s", test.name, f.Explanation)
		case test.culprit != 0 && (f == nil || f.Kind != KindLinearizability || f.read != test.culprit):
			t.Errorf("%s: %+v", test.name, f)
		}
	}
}

// TestLinearizabilityIsBounded: many writes at once are undecided, not a pass and not for ever.
func TestLinearizabilityIsBounded(t *testing.T) {
	var history []checker.Operation
	for i := range 40 {
		value := strings.Repeat("x", i+1)
		history = append(history, checker.Operation{Kind: checker.Write, Value: value, Invoked: 0, Returned: 1000},
			checker.Operation{Kind: checker.Read, Value: value, Invoked: 1, Returned: 999})
	}
	history = append(history, checker.Operation{Kind: checker.Read, Value: "", Invoked: 2000, Returned: 3000})
	if f := registersOf(history).checkLinearizable(); f == nil || f.Kind != KindUndecided {
		t.Errorf("%+v", f)
	}
}

func TestVisualize(t *testing.T) {
	s := Standard()
	s.Linearizable = true
	runner := NewRunner(s)
	result := runner.Run(2)
	var page bytes.Buffer
	if err := runner.Visualize(&page, &result); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<html", "fault: ", "put k0", "get k1"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page has no %q", want)
		}
	}
}
