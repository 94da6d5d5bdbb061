package core_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sequitur-kv/sequitur/core"
)

// TestProbes compares the list with the constants in the source, which nothing else keeps in step.
func TestProbes(t *testing.T) {
	declared, listed := declaredProbes(t), core.Probes()
	if !slices.Equal(listed, declared) {
		t.Errorf("Probes lists %v,\nthe constants are %v", listed, declared)
	}
	slices.Sort(declared)
	if distinct := slices.Compact(declared); len(distinct) < len(listed) {
		t.Errorf("%d constants have %d values", len(listed), len(distinct))
	}
	listed[0] = ""
	if core.Probes()[0] == "" {
		t.Error("two callers share a slice")
	}
}

// TestSpecificationNamesProbes compares the constants with the table in SPEC.md, §25, in both directions.
func TestSpecificationNamesProbes(t *testing.T) {
	text, err := os.ReadFile("../SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## 25. Situations\n")
	if !ok {
		t.Fatal("SPEC.md has no §25")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var named []core.Probe
	for row := range strings.Lines(section) {
		cells := strings.Split(row, "|")
		if len(cells) < 3 {
			continue
		}
		for i, name := range strings.Split(cells[1], "`") {
			if i%2 == 1 {
				named = append(named, core.Probe(name))
			}
		}
	}
	declared := declaredProbes(t)
	for _, p := range declared {
		if !slices.Contains(named, p) {
			t.Errorf("SPEC.md does not name %s", p)
		}
	}
	for _, p := range named {
		if !slices.Contains(declared, p) {
			t.Errorf("SPEC.md names %s, which no machine reports", p)
		}
	}
}
