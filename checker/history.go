package checker

// Kind says what an operation does. The zero value is invalid.
type Kind uint8

// The kinds of operations.
const (
	Read   Kind = iota + 1 // returns a version, or nothing
	Write                  // creates a version that holds a value
	Delete                 // creates a version that holds no value
)

// String returns the name of the kind in lower case.
func (k Kind) String() string {
	switch k {
	case Read:
		return "read"
	case Write:
		return "write"
	case Delete:
		return "delete"
	}
	return "unknown kind"
}

// Outcome says what is known about whether an operation happened. The zero value is invalid.
type Outcome uint8

// The outcomes of operations.
const (
	Acknowledged  Outcome = iota + 1 // happened
	Indeterminate                    // may or may not have happened; reads with this outcome are ignored
	Failed                           // surely did not happen; ignored
)

// String returns the name of the outcome in lower case.
func (o Outcome) String() string {
	switch o {
	case Acknowledged:
		return "acknowledged"
	case Indeterminate:
		return "indeterminate"
	case Failed:
		return "failed"
	}
	return "unknown outcome"
}

// Stamp is the position of a version in the arbitration order of its key: last writer wins means that
// the greatest stamp wins. The zero value means unknown.
type Stamp struct {
	Clock uint64 // hybrid logical clock, in the store's own unit
	Tie   uint64 // decides between equal clocks, usually the replica's number
}

// IsZero reports whether the stamp is unknown.
func (s Stamp) IsZero() bool { return s == Stamp{} }

// Compare returns -1, 0 or 1 as s is before, equal to or after t.
func (s Stamp) Compare(t Stamp) int {
	switch {
	case s.Clock < t.Clock, s.Clock == t.Clock && s.Tie < t.Tie:
		return -1
	case s == t:
		return 0
	}
	return 1
}

// Operation is one request of a session with what the client learned from the answer. The zero value
// is invalid.
type Operation struct {
	Session int    // numbered from 0; the slice order within a session is its program order
	Kind    Kind   //
	Key     string // any text, also the empty one
	Value   string // the value written or read; only for explanations

	// Version names what was written or read, uniquely per key. For a read, "" is the initial state
	// (the key held nothing and never did). For a write or delete, "" is allowed only when the
	// outcome is Indeterminate and no read ever returned it, or when it failed.
	Version string

	Stamp    Stamp  // of the version written or read; zero = unknown
	Invoked  int64  // nanoseconds since the start of the run; only for explanations
	Returned int64  // nanoseconds since the start of the run; only for explanations
	Node     string // who answered; only for explanations
	Note     string // what else is known about the answer; only for explanations
	Outcome  Outcome

	_ struct{}
}

// History is what a set of sessions observed. The zero value is an empty history, which is causally
// convergent.
type History struct {
	// Operations of all sessions. Operations of different sessions may be interleaved in any way.
	Operations []Operation

	// Sessions names the sessions by their number, for explanations. Unnamed ones are called A, B, …
	Sessions []string

	_ struct{}
}

// SessionName returns the name of a session for people: the given one, or a letter, or S and the number.
func (h History) SessionName(session int) string {
	if session >= 0 && session < len(h.Sessions) && h.Sessions[session] != "" {
		return h.Sessions[session]
	}
	if session >= 0 && session < 26 {
		return string(rune('A' + session))
	}
	return "S" + decimal(int64(session))
}
