package checker

// Status is the result of a check. The zero value is Undecided, which is never a pass.
type Status uint8

// The results of a check.
const (
	Undecided Status = iota // the check could not be completed; the verdict's Reason says why
	Holds                   // the property holds
	Violated                // the property is violated; the verdict carries a witness
)

// String returns the name of the status in lower case.
func (s Status) String() string {
	switch s {
	case Holds:
		return "holds"
	case Violated:
		return "violated"
	case Undecided:
	}
	return "undecided"
}

// Rule is the pattern of Bouajjani et al. that a history contains. The zero value means none.
type Rule uint8

// The five patterns that causal convergence excludes, in the order in which they are reported when a
// history contains several.
const (
	ThinAirRead     Rule = iota + 1 // a read of a version that nobody wrote
	CyclicCO                        // session order and reads-from form a cycle
	WriteCOInitRead                 // a read of nothing, with a write of the key in its causal past
	WriteCORead                     // a read of a version that its causal past had overwritten
	CyclicCF                        // no order of the writes suits all reads
)

// String returns the name of the pattern in the literature.
func (r Rule) String() string {
	switch r {
	case ThinAirRead:
		return "ThinAirRead"
	case CyclicCO:
		return "CyclicCO"
	case WriteCOInitRead:
		return "WriteCOInitRead"
	case WriteCORead:
		return "WriteCORead"
	case CyclicCF:
		return "CyclicCF"
	}
	return "none"
}

// Guarantee is the promise to a session that was broken, a violation's name for people. The zero value
// means none.
type Guarantee uint8

// The guarantees. The first four are told apart by the path from the overwriting write to the read.
const (
	ReadYourWrites    Guarantee = iota + 1 // the session itself had written the newer version
	MonotonicReads                         // the session itself had read the newer version
	MonotonicWrites                        // it knew a later write of the session that wrote the newer version
	WritesFollowReads                      // it knew a write by someone who had learned of the newer version
	Cycle                                  // no single operation is to blame: an order contradicts itself
	ThinAir                                // the version read has no origin
)

// String returns the name of the guarantee in lower case.
func (g Guarantee) String() string {
	switch g {
	case ReadYourWrites:
		return "read your writes"
	case MonotonicReads:
		return "monotonic reads"
	case MonotonicWrites:
		return "monotonic writes"
	case WritesFollowReads:
		return "writes follow reads"
	case Cycle:
		return "a cycle"
	case ThinAir:
		return "a read out of thin air"
	}
	return "none"
}

// EdgeKind says why one operation comes before another. The zero value is invalid.
type EdgeKind uint8

// The kinds of edges.
const (
	SessionOrder EdgeKind = iota + 1 // both belong to one session, in this order
	ReadsFrom                        // To read the version that From wrote
	Conflict                         // From and To write one key; a read that knew From returned To
	Initial                          // From is the initial state, which comes before everything
)

// String returns the name of the relation in lower case.
func (k EdgeKind) String() string {
	switch k {
	case SessionOrder:
		return "session order"
	case ReadsFrom:
		return "reads from"
	case Conflict:
		return "conflict"
	case Initial:
		return "initial state"
	}
	return "unknown edge"
}

// None stands for the initial state, or for the absence of an operation, where an index into
// History.Operations is expected.
const None = -1

// Edge is one step of a witness: From comes before To. The zero value is invalid.
type Edge struct {
	From, To int // indices into History.Operations; From may be None, the initial state
	Kind     EdgeKind

	// For a Conflict: the read that forces the edge (it returned To while it had From in its causal
	// past), the key of all three, and the path from From to Read. Otherwise None and empty.
	Read int
	Key  string
	Past []Edge

	_ struct{}
}

// Verdict is the answer of CheckCausal. The zero value is undecided.
type Verdict struct {
	Status    Status
	Reason    string    // why it is Undecided, with what to do about it; otherwise empty
	Rule      Rule      // the pattern found, when Violated
	Guarantee Guarantee // its name for people, when Violated

	// Edges is the witness when Violated: for WriteCOInitRead and WriteCORead the path from Stale over
	// Newer to Read; for CyclicCO and CyclicCF a cycle that ends where it starts; for ThinAirRead empty.
	Edges []Edge

	// Read returned Stale although Newer, a write of the same key, was in its causal past. Indices into
	// History.Operations. Stale is None when it is the initial state. ThinAirRead has only Read, the
	// cycles have none of them (None).
	Read, Stale, Newer int

	_ struct{}
}

// OK reports whether the property holds. It is false for an undecided verdict.
func (v Verdict) OK() bool { return v.Status == Holds }

// Limits bound what a check may use, so that it answers Undecided instead of exhausting the machine.
// They count work, not time: the same history gets the same verdict everywhere. The zero value means
// the defaults.
type Limits struct {
	Operations int   // most operations of a history; 0 = 2³⁰, which is also the maximum
	Bytes      int64 // most memory for the tables of the check, in bytes, roughly; 0 = 1 GiB

	_ struct{}
}

func (l Limits) operations() int {
	const most = 1 << 30
	if l.Operations <= 0 || l.Operations > most {
		return most
	}
	return l.Operations
}

func (l Limits) bytes() int64 {
	if l.Bytes <= 0 {
		return 1 << 30
	}
	return l.Bytes
}
