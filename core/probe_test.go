package core_test

import (
	"slices"
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
