package checker

import (
	"io"
	"testing"
)

// FuzzCheckCausal lets bytes choose the operations, valid or not: nothing may panic, and what is decided
// has to be what the closure says.
func FuzzCheckCausal(f *testing.F) {
	f.Add([]byte("\x00\x01\x01\x01\x01\x00\x01\x01\x02\x01\x01\x00\x01\x01\x01"))
	f.Add([]byte("\x00\x02\x00\x01\x01\x01\x01\x00\x01\x01\x01\x01\x00\x00\x01\x00\x01\x00\x01\x02"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		var h History
		for ; len(data) >= 5 && len(h.Operations) < 40; data = data[5:] {
			op := Operation{
				Session: int(data[0] % 6), Kind: Kind(data[1] % 5), Key: string('a' + rune(data[2]%3)),
				Outcome: Outcome(data[4]%5 + 1), Stamp: Stamp{Clock: uint64(data[4] / 16)},
			}
			if version := data[3] % 16; version > 0 {
				op.Version = string('0' + rune(version))
			}
			if op.Outcome > Indeterminate && data[4] < 250 {
				op.Outcome = Acknowledged
			}
			h.Operations = append(h.Operations, op)
		}
		v, err := CheckCausal(h)
		if err != nil {
			if v.OK() {
				t.Fatal("a malformed history passes")
			}
			return
		}
		c := newClosure(h)
		if want := c.rule(); v.Rule != want || v.OK() != (want == 0) {
			t.Fatalf("got %v (%v), want %v\n%s", v.Rule, v.Status, want, notation(h))
		}
		if err := c.confirm(v); err != nil {
			t.Fatalf("%v\n%s", err, notation(h))
		}
		if err := v.Explain(io.Discard, h); err != nil {
			t.Fatal(err)
		}
		final := []Final{{Key: "a", Version: "1"}, {Key: "b", Version: "2", Stamp: Stamp{Clock: 3}}}
		l, err := CheckNothingLost(h, final)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Explain(io.Discard, h); err != nil {
			t.Fatal(err)
		}
	})
}
