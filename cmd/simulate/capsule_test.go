package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// capsuleOf lets a program fail and returns the file of its first capsule.
func capsuleOf(t *testing.T, program string) string {
	t.Helper()
	dir := t.TempDir()
	stdout, _, code := start(t, program, "sweep", "--seeds", "1..60", "--first-failure", "--workers", "1", "--capsules", dir)
	if code != exitViolated {
		t.Fatalf("exit code %d", code)
	}
	line := regexp.MustCompile(`replay +simulate replay (\S+)\n`).FindStringSubmatch(stdout)
	if line == nil {
		t.Fatalf("no capsule is named:\n%s", stdout)
	}
	expect(t, stdout, `shrink +simulate shrink \S+seed-\d+\.capsule +\(\d+ faults, 300 operations now\)$`, `^stopped after \d of 60 seeds: 1 violated`)
	return line[1]
}

// TestFailureIsReplayedAndShrunk follows the commands that a failure prints.
func TestFailureIsReplayedAndShrunk(t *testing.T) {
	file := capsuleOf(t, broken)
	stdout, _, code := start(t, broken, "replay", file)
	if code != exitHolds {
		t.Errorf("exit code %d for what is as expected", code)
	}
	expect(t, stdout, `causal consistency is violated|read.follows_its_token`, `^  as expected, digest [0-9a-f]{16}$`)

	stdout, stderr, code := start(t, broken, "shrink", file)
	if code != exitHolds || stderr != "" {
		t.Errorf("exit code %d, standard error %q", code, stderr)
	}
	small := strings.TrimSuffix(file, ".capsule") + ".min.capsule"
	expect(t, stdout, regexp.QuoteMeta(small)+`: \d faults?, \d operations? \(from \d+ and 300\), same violation$`,
		`^  1\. +\d+\.\d{3} s  `, `← violates `, `replay +simulate replay `, `took +\d+\.\d s, \d+ runs$`)
	if first, err := os.ReadFile(small); err != nil {
		t.Error(err)
	} else {
		again := filepath.Join(t.TempDir(), "again")
		start(t, broken, "shrink", file, "-o", again, "--workers", "1")
		if second, err := os.ReadFile(again); err != nil || string(second) != string(first) {
			t.Errorf("it shrinks to something else: %v\n%s\n%s", err, first, second)
		}
	}
	stdout, _, code = start(t, broken, "replay", file, small)
	if code != exitHolds {
		t.Errorf("exit code %d for two capsules as expected", code)
	}
	expect(t, stdout, `^2 capsules: 2 as expected, 0 not$`, `← violates `)

	stdout, _, code = start(t, binary, "replay", small, "--verdict-only")
	if code != exitViolated {
		t.Errorf("exit code %d where the bug is gone", code)
	}
	expect(t, stdout, `: holds$`, `^  not as expected: it expects violated .*, the run is holds$`)
	_, stderr, code = start(t, binary, "shrink", small)
	if code != exitUsage || !strings.Contains(stderr, "nothing to shrink") {
		t.Errorf("exit code %d, %q for a capsule that holds", code, stderr)
	}
}

func TestReplayComparesDigests(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.capsule")
	text := "capsule 1\nscenario standard\nseed 1\nexpect holds\ndigest 0000000000000001\nfaults\noperations\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, _, code := start(t, binary, "replay", file)
	if code != exitViolated {
		t.Errorf("exit code %d", code)
	}
	expect(t, stdout, `not as expected: same verdict, but the digest is [0-9a-f]{16} instead of 0000000000000001`)
	stdout, _, code = start(t, binary, "replay", "--json", file)
	var replays []map[string]string
	if err := json.Unmarshal([]byte(stdout), &replays); err != nil || code != exitViolated || len(replays) != 1 {
		t.Fatalf("exit code %d, %v, %s", code, err, stdout)
	}
	if replays[0]["verdict"] != "holds" || !strings.Contains(replays[0]["differs"], "digest") || replays[0]["file"] != file {
		t.Errorf("%v", replays)
	}
	if _, _, code = start(t, binary, "replay", "--verdict-only", file); code != exitHolds {
		t.Errorf("exit code %d without the digest", code)
	}
	trace := file + ".trace"
	_, _, code = start(t, binary, "replay", "--verdict-only", "--trace", trace, file)
	events, err := os.ReadFile(trace)
	if err != nil || code != exitHolds {
		t.Fatalf("exit code %d, %v", code, err)
	}
	expect(t, string(events), `^\d+\.\d{3}s n1 start, boot 0$`, `^\d+\.\d{3}s n1 -> n2 deliver `)
}

