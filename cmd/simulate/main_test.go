package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/sequitur-kv/sequitur/cmd/simulate/planted"
)

// binary is the program, built once; broken has a planted bug, crashing a planted panic.
var binary, broken, crashing string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "simulate")
		if err != nil {
			panic(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		binary = build(dir, "simulate", "")
		broken = build(dir, "broken", "skip-read-check")
		crashing = build(dir, "crashing", "panic")
		return m.Run()
	}())
}

func build(dir, name, change string) string {
	work := filepath.Join(dir, name)
	if err := os.Mkdir(work, 0o700); err != nil {
		panic(err)
	}
	if change != "" {
		change = "planted/testdata/" + change + ".txt"
	}
	program, err := planted.Build(context.Background(), "../..", change, work)
	if err != nil {
		panic(err)
	}
	return program
}

// start runs a program and returns its output and exit code.
func start(t *testing.T, program string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return startIn(t, t.TempDir(), program, args...)
}

func startIn(t *testing.T, dir, program string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	command := exec.Command(program, args...)
	command.Dir, command.Stdout, command.Stderr = dir, &out, &errs
	err := command.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), command.ProcessState.ExitCode()
}

func expect(t *testing.T, text string, patterns ...string) {
	t.Helper()
	for _, pattern := range patterns {
		if !regexp.MustCompile(`(?m)` + pattern).MatchString(text) {
			t.Errorf("%q is missing in\n%s", pattern, text)
		}
	}
}

func TestRunHolds(t *testing.T) {
	stdout, stderr, code := start(t, binary, "run", "--seed", "5")
	if code != exitHolds || stderr != "" {
		t.Errorf("exit code %d, standard error %q", code, stderr)
	}
	expect(t, stdout, `^standard: 6 nodes, 2 shards, 6 sessions, 300 operations, 60 s of virtual time$`,
		`^seed 5: no violation$`, `operations +300 +at once \d+ %`, `faults +\d+ +\d+ %`, `digest +[0-9a-f]{16}$`)
}

func TestSweepHolds(t *testing.T) {
	stdout, stderr, code := start(t, binary, "sweep", "--seeds", "1..20", "--workers", "2")
	if code != exitHolds || stderr != "" {
		t.Errorf("exit code %d; on what is no terminal there is no progress line: %q", code, stderr)
	}
	if !strings.HasPrefix(stdout, "seeds 1..20\n") {
		t.Errorf("the seeds are not printed first:\n%s", stdout)
	}
	expect(t, stdout, `^[\d,]+ seeds/s +[\d. kM]+ events/s +[\d,]+ × real time`, `^20 seeds: no violation$`,
		`operations +6,000 +at once \d+ %`, `situations +\d+ of \d+ promised reached`)
	if strings.Contains(stdout, "\x1b") {
		t.Error("escape codes on what is no terminal")
	}
}

