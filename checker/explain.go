package checker

import (
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// ErrForeign is returned when a verdict is explained with another history than the one it is about.
var ErrForeign = errors.New("checker: the verdict is about another history; pass the one that was checked")

// Explain writes the verdict in words: the guarantee by name, the operations, and why each arrow holds.
// The history has to be the one that was checked. The error is ErrForeign or that of the writer.
func (v Verdict) Explain(w io.Writer, h History) error {
	if v.foreign(h) {
		return ErrForeign
	}
	var b strings.Builder
	switch v.Status {
	case Holds:
		b.WriteString("causal consistency holds: " + plural(len(h.Operations), "operation") + "\n")
	case Violated:
		b.WriteString("causal consistency is violated: " + v.Guarantee.String() + "\n\n")
		v.narrate(&b, newSpeaker(h, v.mentioned()))
	case Undecided:
		reason := v.Reason
		if reason == "" {
			reason = "nothing was checked"
		}
		b.WriteString("causal consistency is undecided: " + reason + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// foreign reports whether the verdict cannot be about a history.
func (v Verdict) foreign(h History) bool {
	if v.Status != Violated {
		return false
	}
	outside := func(i int) bool { return i < 0 || i >= len(h.Operations) }
	switch v.Rule {
	case ThinAirRead:
		return outside(v.Read)
	case WriteCOInitRead, WriteCORead:
		if len(v.Edges) < 2 || outside(v.Read) || outside(v.Newer) || v.Stale != None && outside(v.Stale) {
			return true
		}
	case CyclicCO, CyclicCF:
	}
	for _, e := range v.Edges {
		if e.Kind == Conflict && outside(e.Read) {
			return true
		}
	}
	return slices.ContainsFunc(v.mentioned(), outside)
}

// mentioned lists the operations of the witness; some of them repeatedly.
func (v Verdict) mentioned() []int {
	var operations []int
	for _, e := range v.Edges {
		if e.From != None {
			operations = append(operations, e.From)
		}
		operations = append(operations, e.To)
		for _, p := range e.Past {
			operations = append(operations, p.From, p.To)
		}
	}
	return operations
}

// arrow is a line of an explanation: one thing comes before another, because.
type arrow struct {
	from, to, why string
	indent        int
}

func (v Verdict) narrate(b *strings.Builder, s speaker) {
	switch v.Rule {
	case ThinAirRead:
		narrateThinAir(b, s, v.Read)
		return
	case CyclicCO:
		b.WriteString("  an operation comes before itself; each arrow follows from what the sessions did and read:\n")
	case CyclicCF:
		b.WriteString("  no order of the writes suits every session: each has to come before the next, and the last is the first:\n")
	case WriteCOInitRead, WriteCORead:
		b.WriteString("  " + v.summary(s) + ":\n")
	}
	draw(b, s.arrows(v.Edges, v.Read, 0))
}

// summary is the sentence that an overwritten read deserves.
func (v Verdict) summary(s speaker) string {
	op := s.history.Operations[v.Read]
	read := s.assignment(op.Key, v.Stale) + s.from(v.Read)
	replaced := s.noun(v.Newer) + " replaced " + s.noun(v.Stale)
	if v.Stale == None {
		replaced = s.noun(v.Newer) + " had been written before"
		if s.history.Operations[v.Newer].Kind == Delete {
			replaced = "it had been written and deleted before"
		}
	}
	session := "session " + s.name(v.Read)
	switch v.Guarantee {
	case ReadYourWrites:
		did := "wrote " + s.assignment(op.Key, v.Newer)
		if s.history.Operations[v.Newer].Kind == Delete {
			did = "deleted " + clip(op.Key)
		}
		return session + " " + did + s.at(v.Newer) + " and later read " + read + ", although " + replaced
	case MonotonicReads:
		first := v.Edges[len(v.Edges)-1].From
		return session + " read " + s.assignment(op.Key, v.Newer) + s.from(first) + " and later " + read + ", although " + replaced
	case MonotonicWrites:
		later := v.Edges[len(v.Edges)-2].From
		return session + " read " + read + ", although it knew " + s.noun(later) + ", which session " + s.name(later) +
			" wrote after " + s.noun(v.Newer) + ", and " + replaced
	case WritesFollowReads, Cycle, ThinAir:
	}
	later := v.Edges[len(v.Edges)-2].From
	return session + " read " + read + ", although it knew " + s.noun(later) + ", which was written with knowledge of " +
		s.noun(v.Newer) + ", and " + replaced
}

func narrateThinAir(b *strings.Builder, s speaker, r int) {
	op := s.history.Operations[r]
	value := ""
	if op.Value != "" {
		value = " = \"" + clip(op.Value) + "\""
	}
	b.WriteString("  session " + s.name(r) + " read " + clip(op.Key) + value + " (version " + clip(op.Version) + ")" +
		s.source(r, "from") + ", but no write of the history created this version\n")
	for i, other := range s.history.Operations {
		if other.Kind == Read || other.Key != op.Key {
			continue
		}
		switch {
		case other.Outcome == Failed && other.Version == op.Version:
			b.WriteString("    session " + s.name(i) + " sent it" + s.source(i, "to") + ", and was told that it surely failed\n")
		case other.Outcome == Indeterminate && other.Version == "":
			b.WriteString("    session " + s.name(i) + " sent a " + other.Kind.String() + " of " + clip(op.Key) + s.source(i, "to") +
				" whose outcome and version it never learned; if that is the one, record the version\n")
		}
	}
	if op.Note != "" {
		b.WriteString("    " + op.Note + "\n")
	}
}

// arrows tells the edges one by one; a read and the write that follows it are one arrow. last is the
// read at which the path ends, or None.
func (s speaker) arrows(edges []Edge, last, indent int) []arrow {
	var arrows []arrow
	tell := func(from, to, why string) {
		arrows = append(arrows, arrow{from: from, to: to, why: why, indent: indent})
	}
	for i := 0; i < len(edges); i++ {
		e := edges[i]
		switch {
		case e.Kind == Initial:
			tell(s.label(None), s.label(e.To), "every key holds nothing at first; session "+s.name(e.To)+" "+s.wrote(e.To)+s.place(e.To))
		case e.Kind == ReadsFrom && i+1 < len(edges) && edges[i+1].To != last:
			write := edges[i+1].To
			tell(s.label(e.From), s.label(write), "session "+s.name(write)+" had read "+s.noun(e.From)+s.place(e.To)+
				" when it "+s.wrote(write)+s.place(write))
			i++
		case e.Kind == ReadsFrom:
			tell(s.label(e.From), s.name(e.To), s.name(e.To)+" read it"+s.source(e.To, "from"))
		case e.Kind == Conflict:
			tell(s.label(e.From), s.label(e.To), "session "+s.name(e.Read)+" read "+s.noun(e.To)+s.place(e.Read)+
				" when it knew "+s.noun(e.From)+":")
			arrows = append(arrows, s.arrows(e.Past, e.Read, indent+2)...)
		case e.To == last:
			if s.history.Operations[e.From].Kind != Read {
				tell(s.label(e.From), s.name(e.To), s.name(e.To)+" "+s.did(e.From)+" itself"+s.source(e.From, "at"))
			}
			tell(s.name(e.To), s.name(e.To), s.answer(last))
		default:
			tell(s.label(e.From), s.label(e.To), "session "+s.name(e.From)+" "+s.wrote(e.From)+s.place(e.From)+
				" before it "+s.wrote(e.To)+s.place(e.To))
		}
	}
	return arrows
}

// answer tells what came back in the end.
func (s speaker) answer(r int) string {
	op := s.history.Operations[r]
	who := "it was answered"
	if op.Node != "" {
		who = op.Node + " answered"
	}
	if instant := s.instant(r); instant != "" {
		who += " at " + instant
	}
	what := "nothing"
	if op.Version != "" {
		what = "version " + clip(op.Version)
		if op.Value != "" {
			what = clip(op.Value)
		}
	}
	if op.Note != "" {
		return who + " with " + what + ": " + op.Note
	}
	return who + " with " + what
}

// did is what a session did to its own write, which the arrow names.
func (s speaker) did(i int) string {
	if op := s.history.Operations[i]; op.Kind == Delete {
		return "deleted " + clip(op.Key)
	}
	return "wrote it"
}

// at is the node of a write, with a space before; empty when unknown.
func (s speaker) at(i int) string {
	if node := s.history.Operations[i].Node; node != "" {
		return " at " + node
	}
	return ""
}

// draw writes the arrows in columns.
func draw(b *strings.Builder, arrows []arrow) {
	left, right := 0, 0
	for _, a := range arrows {
		left = max(left, a.indent+utf8.RuneCountInString(a.from))
		right = max(right, utf8.RuneCountInString(a.to))
	}
	for _, a := range arrows {
		b.WriteString("    " + strings.Repeat(" ", a.indent) + a.from)
		pad(b, left-a.indent-utf8.RuneCountInString(a.from))
		b.WriteString(" → " + a.to)
		pad(b, right-utf8.RuneCountInString(a.to))
		b.WriteString("   " + a.why + "\n")
	}
}

func pad(b *strings.Builder, n int) {
	for range n {
		b.WriteByte(' ')
	}
}
