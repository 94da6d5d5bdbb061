package checker

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestZeroValuesAreNoPass(t *testing.T) {
	if (Verdict{}).OK() || (Agreement{}).OK() || (Losses{}).OK() {
		t.Error("a zero answer passes")
	}
	if (Verdict{Status: Violated}).OK() || !(Verdict{Status: Holds}).OK() {
		t.Error("OK is not what it says")
	}
}

func TestMalformedHistories(t *testing.T) {
	valid := Operation{Kind: Write, Key: "x", Version: "1", Outcome: Acknowledged}
	for name, change := range map[string]func(*Operation){
		"number the sessions":   func(op *Operation) { op.Session = 1 << 30 },
		"session number -1":     func(op *Operation) { op.Session = -1 },
		"use Read, Write":       func(op *Operation) { op.Kind = 0 },
		"kind 9":                func(op *Operation) { op.Kind = 9 },
		"use Acknowledged":      func(op *Operation) { op.Outcome = 0 },
		"outcome 4":             func(op *Operation) { op.Outcome = 4 },
		"without a version":     func(op *Operation) { op.Version = "" },
		"a version of its own":  func(op *Operation) { op.Session = 2 },
		"as operation 0 does":   func(op *Operation) { op.Kind = Delete },
		"creates version \"1\"": func(op *Operation) { op.Outcome = Indeterminate },
	} {
		op := valid
		change(&op)
		h := History{Operations: []Operation{valid, op}}
		v, err := CheckCausal(h)
		if v.OK() || !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v, %v", name, v.Status, err)
		}
		l, err := CheckNothingLost(h, nil)
		if l.OK() || !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: final state: got %v, %v", name, l.Status, err)
		}
	}
}

// TestLimits takes away memory step by step: the verdict is right or undecided, and both occur.
func TestLimits(t *testing.T) {
	h := replicated(7, 2_000, 8, 5)
	if v, err := CheckCausalWithin(h, Limits{Operations: 1_999}); err != nil || v.Status != Undecided || v.Reason == "" {
		t.Errorf("operations: got %+v, %v", v, err)
	}
	decided := 0
	const steps = 400
	for step := range steps {
		v, err := CheckCausalWithin(h, Limits{Bytes: int64(step+1) * 1_000})
		if err != nil {
			t.Fatal(err)
		}
		if v.Status == Violated || v.OK() == (v.Reason != "") {
			t.Fatalf("%d kB: got %+v", step+1, v)
		}
		if v.OK() {
			decided++
		} else if decided > 0 {
			t.Fatalf("%d kB do not suffice, less did", step+1)
		}
		var b bytes.Buffer
		if err := v.Explain(&b, h); err != nil || !v.OK() && !strings.Contains(b.String(), "raise Limits.Bytes") {
			t.Fatalf("%v: %s", err, b.String())
		}
	}
	if decided == 0 || decided > steps/2 {
		t.Errorf("%d of %d memory limits suffice", decided, steps)
	}
}

// TestLongChains would exhaust any stack that grew with the history.
func TestLongChains(t *testing.T) {
	const length = 100_000
	var h History
	for i := range length { // A and B answer each other
		version := "v" + decimal(int64(i))
		h.Operations = append(h.Operations,
			Operation{Session: i % 2, Kind: Write, Key: "x", Version: version, Outcome: Acknowledged},
			Operation{Session: 1 - i%2, Kind: Read, Key: "x", Version: version, Outcome: Acknowledged})
	}
	if v, err := CheckCausal(h); err != nil || !v.OK() {
		t.Fatalf("got %+v, %v", v, err)
	}
	stale := Operation{Session: 2, Kind: Read, Key: "x", Version: "v99999", Outcome: Acknowledged}
	h.Operations = append(h.Operations, stale)
	stale.Version = "v0"
	h.Operations = append(h.Operations, stale)
	v, err := CheckCausal(h)
	if err != nil || v.Rule != WriteCORead || len(v.Edges) > 5 {
		t.Fatalf("got %v with %d edges, %v", v.Rule, len(v.Edges), err)
	}
}

// TestLongCycles closes cycles that need every one of many sessions.
func TestLongCycles(t *testing.T) {
	const length = 300
	var causal, conflicts History
	for i := range length {
		key, next := "k"+decimal(int64(i)), "k"+decimal(int64((i+1)%length))
		causal.Operations = append(causal.Operations,
			Operation{Session: i, Kind: Read, Key: key, Version: "v", Outcome: Acknowledged},
			Operation{Session: i, Kind: Write, Key: next, Version: "v", Outcome: Acknowledged})
		conflicts.Operations = append(conflicts.Operations, // first of next has to come before second of next
			Operation{Session: i, Kind: Write, Key: key, Version: "second", Outcome: Acknowledged},
			Operation{Session: i, Kind: Write, Key: next, Version: "first", Outcome: Acknowledged},
			Operation{Session: length + i, Kind: Read, Key: key, Version: "first", Outcome: Acknowledged},
			Operation{Session: length + i, Kind: Read, Key: key, Version: "second", Outcome: Acknowledged})
	}
	for rule, h := range map[Rule]*History{CyclicCO: &causal, CyclicCF: &conflicts} {
		v, err := CheckCausal(*h)
		if err != nil || v.Rule != rule || len(v.Edges) != 2*length {
			t.Errorf("got %v with %d edges, want %v: %v", v.Rule, len(v.Edges), rule, err)
		}
		h.Operations[0].Version, h.Operations[0].Kind = "other", Write // one session falls out of the ring
		if v, err := CheckCausal(*h); err != nil || rule == CyclicCO && !v.OK() || rule == CyclicCF && v.Rule != ThinAirRead {
			t.Errorf("open ring for %v: got %v, %v", rule, v.Rule, err)
		}
	}
}

func TestExplainRefusesAnotherHistory(t *testing.T) {
	for _, text := range []string{
		"A: r x 1",
		"A: r x 1 | w x 1",
		"A: w x 1 | r x -",
		"A: w x 1 | w x 2 | r x 1",
		"A: w x 1\nB: w x 2\nC: r x 1 | r x 2\nD: r x 2 | r x 1",
	} {
		h, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		v, err := CheckCausal(h)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Explain(io.Discard, h); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if err := v.Explain(io.Discard, History{}); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

// TestInterleavingDoesNotMatter moves operations of different sessions past each other.
func TestInterleavingDoesNotMatter(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 11))
	for range histories(t, 2_000) {
		h := randomHistory(rng)
		want, err := CheckCausal(h)
		if err != nil {
			t.Fatal(err)
		}
		ops := append([]Operation(nil), h.Operations...)
		for range 100 {
			if i := rng.IntN(len(ops)); i > 0 && ops[i-1].Session != ops[i].Session {
				ops[i-1], ops[i] = ops[i], ops[i-1]
			}
		}
		got, err := CheckCausal(History{Operations: ops})
		if err != nil || got.Rule != want.Rule || len(got.Edges) != len(want.Edges) {
			t.Fatalf("got %v with %d edges, want %v with %d: %v\n%s",
				got.Rule, len(got.Edges), want.Rule, len(want.Edges), err, notation(h))
		}
	}
}