// keys returns the names of a JSON object, sorted.
func keys(t *testing.T, text string) []string {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	var names []string
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestRunJSON(t *testing.T) {
	stdout, _, code := start(t, binary, "run", "--seed", "5", "--json")
	want := []string{"digest", "events", "operations", "scenario", "seed", "verdict", "virtual_seconds"}
	if got := keys(t, stdout); code != exitHolds || !slices.Equal(got, want) {
		t.Errorf("exit code %d, members %v, want %v", code, got, want)
	}
	expect(t, stdout, `"seed": 5`, `"scenario": "standard"`, `"verdict": "holds"`, `"digest": "[0-9a-f]{16}"`,
		`"events": [4-9]\d{3}`, `"operations": 300`, `"virtual_seconds": 90`)
	again, _, _ := start(t, binary, "run", "--json", "--seed=5")
	if again != stdout {
		t.Errorf("the same seed gives another run:\n%s%s", stdout, again)
	}
}

func TestSweepJSON(t *testing.T) {
	stdout, stderr, code := start(t, binary, "sweep", "--seeds", "1..20", "--json")
	want := []string{"events_per_second", "failed", "failures", "passed", "probes", "seeds", "seeds_per_second"}
	if got := keys(t, stdout); code != exitHolds || !slices.Equal(got, want) {
		t.Errorf("exit code %d, members %v, want %v", code, got, want)
	}
	expect(t, stdout, `"seeds": 20`, `"passed": 20`, `"failed": 0`, `"failures": \[\]`, `"wait.parked": \d+`)
	expect(t, stderr, `^seeds 1\.\.20$`)
}

func TestViolation(t *testing.T) {
	stdout, _, code := start(t, broken, "sweep", "--seeds", "1..60")
	if code != exitViolated {
		t.Errorf("exit code %d, want %d", code, exitViolated)
	}
	expect(t, stdout, `^seed \d+: .*(causal consistency is violated|read.follows_its_token)`, `^60 seeds: \d+ violated, \d+ held$`)
	line := regexp.MustCompile(`reproduce +simulate (run --seed \d+)\n`).FindStringSubmatch(stdout)
	if line == nil {
		t.Fatalf("no command reproduces it:\n%s", stdout)
	}
	seed := strings.Fields(line[1])
	single, _, code := start(t, broken, seed...)
	if code != exitViolated || !strings.Contains(single, "\nseed "+seed[2]+": ") {
		t.Errorf("exit code %d for the reproduction:\n%s", code, single)
	}
	text, _, code := start(t, broken, append(seed, "--json")...)
	if code != exitViolated {
		t.Errorf("exit code %d, want %d", code, exitViolated)
	}
	expect(t, text, `"verdict": "violated"`, `"failure": ".+"`)
	if text, _, code = start(t, broken, "sweep", "--seeds", "1..60", "--json"); code != exitViolated {
		t.Errorf("exit code %d, want %d", code, exitViolated)
	}
	expect(t, text, `"failed": [1-9]`, `"verdict": "violated"`, `"reproduce": "simulate run --seed \d+"`, `"explanation": ".+"`)
}

func TestPanicIsViolation(t *testing.T) {
	stdout, _, code := start(t, crashing, "sweep", "--seeds", "1..10")
	if code != exitViolated {
		t.Errorf("exit code %d, want %d", code, exitViolated)
	}
	expect(t, stdout, `^seed \d+: panic: planted`, `answerPull`, `reproduce +simulate run --seed \d+`)
}

func TestTrace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "trace.txt")
	plain, _, _ := start(t, binary, "run", "--seed", "5")
	traced, _, code := start(t, binary, "run", "--seed", "5", "--trace", file)
	if code != exitHolds || traced != plain {
		t.Errorf("exit code %d; tracing changes the run:\n%s%s", code, plain, traced)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, string(text), `^\d+\.\d{3}s n\d -> n\d deliver heartbeat, has `, `^\d+\.\d{3}s c\d -> n\d deliver request \d+: PUT k\d "[A-F]-\d+"`,
		`the world heals$`)
}

func TestBadUsage(t *testing.T) {
	for _, args := range [][]string{
		{"foo"}, {"--foo"}, {"run"}, {"run", "--seed", "x"}, {"run", "--seed", "-1"}, {"run", "--seed", "1", "extra"},
		{"run", "--seed", "1", "--trace", filepath.Join(t.TempDir(), "no", "such", "folder")},
		{"run", "--seed", "1", "--scenario", "none"}, {"--scenario", "none"},
		{"sweep", "--seeds", "5..1"}, {"sweep", "--seeds", "1..x"}, {"sweep", "--seeds", ".."}, {"sweep", "--seeds", "0..18446744073709551615"},
		{"sweep", "--workers", "0", "--seeds", "1..2"}, {"--workers", "-1"}, {"--workers", "many"}, {"sweep", "1..5"},
	} {
		stdout, stderr, code := start(t, binary, args...)
		if code != exitUsage || stdout != "" || !strings.HasPrefix(stderr, "simulate: ") || !strings.Contains(stderr, "--help") {
			t.Errorf("%v: exit code %d, output %q, error %q", args, code, stdout, stderr)
		}
	}
}

