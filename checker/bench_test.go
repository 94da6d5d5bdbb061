package checker

import (
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
)

// replicated returns a history that a last-writer-wins store produced: a write reaches the reading
// sessions by the order of a common log, of which every session has seen a prefix that only grows.
func replicated(seed uint64, operations, sessions, keys int) History {
	rng := rand.New(rand.NewPCG(seed, 42))
	names := make([]string, keys)
	for i := range names {
		names[i] = fmt.Sprintf("key-%d", i)
	}
	type version struct {
		at   int // index in the log
		name string
	}
	versions := make([][]version, keys)
	seen := make([]int, sessions)
	h := History{Operations: make([]Operation, 0, operations)}
	written := 0
	for len(h.Operations) < operations {
		session, key := rng.IntN(sessions), rng.IntN(keys)
		op := Operation{Session: session, Kind: Read, Key: names[key], Outcome: Acknowledged}
		if rng.IntN(2) == 0 {
			written++
			op.Kind, op.Version = Write, fmt.Sprintf("%d.%d", session, written)
			op.Stamp = Stamp{Clock: uint64(written)}
			versions[key] = append(versions[key], version{written, op.Version})
			seen[session] = written
		} else {
			seen[session] = max(seen[session], written-rng.IntN(200))
			list := versions[key]
			for i := len(list) - 1; i >= 0; i-- {
				if list[i].at <= seen[session] {
					op.Version = list[i].name
					break
				}
			}
		}
		h.Operations = append(h.Operations, op)
	}
	return h
}

func BenchmarkCheckCausal(b *testing.B) {
	for _, size := range []struct{ operations, sessions, keys int }{
		{300, 6, 10},
		{10_000, 10, 100},
		{1_000_000, 10, 1_000},
		{1_000_000, 100, 1_000},
	} {
		b.Run(fmt.Sprintf("operations=%d/sessions=%d/keys=%d", size.operations, size.sessions, size.keys), func(b *testing.B) {
			h := replicated(1, size.operations, size.sessions, size.keys)
			b.ReportAllocs()
			for b.Loop() {
				if v, err := CheckCausal(h); err != nil || !v.OK() {
					b.Fatal(v, err)
				}
			}
		})
	}
}

// BenchmarkViolation has a stale read near the end of a long history.
func BenchmarkViolation(b *testing.B) {
	h := replicated(1, 1_000_000, 10, 1_000)
	for i := len(h.Operations) - 100; ; i++ {
		if op := &h.Operations[i]; op.Kind == Read {
			op.Version = ""
			break
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if v, err := CheckCausal(h); err != nil || v.Rule != WriteCOInitRead {
			b.Fatal(v, err)
		}
	}
}

// BenchmarkCycle has two sessions at the end of a long history that read two writes in opposite orders.
func BenchmarkCycle(b *testing.B) {
	h := replicated(1, 1_000_000, 10, 1_000)
	for session, versions := range [][]string{{"a", "b"}, {"b", "a"}} {
		h.Operations = append(h.Operations, Operation{
			Session: 20 + session, Kind: Write, Key: "key-0", Version: versions[0], Outcome: Acknowledged,
		})
		for _, version := range versions {
			h.Operations = append(h.Operations, Operation{
				Session: 30 + session, Kind: Read, Key: "key-0", Version: version, Outcome: Acknowledged,
			})
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if v, err := CheckCausal(h); err != nil || v.Rule != CyclicCF {
			b.Fatal(v, err)
		}
	}
}

func BenchmarkExplain(b *testing.B) {
	h, err := parse("A: w x 1\nB: w x 2\nC: r x 1 | r x 2\nD: r x 2 | r x 1")
	if err != nil {
		b.Fatal(err)
	}
	v, err := CheckCausal(h)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := v.Explain(io.Discard, h); err != nil {
			b.Fatal(err)
		}
	}
}
