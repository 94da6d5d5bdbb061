package kvsim

import (
	"errors"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

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
	KindInvariant       Kind = "invariant"       // a rule that holds after every event was broken
	KindPromise         Kind = "promise"         // something was still owed after the world had healed
	KindCausal          Kind = "causal"          // the sessions saw what causal consistency forbids
	KindLinearizability Kind = "linearizability" // no order of the operations explains the answers
	KindPanic           Kind = "panic"           // a machine, or the harness, panicked
	KindUndecided       Kind = "undecided"       // the checker could not decide
)

// Failure is why a run did not hold.
type Failure struct {
	Kind        Kind        `json:"kind"`
	Name        string      `json:"name"`        // of the rule
	Guarantee   string      `json:"-"`           // KindCausal: what was promised to the sessions
	Explanation string      `json:"explanation"` // sentences for a person
	At          netsim.Time `json:"-"`           // virtual time; zero for what the whole run shows
	Event       string      `json:"event,omitempty"`

	read int32 // the operation that saw what it must not, counted from 1; zero: none
}

// Rule names what is broken, so that another run can be asked whether it breaks the same: the
// guarantee, the invariant, or the panic.
func (f *Failure) Rule() string {
	switch {
	case f == nil:
		return ""
	case f.Guarantee != "":
		return f.Guarantee
	case f.Kind == KindPanic:
		first, _, _ := strings.Cut(f.Explanation, "\n")
		return strings.Join(strings.Fields(strings.Map(notDigit, f.Name+" "+first)), " ") // its figures may change
	}
	return f.Name
}

// notDigit drops digits, what begins a comment in a capsule and what cannot be printed.
func notDigit(c rune) rune {
	if c >= '0' && c <= '9' || c == '#' || c == utf8.RuneError || !unicode.IsPrint(c) {
		return -1
	}
	return c
}

// Sentence tells whether the first line of the explanation says it all, without the name of a rule.
func (f *Failure) Sentence() bool {
	return f.Kind == KindCausal || f.Kind == KindUndecided || f.Kind == KindLinearizability
}

// Headline is the failure in one line.
func (f *Failure) Headline() string {
	first, _, _ := strings.Cut(f.Explanation, "\n")
	if f.Sentence() {
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
	Probes     []netsim.ProbeCount  // sorted by name
	Failure    *Failure             // nil when the verdict is Holds
	Faults     []netsim.FaultReport // in the order of the schedule
	Ruin       string               // what the faults did beyond what the store promises to survive: of that nothing was asked; "" for nothing
	Story      []Sentence           // what happened, in order; only if asked for
}

// explained turns an explanation into an error.
func explained(explain func(w io.Writer) error) error {
	var b strings.Builder
	if err := explain(&b); err != nil {
		return err
	}
	return errors.New(strings.TrimSpace(b.String()))
}
