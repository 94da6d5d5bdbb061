package checker

import (
	"fmt"
	"strconv"
	"strings"
)

// parse reads a history. A line belongs to a session and holds operations:
//
//	A: w x 1 @n1:3.21 | r y - | d? x 7 ^5.2 # a note
//
// w writes a value, which is the version too unless =VERSION follows; d deletes and names the version;
// r reads a value, a version after =, or - for nothing. A ? makes the operation indeterminate, a ! failed.
// @ gives the node and the second, ^ the stamp, # a note up to the end of the operation.
func parse(text string) (History, error) {
	var h History
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		name, rest, ok := strings.Cut(line, ":")
		if !ok {
			return h, fmt.Errorf("line %q names no session", line)
		}
		session := -1
		for i, known := range h.Sessions {
			if known == name {
				session = i
			}
		}
		if session < 0 {
			session = len(h.Sessions)
			h.Sessions = append(h.Sessions, name)
		}
		for _, part := range strings.Split(rest, "|") {
			op, err := parseOperation(part)
			if err != nil {
				return h, err
			}
			op.Session = session
			h.Operations = append(h.Operations, op)
		}
	}
	return h, nil
}

func parseOperation(text string) (Operation, error) {
	text, note, _ := strings.Cut(text, "#")
	op := Operation{Outcome: Acknowledged, Note: strings.TrimSpace(note)}
	fields := strings.Fields(text)
	if len(fields) < 3 {
		return op, fmt.Errorf("operation %q: want kind, key and value", text)
	}
	switch verb := fields[0]; {
	case strings.HasSuffix(verb, "?"):
		op.Outcome = Indeterminate
	case strings.HasSuffix(verb, "!"):
		op.Outcome = Failed
	}
	op.Key, op.Value, op.Version = fields[1], fields[2], fields[2]
	switch strings.TrimRight(fields[0], "?!") {
	case "r":
		op.Kind = Read
		if op.Version == "-" {
			op.Value, op.Version = "", ""
		}
	case "w":
		op.Kind = Write
	case "d":
		op.Kind, op.Value = Delete, ""
	default:
		return op, fmt.Errorf("operation %q: unknown kind", text)
	}
	for _, field := range fields[3:] {
		if err := parseAttribute(&op, field); err != nil {
			return op, err
		}
	}
	return op, nil
}

func parseAttribute(op *Operation, field string) error {
	switch field[0] {
	case '=':
		op.Version = field[1:]
	case '@':
		node, second, _ := strings.Cut(field[1:], ":")
		op.Node = node
		if second != "" {
			at, err := strconv.ParseFloat(second, 64)
			if err != nil {
				return err
			}
			op.Returned = int64(at*1000+0.5) * 1_000_000
			op.Invoked = op.Returned - 2_000_000
		}
	case '^':
		_, err := fmt.Sscanf(field[1:], "%d.%d", &op.Stamp.Clock, &op.Stamp.Tie)
		return err
	default:
		return fmt.Errorf("unknown attribute %q", field)
	}
	return nil
}

// notation writes the operations one by one in the language of parse, for failure messages.
func notation(h History) string {
	var b strings.Builder
	for _, op := range h.Operations {
		verb := string("?rwd"[op.Kind]) + strings.Repeat("?", int(op.Outcome&2)/2*int(1-op.Outcome&1)) +
			strings.Repeat("!", int(op.Outcome)/3)
		version := op.Version
		if version == "" {
			version = "-"
		}
		fmt.Fprintf(&b, "%s: %s %s %s\n", h.SessionName(op.Session), verb, op.Key, version)
	}
	return b.String()
}
