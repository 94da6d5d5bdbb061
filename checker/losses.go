package checker

import (
	"io"
	"strconv"
	"strings"
)

// Explain writes the answer in words: which key, what is left, and which write should have prevailed. The
// history has to be the one that was checked. The error is that of the writer.
func (l Losses) Explain(w io.Writer, h History) error {
	var b strings.Builder
	switch l.Status {
	case Holds:
		b.WriteString("no write was lost\n")
	case Undecided:
		reason := l.Reason
		if reason == "" {
			reason = "nothing was checked"
		}
		b.WriteString("whether a write was lost is undecided: " + reason + "\n")
	case Violated:
		b.WriteString("the final state is not what the writes demand: " + plural(len(l.Losses), "key") + "\n\n")
		for i, loss := range l.Losses {
			if i == longest {
				b.WriteString("  … and " + decimal(int64(len(l.Losses)-i)) + " more\n")
				break
			}
			loss.explain(&b, h)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (l Loss) explain(b *strings.Builder, h History) {
	var mentioned []int
	for _, i := range []int{l.Kept, l.Lost} {
		if i != None {
			mentioned = append(mentioned, i)
		}
	}
	s := newSpeaker(h, mentioned)
	left := "nothing"
	if l.Final.Version != "" {
		left = "version " + clip(l.Final.Version)
	}
	if l.Kept != None {
		left = s.noun(l.Kept) + " of session " + s.name(l.Kept) + s.place(l.Kept)
	}
	b.WriteString("  key " + clip(l.Key) + " ended with " + left)
	switch l.Cause {
	case UnknownVersion:
		b.WriteString(", but no write that may have happened created it\n")
		return
	case CausallyOlder:
		b.WriteString(", which a later write knew and replaced:\n")
	case LowerStamp:
		b.WriteString(", although a write with a greater stamp happened:\n")
	case HoldsNothing:
		b.WriteString(", although a write happened and no delete came after it:\n")
	}
	b.WriteString("    session " + s.name(l.Lost) + " " + s.wrote(l.Lost) + s.place(l.Lost))
	if stamp := h.Operations[l.Lost].Stamp; l.Cause == LowerStamp && !stamp.IsZero() {
		b.WriteString(", stamp " + stamp.String())
		if !l.Final.Stamp.IsZero() {
			b.WriteString("; what is left has " + l.Final.Stamp.String())
		}
	}
	if l.Observer != None {
		b.WriteString(", and session " + s.name(l.Observer) + " read it" + s.source(l.Observer, "from"))
	}
	b.WriteString("\n")
}

// String returns the clock and the tie, joined by a point.
func (s Stamp) String() string {
	return strconv.FormatUint(s.Clock, 10) + "." + strconv.FormatUint(s.Tie, 10)
}
