package checker

import (
	"errors"
	"fmt"
)

// ErrMalformed is wrapped by every error about a history or a final state that cannot be judged
// because the recording of it is wrong.
var ErrMalformed = errors.New("checker: malformed input")

// role is the part that an operation plays in the check.
type role uint8

const (
	ignored  role = iota // failed, or an indeterminate operation that nobody observed
	reader               // acknowledged read
	writer               // acknowledged write or delete
	observed             // indeterminate write or delete that an acknowledged read returned
)

// noSource marks a read of a version that nobody wrote.
const noSource = -2

// index holds the history by numbers. Slices without another remark are indexed by operation.
type index struct {
	operations []Operation
	role       []role
	session    []int32 // dense number of the session, among those with operations that count
	position   []int32 // place in sequence, from 1, within the session
	key        []int32 // number of the key, by first appearance
	source     []int32 // of a read: the write it returned, or None
	previous   []int32 // the latest operation before it in session order, or None

	sequence []int32 // operations that count, session by session in program order
	start    []int32 // by session: where it starts in sequence; one more entry ends the last
	keys     int     // number of keys
	sessions int     // number of sessions
	writes   int     // operations with role writer or observed
	reads    int     // operations with role reader
	observed int     // operations with role observed

	thinAir int // the first read without a source, or None

	keyNumber map[string]int32    // for looking up only
	version   map[versionID]int32 // the write that created it, also an ignored one that was indeterminate
}

// versionID names a version within a history.
type versionID struct {
	key     int32
	version string
}

// newIndex validates a history of at most 2³⁰ operations and numbers what is in it. When a read
// has no source, the index stops there and only thinAir is meaningful.
func newIndex(history History) (*index, error) {
	n := len(history.Operations)
	numbers := make([]int32, 5*n)
	x := &index{
		operations: history.Operations,
		role:       make([]role, n),
		session:    numbers[0*n : 1*n : 1*n],
		position:   numbers[1*n : 2*n : 2*n],
		key:        numbers[2*n : 3*n : 3*n],
		source:     numbers[3*n : 4*n : 4*n],
		previous:   numbers[4*n : 5*n : 5*n],
		thinAir:    None,
	}
	top, err := x.validate()
	if err != nil {
		return nil, err
	}
	if err := x.link(); err != nil {
		return nil, err
	}
	if x.thinAir == None {
		x.arrange(top)
	}
	return x, nil
}

// validate reports the first operation that is malformed by itself, and the greatest session number.
func (x *index) validate() (top int, err error) {
	bound := len(x.operations) + 1<<16
	for i := range x.operations {
		op := &x.operations[i]
		switch {
		case op.Session < 0 || op.Session > bound:
			return 0, malformed(i, "session number %d; number the sessions from 0 without large gaps", op.Session)
		case op.Kind < Read || op.Kind > Delete:
			return 0, malformed(i, "kind %d; use Read, Write or Delete", op.Kind)
		case op.Outcome < Acknowledged || op.Outcome > Failed:
			return 0, malformed(i, "outcome %d; use Acknowledged, Indeterminate or Failed", op.Outcome)
		case op.Kind != Read && op.Version == "" && op.Outcome == Acknowledged:
			return 0, malformed(i, "acknowledged %s of %q without a version; record the version that it created",
				op.Kind, op.Key)
		}
		top = max(top, op.Session)
	}
	return top, nil
}

func malformed(operation int, format string, arguments ...any) error {
	return fmt.Errorf("%w: operation %d: %s", ErrMalformed, operation, fmt.Sprintf(format, arguments...))
}

// link numbers the keys, finds the source of every read and gives every operation its role.
func (x *index) link() error {
	keys := make(map[string]int32)
	versions := make(map[versionID]int32, len(x.operations)/2)
	x.keyNumber, x.version = keys, versions
	for i := range x.operations {
		op := &x.operations[i]
		if op.Outcome == Failed {
			continue
		}
		key, known := keys[op.Key]
		if !known {
			key = int32(len(keys))
			keys[op.Key] = key
		}
		x.key[i] = key
		switch {
		case op.Kind == Read && op.Outcome == Acknowledged:
			x.role[i] = reader
		case op.Kind != Read && op.Version != "":
			id := versionID{key, op.Version}
			if other, taken := versions[id]; taken {
				return malformed(i, "it creates version %q of %q, as operation %d does; give every write a version of its own",
					op.Version, op.Key, other)
			}
			versions[id] = int32(i)
			if op.Outcome == Acknowledged {
				x.role[i] = writer
			}
		}
	}
	x.keys = len(keys)
	for i := range x.operations {
		if x.role[i] != reader {
			continue
		}
		source, found := int32(None), true
		if version := x.operations[i].Version; version != "" {
			source, found = versions[versionID{x.key[i], version}]
		}
		if !found {
			x.source[i], x.thinAir = noSource, i
			return nil
		}
		x.source[i] = source
		if source != None && x.role[source] == ignored {
			x.role[source] = observed
		}
	}
	return nil
}

// arrange puts the operations that count in session order. top is the greatest session number.
func (x *index) arrange(top int) {
	count := make([]int32, top+2)
	for i, r := range x.role {
		switch r {
		case ignored:
			continue
		case reader:
			x.reads++
		case observed:
			x.observed++
			x.writes++
		case writer:
			x.writes++
		}
		count[x.operations[i].Session]++
	}
	// From here on count holds the dense number of a session.
	x.start = make([]int32, 1, top+2)
	for session, operations := range count {
		if operations > 0 {
			count[session] = int32(x.sessions)
			x.start = append(x.start, x.start[x.sessions]+operations)
			x.sessions++
		}
	}
	x.sequence = make([]int32, x.reads+x.writes)
	fill := make([]int32, 2*x.sessions)
	last := fill[x.sessions:]
	for session := range last {
		last[session] = None
	}
	for i, r := range x.role {
		if r == ignored {
			continue
		}
		session := count[x.operations[i].Session]
		x.session[i] = session
		x.sequence[x.start[session]+fill[session]] = int32(i)
		fill[session]++
		x.position[i] = fill[session]
		x.previous[i] = last[session]
		if r != observed { // it gives its session nothing
			last[session] = int32(i)
		}
	}
}

// written returns the write that an entry of a write list stands for: itself, or, when the entry is a
// read that adopts an indeterminate write, that write.
func (x *index) written(entry int32) int32 {
	if x.role[entry] == reader {
		return x.source[entry]
	}
	return entry
}
