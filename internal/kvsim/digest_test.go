package kvsim

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata/digests.txt anew")

const goldenFile = "testdata/digests.txt"

// golden computes the table of digests.
func golden() string {
	var b strings.Builder
	b.WriteString("# seed and digest of the standard scenario, the same on every platform\n")
	b.WriteString("# after a change that is meant to change runs: go test ./internal/kvsim -run Golden -update\n")
	r := NewRunner(Standard())
	for seed := range uint64(20) {
		fmt.Fprintf(&b, "%d %016x\n", seed, r.Run(seed).Digest)
	}
	return b.String()
}

func TestGoldenDigests(t *testing.T) {
	got := golden()
	if *update {
		if err := os.WriteFile(goldenFile, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	wanted, table := strings.Split(string(want), "\n"), strings.Split(got, "\n")
	if len(wanted) != len(table) {
		t.Fatalf("%s has %d lines, want %d", goldenFile, len(wanted), len(table))
	}
	for i := range table {
		if table[i] != wanted[i] {
			t.Errorf("line %d: %q, the table says %q", i+1, table[i], wanted[i])
		}
	}
}

func TestSameSeedSameRun(t *testing.T) {
	one, other := NewRunner(Standard()), NewRunner(Standard())
	for seed := range seeds(40) {
		first := one.Run(seed)
		one.Run(seed + 1000) // what a runner did before leaves no trace in what it does next
		again, elsewhere := one.Run(seed), other.Run(seed)
		if first.Digest != again.Digest || first.Digest != elsewhere.Digest || first.Events != again.Events {
			t.Errorf("seed %d: digests %016x, %016x and %016x", seed, first.Digest, again.Digest, elsewhere.Digest)
		}
	}
}

// TestDigestsAreNotHollow changes one constant of the core by very little: nearly all digests change.
func TestDigestsAreNotHollow(t *testing.T) {
	runner := NewRunner(Standard())
	before := make([]uint64, seeds(100))
	for seed := range before {
		before[seed] = runner.Run(uint64(seed)).Digest
	}
	changed := Standard()
	changed.Core.HeartbeatInterval += time.Millisecond
	runner, same := NewRunner(changed), 0
	for seed, digest := range before {
		if runner.Run(uint64(seed)).Digest == digest {
			same++
		}
	}
	if same*100 > len(before) {
		t.Errorf("%d of %d digests stay the same", same, len(before))
	}
}
