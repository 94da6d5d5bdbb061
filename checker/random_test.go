package checker

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
)

// randomHistory returns a history of at most 12 operations. Some are produced by a careful hand, with
// reads of what is there already, so that each pattern and none at all are all frequent.
func randomHistory(rng *rand.Rand) History {
	return randomHistoryOf(rng, 12-rng.IntN(12)*rng.IntN(12)/11)
}

func randomHistoryOf(rng *rand.Rand, n int) History {
	sessions, keys := 1+rng.IntN(5), 1+rng.IntN(4)
	future := rng.IntN(8) == 0    // reads may return versions written later
	air := rng.IntN(16) == 0      // reads may return versions nobody wrote
	doubt := rng.IntN(3) * 15     // percentage of writes that are indeterminate
	nothing := 2 + rng.IntN(3)*10 // percentage of reads that return nothing
	fresh := rng.IntN(2) == 0     // reads prefer the newest write
	operations := make([]Operation, n)
	written := make([][]string, keys)
	for i := range operations {
		key := rng.IntN(keys)
		op := Operation{Session: rng.IntN(sessions), Key: fmt.Sprint("k", key), Kind: Read, Outcome: Acknowledged}
		if rng.IntN(100) < 45 {
			op.Kind = Write + Kind(rng.IntN(4)/3)
			op.Version = fmt.Sprint("v", i)
			switch roll := rng.IntN(100); {
			case roll < doubt:
				op.Outcome = Indeterminate
			case roll >= 98:
				op.Outcome = Failed
			}
			if op.Outcome == Indeterminate && rng.IntN(4) == 0 {
				op.Version = "" // nobody learned it
			} else {
				written[key] = append(written[key], op.Version)
			}
		} else if roll := rng.IntN(100); roll >= 98 {
			op.Outcome = Indeterminate
		}
		operations[i] = op
	}
	reached := make([]int, keys)
	for i := range operations {
		op := &operations[i]
		key := int(op.Key[1] - '0')
		if op.Kind != Read {
			if op.Version != "" {
				reached[key]++
			}
			continue
		}
		choices := written[key][:reached[key]]
		if future {
			choices = written[key]
		}
		switch {
		case air && rng.IntN(10) == 0:
			op.Version = "thin"
		case len(choices) == 0 || rng.IntN(100) < nothing:
		case fresh && rng.IntN(3) > 0:
			op.Version = choices[len(choices)-1]
		default:
			op.Version = choices[rng.IntN(len(choices))]
		}
	}
	return History{Operations: operations}
}

// histories returns how many random histories to try: the given number, fewer where code runs slowly,
// or CHECKER_HISTORIES from the environment.
func histories(t *testing.T, count int) int {
	if text := os.Getenv("CHECKER_HISTORIES"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if slow || testing.Short() {
		return count / 10
	}
	return count
}

func TestRandomHistoriesAgainstClosure(t *testing.T) {
	count := histories(t, 200_000)
	rng := rand.New(rand.NewPCG(1, 2017))
	found := make([]int, CyclicCF+1)
	guarantees := make([]int, ThinAir+1)
	doubtful := 0 // violations whose witness needs an indeterminate write
	for i := range count {
		h := randomHistory(rng)
		got, err := CheckCausal(h)
		if err != nil {
			t.Fatalf("history %d: %v\n%s", i, err, notation(h))
		}
		c := newClosure(h)
		want := c.rule()
		if got.Rule != want || got.OK() != (want == 0) || (got.Status == Violated) != (want != 0) {
			t.Fatalf("history %d: got %v (%v), want %v\n%s", i, got.Rule, got.Status, want, notation(h))
		}
		if err := c.confirm(got); err != nil {
			t.Fatalf("history %d: %v: %v\n%s%+v", i, got.Rule, err, notation(h), got)
		}
		found[got.Rule]++
		guarantees[got.Guarantee]++
		for _, edge := range got.Edges {
			if edge.To >= 0 && h.Operations[edge.To].Outcome == Indeterminate {
				doubtful++
				break
			}
		}
	}
	for rule, n := range found {
		t.Logf("%-16v %7d of %d", Rule(rule), n, count)
		if n < count/200 {
			t.Errorf("%v: only %d of %d histories", Rule(rule), n, count)
		}
	}
	for guarantee, n := range guarantees {
		t.Logf("%-20v %7d", Guarantee(guarantee), n)
		if n < count/10_000 {
			t.Errorf("%v: only %d of %d histories", Guarantee(guarantee), n, count)
		}
	}
	t.Logf("with an indeterminate write in the witness: %d", doubtful)
	if doubtful < count/200 {
		t.Errorf("only %d witnesses need an indeterminate write", doubtful)
	}
}

// TestLargerRandomHistories lets cursors, clocks and adopted writes go further than 12 operations allow.
func TestLargerRandomHistories(t *testing.T) {
	count := histories(t, 4_000)
	rng := rand.New(rand.NewPCG(3, 2025))
	found := make([]int, CyclicCF+1)
	for i := range count {
		h := randomHistoryOf(rng, 13+rng.IntN(30))
		got, err := CheckCausal(h)
		if err != nil {
			t.Fatal(err)
		}
		c := newClosure(h)
		if want := c.rule(); got.Rule != want {
			t.Fatalf("history %d: got %v, want %v\n%s", i, got.Rule, want, notation(h))
		}
		if err := c.confirm(got); err != nil {
			t.Fatalf("history %d: %v: %v\n%s%+v", i, got.Rule, err, notation(h), got)
		}
		found[got.Rule]++
	}
	for rule, n := range found {
		t.Logf("%-16v %7d of %d", Rule(rule), n, count)
		if n == 0 {
			t.Errorf("%v: none of %d histories", Rule(rule), count)
		}
	}
}

// TestStoreHistories runs a last-writer-wins store with causal delivery: all it does is legal, and
// an earlier write in place of the last one of a key is noticed.
func TestStoreHistories(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 1995))
	for range histories(t, 20_000) {
		h, final := runStore(rng, 10+rng.IntN(30))
		v, err := CheckCausal(h)
		if err != nil || !v.OK() {
			t.Fatalf("%v, %v\n%s%+v", v.Rule, err, notation(h), v)
		}
		l, err := CheckNothingLost(h, final)
		if err != nil || !l.OK() {
			t.Fatalf("%v, %v\n%s%+v", l, err, notation(h), final)
		}
		for i := range final {
			broken := slices.Clone(final)
			for _, op := range h.Operations { // the oldest write of the key in place of the last
				if op.Kind != Read && op.Key == final[i].Key {
					broken[i] = Final{Key: op.Key, Version: op.Version, Stamp: op.Stamp}
					break
				}
			}
			l, err := CheckNothingLost(h, broken)
			if same := broken[i] == final[i]; err != nil || l.OK() != same {
				t.Fatalf("%v, %v\n%s%+v", l, err, notation(h), broken)
			}
		}
	}
}
