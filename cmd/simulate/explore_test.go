package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestExploreHolds(t *testing.T) {
	stdout, stderr, code := start(t, binary, "explore", "--depth", "12", "--workers", "2")
	if code != exitHolds || stderr != "" {
		t.Errorf("exit code %d, standard error %q", code, stderr)
	}
	expect(t, stdout, `^merge of 4 nodes, one session, paths of 12 choices with up to 0 departures, from reshard.started on, with one crash or loss of memory$`,
		`^\d+ orders: no violation$`, `states +\d+ distinct, in \d+ paths; \d+ of them`, `speed +\d+ paths/s`, `^ +\d+ +reshard.switched$`)

	stdout, _, code = start(t, binary, "explore", "--depth", "12", "--departures", "1", "--budget", "5", "--json")
	if code != exitUndecided {
		t.Errorf("exit code %d after the budget, want %d", code, exitUndecided)
	}
	want := []string{"departures", "depth", "failed", "failures", "faults", "from", "left", "orders", "paths", "reached", "reshard", "states", "verdict"}
	if got := keys(t, stdout); !slices.Equal(got, want) {
		t.Errorf("JSON has %v, want %v", got, want)
	}
}

// TestExploreFinds: what fails is named by a command that shows it again.
func TestExploreFinds(t *testing.T) {
	args := []string{"explore", "--depth", "40", "--departures", "1", "--faults=false", "--first-failure"}
	stdout, _, code := start(t, broken, args...)
	if code != exitViolated {
		t.Fatalf("exit code %d\n%s", code, stdout)
	}
	expect(t, stdout, `^  again: simulate explore --reshard merge --from reshard.started --depth 40 --faults=false --path [-\d.]+$`, `^\d+ of \d+ orders? violated$`)
	var explored exploredJSON
	stdout, _, _ = start(t, broken, append(args, "--json")...)
	if err := json.Unmarshal([]byte(stdout), &explored); err != nil || len(explored.Failures) == 0 {
		t.Fatalf("%v in %s", err, stdout)
	}
	failure, trace := explored.Failures[0], filepath.Join(t.TempDir(), "trace.txt")
	again := append(strings.Fields(failure.Reproduce)[1:], "--trace", trace)
	stdout, _, code = start(t, broken, again...)
	if code != exitViolated {
		t.Errorf("%v: exit code %d\n%s", again, code, stdout)
	}
	expect(t, stdout, `^path [-\d.]+: `, `digest +[0-9a-f]{16}$`)
	if text, err := os.ReadFile(trace); err != nil || !strings.Contains(string(text), "probe reshard.started") {
		t.Errorf("the trace has %d bytes, %v", len(text), err)
	}
	if stdout, _, code = start(t, binary, again...); code != exitHolds {
		t.Errorf("without the bug: exit code %d\n%s", code, stdout)
	}
}

func TestExploreRefuses(t *testing.T) {
	for _, args := range [][]string{
		{"--reshard", "nonsense"}, {"--from", "nonsense"}, {"--depth", "-1"}, {"--departures", "-1"}, {"--workers", "0"}, {"--path", "x"}, {"--path", "0.999"},
		{"--trace", "t"}, {"argument"},
	} {
		if _, stderr, code := start(t, binary, append([]string{"explore"}, args...)...); code != exitUsage || stderr == "" {
			t.Errorf("%v: exit code %d, %q", args, code, stderr)
		}
	}
}
