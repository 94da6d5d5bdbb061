package checker

import (
	"fmt"
)

// Final is the version that a key had in the end, on all replicas of its shard. A key that holds
// nothing is left out, or has the version of its tombstone.
type Final struct {
	Key, Version string
	Stamp        Stamp // zero = unknown

	_ struct{}
}

// Cause says why a final state cannot be right. The zero value is invalid.
type Cause uint8

// The causes of a loss.
const (
	HoldsNothing   Cause = iota + 1 // a write happened, and nothing is left of it or of a later one
	UnknownVersion                  // no write that may have happened created the final version
	CausallyOlder                   // a later write, which knew the final version, is gone
	LowerStamp                      // a write with a greater stamp is gone
)

// String returns the cause in words.
func (c Cause) String() string {
	switch c {
	case HoldsNothing:
		return "nothing is left"
	case UnknownVersion:
		return "nobody wrote what is left"
	case CausallyOlder:
		return "what is left is causally older"
	case LowerStamp:
		return "what is left has a lower stamp"
	}
	return "unknown cause"
}

// Loss is a key that did not end as its writes demand.
type Loss struct {
	Key   string
	Cause Cause
	Final Final // what is left; zero when nothing is

	// Kept wrote what is left, Lost is a write that should have prevailed over it, and Observer, if
	// Lost was indeterminate, a read that proves that it happened. Indices into History.Operations, or
	// None.
	Kept, Lost, Observer int

	_ struct{}
}

// Losses is the answer of CheckNothingLost. The zero value is undecided.
type Losses struct {
	Status Status
	Reason string // why it is Undecided
	Losses []Loss // by key, in the order in which the history first names them; then keys it never names

	_ struct{}
}

// OK reports whether nothing was lost. It is false for an undecided answer.
func (l Losses) OK() bool { return l.Status == Holds }

// CheckNothingLost decides whether the final state, sorted by key, keeps every write that happened: those
// acknowledged, and those indeterminate that an acknowledged read returned. For every key, what is left
// has to be a write of the history that may have happened. It must not be causally before a write of the
// key that happened, and none of these may have a greater stamp, as far as stamps are known. Nothing may be
// left only if no write of the key happened, or if a delete satisfies these conditions.
//
// A history with a cycle in co, or with a read out of thin air, is undecided: CheckCausal explains it. The
// error wraps ErrMalformed.
func CheckNothingLost(history History, final []Final) (Losses, error) {
	for i := 1; i < len(final); i++ {
		if final[i-1].Key >= final[i].Key {
			return Losses{Reason: "the final state is malformed"}, fmt.Errorf(
				"%w: final state: key %q follows %q; sort it by key and list each key once",
				ErrMalformed, final[i].Key, final[i-1].Key)
		}
	}
	s, verdict, err := prepare(history, Limits{})
	if err != nil {
		return Losses{Reason: verdict.Reason}, err
	}
	if s == nil {
		if verdict.Rule == ThinAirRead {
			verdict.Reason = "a read returned a version that nobody wrote; see the verdict on causal consistency"
		}
		return Losses{Reason: verdict.Reason}, nil
	}
	s.run()
	switch {
	case s.exhausted:
		return Losses{Reason: undecidedForMemory(Limits{}).Reason}, nil
	case !s.complete():
		return Losses{Reason: "the causal order has a cycle; see the verdict on causal consistency"}, nil
	}
	result := Losses{Status: Holds, Losses: newSurvey(s).losses(final)}
	if len(result.Losses) > 0 {
		result.Status = Violated
	}
	return result, nil
}

// survey holds what the check of a final state needs to know about each key.
type survey struct {
	*sweep
	stamp          []Stamp   // by operation, if it is a write: its stamp, also when only a read told it
	observer       []int32   // by operation, if it is observed: the last read that returned it; earlier links the others
	earlier        []int32   // by operation, if it is a read: the one before it that returned the same write
	decisive       [][]int32 // by key: of each session the last acknowledged write, and all observed ones
	greatest       []int32   // by key: the write that happened with the greatest stamp, or None
	deletes        [][]int32 // by key: deletes that may have happened and whose version is known
	unversed       []bool    // by key: an indeterminate write has no version
	unversedDelete []bool    // by key: an indeterminate delete has no version
}

func newSurvey(s *sweep) *survey {
	n := len(s.operations)
	v := &survey{
		sweep: s, stamp: make([]Stamp, n), observer: make([]int32, n), earlier: make([]int32, n),
		decisive: make([][]int32, s.keys), greatest: make([]int32, s.keys), deletes: make([][]int32, s.keys),
		unversed: make([]bool, s.keys), unversedDelete: make([]bool, s.keys),
	}
	for i := range n {
		v.observer[i] = None
		v.stamp[i] = s.operations[i].Stamp
	}
	for key := range v.greatest {
		v.greatest[key] = None
	}
	for i := range n {
		if w := s.source[i]; s.role[i] == reader && w != None {
			v.earlier[i], v.observer[w] = v.observer[w], int32(i)
			if v.stamp[w].IsZero() {
				v.stamp[w] = s.operations[i].Stamp
			}
		}
	}
	v.classify()
	return v
}

