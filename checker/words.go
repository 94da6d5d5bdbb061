package checker

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// longest is how many characters of a value an explanation shows.
const longest = 32

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// plural is a number of things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return decimal(int64(n)) + " " + thing + "s"
}

// seconds formats nanoseconds as seconds with three decimals.
func seconds(ns int64) string {
	sign := ""
	if ns < 0 {
		sign, ns = "-", -ns
	}
	ms := strconv.FormatInt(ns/1_000_000%1000, 10)
	return sign + decimal(ns/1_000_000_000) + "." + strings.Repeat("0", 3-len(ms)) + ms + " s"
}

// clip shortens a text to the longest characters that an explanation shows.
func clip(text string) string {
	if utf8.RuneCountInString(text) <= longest {
		return text
	}
	runes := []rune(text)
	return string(runes[:longest-1]) + "…"
}

// speaker finds the words for the operations of one witness.
type speaker struct {
	history History
	keyed   bool // the witness writes several keys: labels name the key
	exact   bool // values do not tell the writes of the witness apart: labels use versions
}

// newSpeaker chooses labels that tell the operations of a witness apart.
func newSpeaker(h History, witness []int) speaker {
	s := speaker{history: h}
	for i, a := range witness {
		for _, b := range witness[:i] {
			x, y := h.Operations[a], h.Operations[b]
			if a == b || x.Kind == Read || y.Kind == Read {
				continue
			}
			s.keyed = s.keyed || x.Key != y.Key
			s.exact = s.exact || x.Key == y.Key && s.content(a) == s.content(b)
		}
	}
	return s
}

// content is what a write left: its value, or that it deleted the key. Without a value it is the version.
func (s speaker) content(i int) string {
	op := s.history.Operations[i]
	switch {
	case op.Kind == Delete && s.exact:
		return "delete " + op.Version
	case op.Kind == Delete:
		return "delete"
	case op.Value == "" || s.exact:
		return clip(op.Version)
	}
	return clip(op.Value)
}

// label is the short name of a write in the arrows and in sentences.
func (s speaker) label(i int) string {
	switch {
	case i == None:
		return "nothing"
	case s.keyed:
		return clip(s.history.Operations[i].Key) + "=" + s.content(i)
	}
	return s.content(i)
}

// noun is a write as the object of a sentence.
func (s speaker) noun(i int) string {
	if i != None && s.history.Operations[i].Kind == Delete {
		op := s.history.Operations[i]
		if s.exact {
			return "the delete of " + clip(op.Key) + " (version " + clip(op.Version) + ")"
		}
		return "the delete of " + clip(op.Key)
	}
	return s.label(i)
}

// assignment is a write, or what a read returned, as key and content.
func (s speaker) assignment(key string, write int) string {
	switch {
	case write == None:
		return clip(key) + " = nothing"
	case s.history.Operations[write].Kind == Delete:
		return clip(key) + " = nothing (deleted)"
	case s.exact:
		return clip(key) + " = " + strconv.Quote(s.content(write)) + " (version " + clip(s.history.Operations[write].Version) + ")"
	}
	return clip(key) + " = " + strconv.Quote(s.content(write))
}

// name is the session of an operation.
func (s speaker) name(i int) string { return s.history.SessionName(s.history.Operations[i].Session) }

// wrote is the verb for what a write did.
func (s speaker) wrote(i int) string {
	op := s.history.Operations[i]
	switch {
	case op.Kind == Delete && op.Outcome == Indeterminate:
		return "sent " + s.noun(i) + " without learning its outcome"
	case op.Kind == Delete:
		return "deleted " + clip(op.Key)
	case op.Outcome == Indeterminate:
		return "sent " + s.label(i) + " without learning its outcome"
	}
	return "wrote " + s.label(i)
}

// instant is when an operation was answered, or sent when no answer came; empty when unknown.
func (s speaker) instant(i int) string {
	op := s.history.Operations[i]
	switch {
	case op.Returned != 0 && op.Outcome != Indeterminate:
		return seconds(op.Returned)
	case op.Invoked != 0:
		return seconds(op.Invoked)
	}
	return ""
}

// place is the node and instant of an operation in parentheses with a space before; empty when unknown.
func (s speaker) place(i int) string {
	node, instant := s.history.Operations[i].Node, s.instant(i)
	switch {
	case node == "" && instant == "":
		return ""
	case node == "":
		return " (" + instant + ")"
	case instant == "":
		return " (" + node + ")"
	}
	return " (" + node + ", " + instant + ")"
}

// source is the node and instant of an operation as a phrase with a space before: " from n2 at 4.001 s".
func (s speaker) source(i int, preposition string) string {
	phrase := ""
	if node := s.history.Operations[i].Node; node != "" {
		phrase = " " + preposition + " " + node
	}
	if instant := s.instant(i); instant != "" {
		phrase += " at " + instant
	}
	return phrase
}

// from is where a read was answered, with a space before; empty when unknown.
func (s speaker) from(i int) string {
	if node := s.history.Operations[i].Node; node != "" {
		return " from " + node
	}
	return ""
}
