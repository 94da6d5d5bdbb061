package checker

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestScripts runs the histories in testdata. Every one of them is also decided by the closure.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "causal":
				return runCausal(t, d)
			case "lost":
				return runLost(t, d)
			case "agree":
				return runAgree(t, d)
			}
			d.Fatalf(t, "unknown command")
			return ""
		})
	})
}

func runCausal(t *testing.T, d *datadriven.TestData) string {
	h, err := parse(d.Input)
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	var limits Limits
	if d.HasArg("operations") {
		d.ScanArgs(t, "operations", &limits.Operations)
	}
	v, err := CheckCausalWithin(h, limits)
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	if v.Status != Undecided {
		c := newClosure(h)
		if want := c.rule(); v.Rule != want {
			d.Fatalf(t, "%v, but the closure says %v", v.Rule, want)
		}
		if err := c.confirm(v); err != nil {
			d.Fatalf(t, "%v", err)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%v %v\n", v.Status, v.Rule)
	if err := v.Explain(&b, h); err != nil {
		d.Fatalf(t, "%v", err)
	}
	if d.HasArg("memory") {
		fmt.Fprintf(&b, "causal memory: %v\n", newClosure(h).memory())
	}
	return unblank(b.String())
}

// unblank marks empty lines, which would end the expected output.
func unblank(text string) string {
	return strings.ReplaceAll(text, "\n\n", "\n.\n")
}

// runLost takes a history and a last line "end:" with the final state.
func runLost(t *testing.T, d *datadriven.TestData) string {
	text, end, ok := strings.Cut(d.Input, "end:")
	if !ok {
		d.Fatalf(t, "no line end:")
	}
	h, err := parse(text)
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	var final []Final
	for _, part := range strings.Split(end, "|") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		op, err := parseOperation("r " + part)
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		final = append(final, Final{Key: op.Key, Version: op.Version, Stamp: op.Stamp})
	}
	l, err := CheckNothingLost(h, final)
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	var b strings.Builder
	for _, loss := range l.Losses {
		fmt.Fprintf(&b, "%s: %v\n", loss.Key, loss.Cause)
	}
	if err := l.Explain(&b, h); err != nil {
		d.Fatalf(t, "%v", err)
	}
	return unblank(b.String())
}

// runAgree takes a line per replica, "shard name: key value | …"; d after the value marks a tombstone.
func runAgree(t *testing.T, d *datadriven.TestData) string {
	var replicas []Replica
	for _, line := range strings.Split(strings.TrimSpace(d.Input), "\n") {
		if line == "" {
			continue
		}
		head, rest, _ := strings.Cut(line, ":")
		shard, name, _ := strings.Cut(head, " ")
		r := Replica{Name: name, Shard: shard}
		for _, part := range strings.Split(rest, "|") {
			part = strings.TrimSpace(part)
			if part == "" {
				continue
			}
			verb := "w "
			if strings.HasPrefix(part, "d ") {
				verb = ""
			}
			op, err := parseOperation(verb + part)
			if err != nil {
				d.Fatalf(t, "%v", err)
			}
			r.Entries = append(r.Entries, Entry{
				Key: op.Key, Value: op.Value, Version: op.Version, Stamp: op.Stamp, Deleted: op.Kind == Delete,
			})
		}
		replicas = append(replicas, r)
	}
	a, err := CheckAgreement(replicas)
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	var b strings.Builder
	if err := a.Explain(&b); err != nil {
		d.Fatalf(t, "%v", err)
	}
	return unblank(b.String())
}
