package kvsim

import (
	"errors"
	"io"
	"strings"

	"github.com/sequitur-kv/sequitur/netsim"
)

// Verdict is the outcome of a run or a sweep. The zero value is Undecided, which is never a pass.
type Verdict uint8

// The verdicts.
const (
	Undecided Verdict = iota
	Holds
	Violated
)

// String is the verdict as in JSON.
func (v Verdict) String() string {
	switch v {
	case Holds:
		return "holds"
	case Violated:
		return "violated"
	case Undecided:
	}
	return "undecided"
}

// Kind says which judge found a failure.
type Kind string

// The kinds of failures.
const (
	KindInvariant Kind = "invariant" // a rule that holds after every event was broken
	KindPromise   Kind = "promise"   // something was still owed after the world had healed
	KindCausal    Kind = "causal"    // the sessions saw what causal consistency forbids
	KindPanic     Kind = "panic"     // a machine, or the harness, panicked
	KindUndecided Kind = "undecided" // the checker could not decide
)

// Failure is why a run did not hold.
type Failure struct {
	Kind        Kind        `json:"kind"`
	Name        string      `json:"name"`        // of the rule
	Explanation string      `json:"explanation"` // sentences for a person
	At          netsim.Time `json:"-"`           // virtual time; zero for what the whole run shows
	Event       string      `json:"event,omitempty"`
}

// Headline is the failure in one line.
func (f *Failure) Headline() string {
	first, _, _ := strings.Cut(f.Explanation, "\n")
	if f.Kind == KindCausal || f.Kind == KindUndecided {
		return first
	}
	return f.Name + ": " + first
}

// Result is what a run came to.
type Result struct {
	Seed       uint64
	Scenario   string
	Verdict    Verdict
	Digest     uint64 // equal digests mean equal runs
	Events     uint64
	Operations int         // planned ones, without the audit
	Virtual    netsim.Time // simulated
	Stats      Stats
	Probes     []netsim.ProbeCount // sorted by name
	Failure    *Failure            // nil when the verdict is Holds
}

// explained turns an explanation into an error.
func explained(explain func(w io.Writer) error) error {
	var b strings.Builder
	if err := explain(&b); err != nil {
		return err
	}
	return errors.New(strings.TrimSpace(b.String()))
}
