package planted

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sequitur-kv/sequitur/internal/kvsim"
)

const root = "../../.."

// Building a tree takes a few seconds, so that a plain go test plants one bug in so many.
const share = 5

var all = flag.Bool("all", false, "plant every bug, not one in five")

// build makes the simulator with a change.
func build(t *testing.T, change string) string {
	t.Helper()
	binary, err := Build(t.Context(), root, change, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// simulate runs a simulator and returns its exit code and JSON.
func simulate(t *testing.T, binary string, into any, args ...string) int {
	t.Helper()
	command := exec.CommandContext(context.Background(), binary, append(args, "--json")...)
	output, err := command.Output()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	if err := json.Unmarshal(output, into); err != nil {
		t.Fatalf("%v in %q", err, output)
	}
	return command.ProcessState.ExitCode()
}

type replay struct{ Verdict, Rule, Differs string }

// TestPlantedBugs: every change still applies, and its capsule shows the bug, and only the bug.
// The scorecard looks for them with fresh eyes.
func TestPlantedBugs(t *testing.T) {
	bugs, constants, err := List("testdata")
	if err != nil {
		t.Fatal(err)
	}
	if len(bugs) < 40 || len(constants) < 1 {
		t.Fatalf("%d planted bugs and %d changed constants, want 40 and 1", len(bugs), len(constants))
	}
	sound := build(t, "")
	for i, bug := range bugs {
		if !*all && i%share != 0 {
			continue
		}
		t.Run(bug.Name, func(t *testing.T) {
			if what, aimed := bug.Aimed(); aimed {
				if fails, err := bug.AimedFails(t.Context(), root, t.TempDir()); err != nil || !fails {
					t.Errorf("the %s does not find it: %v", what, err)
				}
				return
			}
			capsule, err := filepath.Abs(bug.Capsule())
			if err != nil {
				t.Fatal(err)
			}
			var with, without []replay
			if code := simulate(t, build(t, bug.File), &with, "replay", "--verdict-only", capsule); code != 0 {
				t.Errorf("the capsule no longer shows the bug: %s; make scorecard WRITE=1 finds it anew", with[0].Differs)
			}
			if simulate(t, sound, &without, "replay", "--verdict-only", capsule); without[0].Verdict != "holds" {
				t.Errorf("without the bug the capsule is %s %s", without[0].Verdict, without[0].Rule)
			}
		})
	}
}

// TestExploration: bugs of resharding that simulate explore finds, too, without any luck of the draw.
func TestExploration(t *testing.T) {
	for _, bug := range []string{"slots-dropped-when-sealed", "retires-when-one-covers", "seal-by-others", "serves-when-prepared"} {
		t.Run(bug, func(t *testing.T) {
			var explored struct {
				Verdict  string
				Failures []struct{ Name string }
			}
			binary := build(t, filepath.Join("testdata", bug+".txt"))
			code := simulate(t, binary, &explored, "explore", "--reshard", "split", "--depth", "300", "--departures", "0", "--budget", "500", "--first-failure")
			if code != 1 || explored.Verdict != "violated" || len(explored.Failures) == 0 {
				t.Fatalf("exit code %d, %+v", code, explored)
			}
			t.Logf("found by %s", explored.Failures[0].Name)
		})
	}
}

// TestBugsApply: every change still fits the tree, and every one has what shows it.
func TestBugsApply(t *testing.T) {
	bugs, _, err := List("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, bug := range bugs {
		if _, err := Overlay(root, bug.File, t.TempDir()); err != nil {
			t.Error(err)
		}
		shows := bug.Capsule()
		if bug.Script != "" {
			shows = filepath.Join(root, bug.Script)
		}
		if _, err := os.Stat(shows); err != nil && bug.Test == "" {
			t.Errorf("%s: nothing shows it: %v", bug.Name, err)
		}
		if bug.Configuration && bug.Rule == "" {
			t.Errorf("%s does not say which rule it breaks", bug.Name)
		}
	}
}

func TestChangedConstants(t *testing.T) {
	_, constants, err := List("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range constants {
		binary := build(t, name)
		const seeds = 20
		same, runner := 0, kvsim.NewRunner(kvsim.Standard())
		for seed := range uint64(seeds) {
			var changed struct{ Digest string }
			simulate(t, binary, &changed, "run", "--seed", fmt.Sprint(seed))
			if changed.Digest == fmt.Sprintf("%016x", runner.Run(seed).Digest) {
				same++
			}
		}
		if same*100 > seeds {
			t.Errorf("%s: %d of %d digests stay the same", name, same, seeds)
		}
	}
}

// TestOverlay: a change that does not fit the tree is refused with its name; one that does leaves the
// tree alone and may touch a file twice.
func TestOverlay(t *testing.T) {
	tree, dir := t.TempDir(), t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(tree, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	source := write("a.go", "one\ntwo\nthree\n")
	write("c.go", "one\ntwo\none\n")
	good := write("good.txt", "Wrong.\nrule §1: right\nlayer configuration\nscenario restarts\nfile a.go\nold\ntwo\nnew\n2\nfile a.go\nold\none\nnew\n")
	if _, err := Overlay(tree, good, dir); err != nil {
		t.Fatal(err)
	}
	changed, err := os.ReadFile(filepath.Join(dir, "changed0.go"))
	if err != nil || string(changed) != "2\nthree\n" {
		t.Errorf("the changed file is %q, %v", changed, err)
	}
	if text, err := os.ReadFile(source); err != nil || string(text) != "one\ntwo\nthree\n" {
		t.Errorf("the tree was touched: %q, %v", text, err)
	}
	if bug, err := Read(good); err != nil || bug.Scenario != "restarts" || bug.Rule != "§1: right" || !bug.Configuration || bug.Sentence != "Wrong." || bug.Name != "good" {
		t.Errorf("%+v, %v", bug, err)
	}
	for name, text := range map[string]string{
		"gone": "x\nfile a.go\nold\nfour\nnew\n", "twice": "x\nfile c.go\nold\none\nnew\n", "no file": "x\n",
		"no old": "x\nfile a.go\nnew\n", "nothing": "x\nfile b.go\nold\na\nnew\n",
	} {
		if _, err := Overlay(tree, write("bad.txt", text), dir); err == nil {
			t.Errorf("%s: the change is accepted", name)
		}
	}
	if _, err := Read(write("bad.txt", "x\nnonsense 1\nfile a.go\nold\none\nnew\n")); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("an unknown head is accepted: %v", err)
	}
}