// TestCapsulesOfPeopleStay: nothing is written over a file that somebody may have edited.
func TestCapsulesOfPeopleStay(t *testing.T) {
	dir := t.TempDir()
	read := func(name string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	again := func() string {
		t.Helper()
		stdout, _, _ := startIn(t, dir, binary, "run", "--seed", "3", "--linearizability")
		return stdout
	}
	expect(t, again(), `replay +simulate replay seed-3.capsule$`)
	written := read("seed-3.capsule")
	if expect(t, again(), `replay +simulate replay seed-3.capsule$`); read("seed-3.capsule") != written {
		t.Error("the same run is another capsule")
	}
	edited := written + "# mine\n"
	if err := os.WriteFile(filepath.Join(dir, "seed-3.capsule"), []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, again(), `replay +simulate replay seed-3-2.capsule$`)
	if read("seed-3.capsule") != edited || read("seed-3-2.capsule") != written {
		t.Error("what was edited is lost, or what is new")
	}
	if err := os.WriteFile(filepath.Join(dir, "seed-3.min.capsule"), []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, _, _ := startIn(t, dir, binary, "shrink", "seed-3.capsule")
	if expect(t, stdout, `^seed-3.min-2.capsule: `); read("seed-3.min.capsule") != edited {
		t.Error("what was edited is lost")
	}
}

// TestShrinkKeepsTheRule: who changes what the capsule expects is told what its run is.
func TestShrinkKeepsTheRule(t *testing.T) {
	dir := t.TempDir()
	startIn(t, dir, binary, "run", "--seed", "3", "--linearizability")
	file := filepath.Join(dir, "seed-3.capsule")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"expect violated monotonic reads": `the capsule expects violated monotonic reads, but its run is violated linearizability; to shrink that, change its line to "expect violated linearizability"`,
		"expect holds":                    "the capsule expects holds, but its run is violated linearizability",
	} {
		other := strings.Replace(string(text), "expect violated linearizability", line, 1)
		if err := os.WriteFile(file, []byte(other), 0o600); err != nil {
			t.Fatal(err)
		}
		stdout, stderr, code := startIn(t, dir, binary, "shrink", file)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, want) || strings.Contains(stderr, "kvsim: ") {
			t.Errorf("exit code %d, %q", code, stderr)
		}
	}
}

// TestRuinIsTold: a run that holds because nothing was left to ask says so.
func TestRuinIsTold(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gone.capsule")
	text := "capsule 1\nscenario standard\nseed 2\nexpect holds\nfaults\nat 10s kill n1..n6\noperations\nat 5s A-0 n1 put k0 1 within 3s\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, _, code := start(t, binary, "replay", file)
	if code != exitHolds {
		t.Errorf("exit code %d", code)
	}
	expect(t, stdout, `: holds$`, `^  beyond +everybody who knew of the store was dead or had lost its memory at 10 s`)
	stdout, _, _ = start(t, binary, "replay", "--json", file)
	expect(t, stdout, `"ruin": "everybody who knew`)
}

// TestPanicShrinks: a panic is a violation like others, up to the last operation.
func TestPanicShrinks(t *testing.T) {
	file := capsuleOf(t, crashing)
	stdout, _, code := start(t, crashing, "shrink", file)
	if code != exitHolds {
		t.Errorf("exit code %d", code)
	}
	expect(t, stdout, `panic: planted   ← must not happen$`)
	stdout, _, _ = start(t, crashing, "shrink", file, "--json")
	var shrunk struct{ Faults, Operations, FromOperations int }
	if err := json.Unmarshal([]byte(stdout), &shrunk); err != nil || shrunk.Faults+shrunk.Operations > 6 {
		t.Errorf("%+v, %v", shrunk, err)
	}
}

func TestBadCapsules(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.capsule")
	if err := os.WriteFile(bad, []byte("capsule 1\nscenario standard\nspeed 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"replay", bad}, `bad.capsule: line 3 of the capsule: "speed" is unknown; known are `},
		{[]string{"shrink", bad}, `bad.capsule: line 3 of the capsule: "speed" is unknown; known are `},
		{[]string{"replay", filepath.Join(dir, "none")}, "the capsule cannot be read"},
		{[]string{"replay"}, "which capsule? name its file, like: simulate replay seed-7.capsule"},
		{[]string{"shrink"}, "which capsule? name its file, like: simulate shrink seed-7.capsule"},
		{[]string{"replay", "--trace", filepath.Join(dir, "trace"), bad, bad}, "--trace is for one capsule, and there are 2"},
		{[]string{"shrink", bad, "--workers", "0"}, "line 3"},
		{[]string{"shrink", bad, "more"}, `"more" is too much; simulate shrink takes one capsule at a time`},
		{[]string{"run", "--seed", "1", "--html", filepath.Join(dir, "no", "folder")}, "the picture cannot be written"},
	} {
		stdout, stderr, code := start(t, binary, test.args...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, test.want) {
			t.Errorf("%v: exit code %d, output %q, error %q", test.args, code, stdout, stderr)
		}
	}
	_, stderr, code := start(t, broken, "sweep", "--seeds", "1..60", "--first-failure", "--capsules", filepath.Join(dir, "none"))
	if code != exitUsage || !strings.Contains(stderr, `the capsule cannot be written`) || !strings.Contains(stderr, `--capsules ""`) {
		t.Errorf("exit code %d, %q for a folder that does not exist", code, stderr)
	}
	stdout, _, code := start(t, broken, "sweep", "--seeds", "1..60", "--first-failure", "--capsules", "")
	if code != exitViolated || strings.Contains(stdout, ".capsule") {
		t.Errorf("exit code %d, a capsule that nobody wants:\n%s", code, stdout)
	}
}

// TestLinearizability: the store does not promise it, and who asks is shown why.
func TestLinearizability(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.html")
	stdout, _, code := start(t, binary, "run", "--seed", "3", "--html", page)
	if code != exitViolated {
		t.Errorf("exit code %d", code)
	}
	expect(t, stdout, `^seed 3: the history of k\d is not linearizable`, `<- this one`, `reproduce +simulate run --seed 3 --linearizability$`)
	if text, err := os.ReadFile(page); err != nil || !strings.Contains(string(text), "fault: ") {
		t.Errorf("no picture, or no faults on it: %v", err)
	}
	stdout, _, code = start(t, binary, "sweep", "--linearizability", "--seeds", "1..5", "--capsules", "")
	if code != exitViolated {
		t.Errorf("exit code %d", code)
	}
	expect(t, stdout, `^5 seeds: [1-5] violated`)
	if stdout, _, code = start(t, binary, "sweep", "--scenario", "single", "--seeds", "1..50"); code != exitHolds {
		t.Errorf("exit code %d for a single node:\n%s", code, stdout)
	}
}
