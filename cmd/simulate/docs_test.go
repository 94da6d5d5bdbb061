package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sequitur-kv/sequitur/internal/kvsim"
)

// TestDocumentedCommands runs the commands of the page, one after the other in one folder. A comment names
// the exit code unless it is 0.
func TestDocumentedCommands(t *testing.T) {
	text, err := os.ReadFile("../../docs/find-a-bug.md")
	if err != nil {
		t.Fatal(err)
	}
	capsules, err := filepath.Abs("planted/testdata")
	if err != nil {
		t.Fatal(err)
	}
	dir, ran := t.TempDir(), 0
	for line := range strings.SplitSeq(string(text), "\n") {
		command, ok := strings.CutPrefix(line, "$ simulate ")
		if !ok {
			continue
		}
		ran++
		command, comment, _ := strings.Cut(command, "#")
		want := exitHolds
		if strings.TrimSpace(comment) == "exit code 1" {
			want = exitViolated
		} else if comment != "" {
			t.Errorf("%q is not understood", comment)
		}
		args := strings.Fields(strings.ReplaceAll(command, "CAPSULES", capsules))
		stdout, stderr, code := startIn(t, dir, binary, args...)
		if code != want {
			t.Errorf("simulate %s: exit code %d, want %d\n%s%s", command, code, want, stdout, stderr)
		}
		if args[0] == "shrink" {
			expect(t, stdout, `same violation$`, `← violates linearizability$`)
		}
	}
	if ran < 8 {
		t.Errorf("%d commands were found", ran)
	}
}

// TestDocumentedCapsule reads the capsule that the specification shows.
func TestDocumentedCapsule(t *testing.T) {
	text, err := os.ReadFile("../../SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "```\ncapsule 1")
	body, _, _ := strings.Cut(rest, "```")
	capsule, err := kvsim.ParseCapsule("capsule 1" + body)
	if err != nil || !found || len(capsule.Operations) != 3 || len(capsule.Faults) != 1 {
		t.Errorf("%v\n%+v", err, capsule)
	}
}