// TestUsageErrorsSayWhatToDo: each mistake is answered with what to write instead, and with the help of the command.
func TestUsageErrorsSayWhatToDo(t *testing.T) {
	for _, test := range []struct {
		args       []string
		want, help string
	}{
		{[]string{"foo"}, `there is no command "foo"; known are explore, replay, run, shrink, sweep`, "simulate --help"},
		{[]string{"sweep", "1..5"}, `"1..5" is too much; name the range like: simulate sweep --seeds 1..1000`, "simulate sweep --help"},
		{[]string{"run", "7"}, `"7" is too much; name the seed like: simulate run --seed 7`, "simulate run --help"},
		{[]string{"run", "--seed", "x"}, `invalid argument "x" for "--seed" flag; write a whole number`, "simulate run --help"},
		{[]string{"--workers", "many"}, `invalid argument "many" for "--workers" flag; write a whole number`, "simulate --help"},
		{[]string{"--scenario", "none"}, `simulate: no scenario is named "none"; known are: standard`, "simulate --help"},
		{[]string{"sweep", "--scenario", "none"}, `simulate: no scenario is named "none"`, "simulate sweep --help"},
	} {
		_, stderr, code := start(t, binary, test.args...)
		if code != exitUsage || !strings.Contains(stderr, test.want) || !strings.Contains(stderr, "'"+test.help+"'") {
			t.Errorf("%v: exit code %d, %q\nwant %s", test.args, code, stderr, test.want)
		}
	}
}

func TestOneIsOne(t *testing.T) {
	stdout, _, _ := start(t, binary, "sweep", "--seeds", "5..5")
	expect(t, stdout, `^1 seed: no violation$`)
	if line := regexp.MustCompile(`(?m)(^|[^.,\d])1 [a-z]+s( |:|$).*`).FindString(stdout); line != "" {
		t.Errorf("%q in\n%s", line, stdout)
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"run", "--help"}, {"sweep", "--help"}, {"replay", "--help"}, {"shrink", "--help"}} {
		stdout, _, code := start(t, binary, args...)
		if code != exitHolds {
			t.Errorf("%v: exit code %d", args, code)
		}
		expect(t, stdout, `Usage:`, `--json`)
	}
}

// TestInterrupt ends a sweep that would take for ever as soon as it has said what it runs.
func TestInterrupt(t *testing.T) {
	for _, test := range []struct {
		program string
		code    int
		verdict string
	}{
		{binary, exitUndecided, `^interrupted after [\d,]+ of 100,000,000 seeds: no violation so far, undecided$`},
		{crashing, exitViolated, `^interrupted after [\d,]+ of 100,000,000 seeds: [\d,]+ violated`},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		command := exec.CommandContext(ctx, test.program, "sweep", "--seeds", "1..100000000")
		command.Dir = t.TempDir()
		pipe, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		out := bufio.NewReader(pipe)
		if line, err := out.ReadString('\n'); err != nil || line != "seeds 1..100000000\n" {
			t.Fatalf("first line %q, %v", line, err)
		}
		if err := command.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		var rest bytes.Buffer
		if _, err := rest.ReadFrom(out); err != nil {
			t.Fatal(err)
		}
		_ = command.Wait() // the exit code says more
		if code := command.ProcessState.ExitCode(); code != test.code {
			t.Errorf("exit code %d, want %d", code, test.code)
		}
		expect(t, rest.String(), test.verdict)
	}
}

func TestFreshSeedsDiffer(t *testing.T) {
	first, last := fresh()
	other, _ := fresh()
	if first == other || last-first+1 != freshSeeds {
		t.Errorf("%d..%d, then %d", first, last, other)
	}
}

func TestFigures(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("grouped(%d) = %q, want %q", n, got, want)
		}
	}
	for x, want := range map[float64]string{940: "940", 12_345: "12 k", 1_400_000: "1.4 M"} {
		if got := magnitude(x); got != want {
			t.Errorf("magnitude(%v) = %q, want %q", x, got, want)
		}
	}
	for _, test := range []struct {
		part, whole uint64
		want        string
	}{{0, 0, "0 %"}, {0, 9, "0 %"}, {1, 1000, "<1 %"}, {1, 2, "50 %"}, {3, 3, "100 %"}} {
		if got := percent(test.part, test.whole); got != test.want {
			t.Errorf("percent(%d, %d) = %q, want %q", test.part, test.whole, got, test.want)
		}
	}
}