// classify sorts the writes of each key by what they are good for.
func (v *survey) classify() {
	for i := range v.operations {
		op, key := &v.operations[i], v.key[i]
		if op.Kind == Read || op.Outcome == Failed {
			continue
		}
		if op.Version == "" {
			v.unversed[key] = true
			v.unversedDelete[key] = v.unversedDelete[key] || op.Kind == Delete
			continue
		}
		if op.Kind == Delete {
			v.deletes[key] = append(v.deletes[key], int32(i))
		}
		if v.role[i] == ignored {
			continue
		}
		if v.role[i] == observed {
			v.decisive[key] = append(v.decisive[key], int32(i))
		}
		if g := v.greatest[key]; !v.stamp[i].IsZero() && (g == None || v.stamp[g].Compare(v.stamp[i]) < 0) {
			v.greatest[key] = int32(i)
		}
	}
	for key := range v.keys {
		for _, list := range v.all[v.first[key]:v.first[key+1]] {
			last := int32(None)
			for i := list.end - 1; i >= list.start && last == None; i-- {
				if e := v.entries[i].operation; v.role[e] == writer {
					last = e
				}
			}
			if last != None {
				v.decisive[key] = append(v.decisive[key], last)
			}
		}
	}
}

func (v *survey) losses(final []Final) []Loss {
	var found []Loss
	left := make([]int, v.keys) // by key: its place in final, plus one
	var foreign []Loss
	for i, f := range final {
		if f.Version == "" {
			continue
		}
		if key, known := v.keyNumber[f.Key]; known {
			left[key] = i + 1
		} else {
			foreign = append(foreign, Loss{Key: f.Key, Cause: UnknownVersion, Final: f, Kept: None, Lost: None, Observer: None})
		}
	}
	name := make([]string, v.keys)
	for i := range v.operations {
		if v.operations[i].Outcome != Failed {
			name[v.key[i]] = v.operations[i].Key
		}
	}
	for key := range v.keys {
		loss, lost := v.nothing(key)
		if left[key] > 0 {
			loss, lost = v.something(key, final[left[key]-1])
		}
		if lost {
			loss.Key, loss.Observer = name[key], None
			if loss.Lost != None && v.role[loss.Lost] == observed {
				loss.Observer = int(v.observer[loss.Lost])
			}
			found = append(found, loss)
		}
	}
	return append(found, foreign...)
}

// nothing judges a key of which nothing is left.
func (v *survey) nothing(key int) (Loss, bool) {
	if len(v.decisive[key]) == 0 || v.unversedDelete[key] {
		return Loss{}, false
	}
	for _, d := range v.deletes[key] {
		if _, beaten := v.beaten(key, d, v.stamp[d]); !beaten {
			return Loss{}, false
		}
	}
	lost := v.greatest[key]
	if lost == None {
		lost = v.decisive[key][len(v.decisive[key])-1]
	}
	return Loss{Cause: HoldsNothing, Kept: None, Lost: int(lost)}, true
}

// something judges a key of which a version is left.
func (v *survey) something(key int, final Final) (Loss, bool) {
	kept, known := v.version[versionID{int32(key), final.Version}]
	stamp := final.Stamp
	if !known {
		if !v.unversed[key] {
			return Loss{Cause: UnknownVersion, Final: final, Kept: None, Lost: None}, true
		}
		kept = None
	} else if stamp.IsZero() {
		stamp = v.stamp[kept]
	}
	loss, beaten := v.beaten(key, kept, stamp)
	loss.Final = final
	return loss, beaten
}

// beaten reports whether a write that happened should have prevailed over the given one, which may be
// None when only its stamp is known.
func (v *survey) beaten(key int, kept int32, stamp Stamp) (Loss, bool) {
	if kept != None {
		for _, later := range v.decisive[key] {
			if later != kept && v.precedes(kept, later) {
				return Loss{Cause: CausallyOlder, Kept: int(kept), Lost: int(later)}, true
			}
		}
	}
	if g := v.greatest[key]; g != None && g != kept && !stamp.IsZero() && stamp.Compare(v.stamp[g]) < 0 {
		return Loss{Cause: LowerStamp, Kept: int(kept), Lost: int(g)}, true
	}
	return Loss{}, false
}

// precedes reports whether the write w is causally before the write t.
func (v *survey) precedes(w, t int32) bool {
	switch v.role[w] {
	case writer:
		return v.before(v.index, w, t)
	case observed:
		for r := v.observer[w]; r != None; r = v.earlier[r] {
			if v.before(v.index, r, t) {
				return true
			}
		}
	case ignored, reader:
	}
	return false
}
