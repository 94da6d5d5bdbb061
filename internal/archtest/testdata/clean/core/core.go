// Package core has everything that the law allows.
package core

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/sequitur-kv/sequitur/internal/archtest/testdata/clean/core/shard"
)

// Retry is data; nothing reads a clock.
const Retry = 2 * time.Second

var (
	ErrClosed = errors.New("core: closed")
	ErrFull   = fmt.Errorf("core: full: %w", ErrClosed)
)

var (
	_ fmt.Stringer = (*Machine)(nil)
	_ io.Writer    = Sink{}
)

type Machine struct {
	seen  map[uint64]int
	order []uint64
	draw  *rand.Rand
}

type Sink struct{}

func (Sink) Write(p []byte) (int, error) { return len(p), nil }

func New(seed uint64) *Machine {
	return &Machine{seen: map[uint64]int{}, draw: rand.New(rand.NewPCG(seed, 1))}
}

func (m *Machine) String() string { return fmt.Sprint(len(m.order)) }

func (m *Machine) Put(key string) int {
	hash := xxhash.Sum64String(key)
	if _, known := m.seen[hash]; !known && len(m.order) < math.MaxInt16 {
		m.order = append(m.order, hash)
	}
	m.seen[hash] += m.draw.IntN(6) + shard.Of(hash)
	for _, hash := range m.order {
		delete(m.seen, hash)
	}
	clear(m.seen)
	return len(m.seen)
}

func Total[S ~[]N, N ~int | ~uint64](list S) (sum N) {
	for _, n := range list {
		sum += n
	}
	return sum
}
