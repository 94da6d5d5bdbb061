package main

import (
	"bytes"
	"context"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/sequitur-kv/sequitur/cmd/simulate/planted"
)

// found is the score of a bug that was found.
func found(seeds uint64, elements int, shrinking float64) score {
	return score{
		bug: planted.Bug{Name: "bug", Scenario: "standard"}, found: true, by: "rule", seeds: seeds,
		seconds: 0.5, faults: 1, operations: elements - 1, shrinking: shrinking,
	}
}

func TestBars(t *testing.T) {
	missed := score{bug: planted.Bug{Name: "hidden", Scenario: "restarts"}, by: "not found"}
	deaf := score{bug: planted.Bug{Name: "deaf", Script: "x.txt"}, by: "script x.txt"}
	heard := deaf
	heard.found = true
	configuration := func(list []score) []score {
		for i := range list {
			list[i].bug.Configuration = true
		}
		return list
	}
	many := func(n int, s score) (list []score) {
		for range n {
			list = append(list, s)
		}
		return list
	}
	for _, test := range []struct {
		name   string
		scores []score
		ok     bool
	}{
		{"all found", many(15, found(50, 15, 10)), true},
		{"one of fifteen missed", append(many(14, found(1, 2, 0.1)), missed), true},
		{"two of fifteen missed", append(many(13, found(1, 2, 0.1)), missed, missed), false},
		{"late", many(15, found(51, 2, 0.1)), false},
		{"large", many(15, found(1, 16, 0.1)), false},
		{"slow", many(15, found(1, 2, 10.1)), false},
		{"half of them late", append(many(8, found(10, 2, 0.1)), many(7, found(900, 2, 0.1))...), true},
		{"a script that finds nothing", append(many(15, found(1, 2, 0.1)), deaf), false},
		{"configuration, late and large", configuration(many(15, found(1999, 90, 60))), true},
		{"configuration, one of fifteen missed", configuration(append(many(13, heard), missed, found(1, 2, 3))), true},
		{"configuration, two of fifteen missed", configuration(append(many(13, heard), missed, deaf)), false},
		{"no layer makes up for the other", append(configuration(many(15, heard)), append(many(13, found(1, 2, 0.1)), missed, missed)...), false},
	} {
		var out bytes.Buffer
		if ok := report(&out, test.scores); ok != test.ok {
			t.Errorf("%s: %t\n%s", test.name, ok, out.String())
		}
	}
}

// TestMeasure plants one bug and looks for it, as the command does.
func TestMeasure(t *testing.T) {
	t.Chdir("../../../..")
	var out bytes.Buffer
	ok, err := run(context.Background(), &out, filepath.Join("cmd", "simulate", "planted", "testdata"), []string{"skip-read-check"}, false)
	if err != nil || !ok {
		t.Fatalf("%t, %v\n%s", ok, err, out.String())
	}
	if !regexp.MustCompile(`(?m)^ +\d+ +\d+\.\d +\d+ +\d+ +\d+\.\d s +skip-read-check: \w`).Match(out.Bytes()) {
		t.Errorf("no line of a bug:\n%s", out.String())
	}
	if _, err := run(context.Background(), &out, "cmd/simulate/planted/testdata", []string{"none"}, false); err == nil {
		t.Error("a bug that does not exist is measured")
	}
}
