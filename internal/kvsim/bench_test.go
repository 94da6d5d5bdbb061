package kvsim

import "testing"

// BenchmarkStandard runs one seed of the standard scenario, all checks included, on one core.
func BenchmarkStandard(b *testing.B) {
	r := NewRunner(Standard())
	b.ReportAllocs()
	events, seed := uint64(0), uint64(0)
	for b.Loop() {
		events += r.Run(seed).Events
		seed++
	}
	b.ReportMetric(float64(events)/float64(b.N), "events/op")
}
