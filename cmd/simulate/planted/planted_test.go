package planted

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sequitur-kv/sequitur/internal/kvsim"
)

const root = "../../.."

// plantedWithin is how many seeds may pass before a planted bug is found.
const plantedWithin = 2000

// build makes the simulator with a change.
func build(t *testing.T, change string) string {
	t.Helper()
	dir := t.TempDir()
	overlay, err := Overlay(root, change, dir)
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "simulate.exe")
	command := exec.CommandContext(context.Background(), "go", "build", "-overlay", overlay, "-o", binary, "./cmd/simulate")
	command.Dir = root
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
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

func plantedFiles(t *testing.T) (bugs, constants []string) {
	t.Helper()
	names, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasPrefix(filepath.Base(name), "constant-") {
			constants = append(constants, name)
		} else {
			bugs = append(bugs, name)
		}
	}
	if len(bugs) < 5 || len(constants) < 1 {
		t.Fatalf("%d planted bugs and %d changed constants, want 5 and 1", len(bugs), len(constants))
	}
	return bugs, constants
}

func TestPlantedBugs(t *testing.T) {
	bugs, _ := plantedFiles(t)
	for _, name := range bugs {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			binary := build(t, name)
			for first, last := 1, 25; first <= plantedWithin; first, last = last+1, min(4*last, plantedWithin) {
				var sweep struct {
					Failures []struct {
						Seed        uint64
						Name        string
						Explanation string
					}
				}
				code := simulate(t, binary, &sweep, "sweep", "--seeds", fmt.Sprintf("%d..%d", first, last))
				if code == 1 {
					f := sweep.Failures[0]
					line, _, _ := strings.Cut(f.Explanation, "\n")
					t.Logf("found by seed %d (%d of %d..%d fail): %s: %s", f.Seed, len(sweep.Failures), first, last, f.Name, line)
					return
				}
			}
			t.Errorf("not found within %d seeds", plantedWithin)
		})
	}
}

func TestChangedConstants(t *testing.T) {
	_, constants := plantedFiles(t)
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
