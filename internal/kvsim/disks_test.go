package kvsim

import (
	"testing"

	"github.com/sequitur-kv/sequitur/netsim"
)

// TestDisksBite: processes end at each point of a disk's work, and find more on their disks than they knew of.
func TestDisksBite(t *testing.T) {
	r := NewRunner(Disks())
	met, kinds := make(map[string]int), make(map[netsim.FaultKind]int)
	ended, more := 0, uint64(0)
	for seed := range seeds(60) {
		result := r.Run(seed)
		if result.Verdict != Holds {
			t.Fatalf("seed %d: %s\n%s", seed, result.Failure.Headline(), result.Failure.Explanation)
		}
		for i := range result.Faults {
			f := &result.Faults[i]
			if f.Touched == 0 {
				continue
			}
			kinds[f.Effect.Kind]++
			switch f.Effect.Kind {
			case netsim.Crash, netsim.Tear, netsim.FailDisk:
				ended++
				met[f.Fault.When.Probe]++
			default:
			}
		}
		for _, p := range result.Probes {
			if p.Name == ProbeTailKept {
				more += p.Count
			}
		}
	}
	runs := int(seeds(60))
	for _, point := range netsim.DiskPoints() {
		if met[point] < runs/2 {
			t.Errorf("%d of %d ends of a process were at %s", met[point], ended, point)
		}
	}
	for _, kind := range []netsim.FaultKind{netsim.Crash, netsim.Tear, netsim.FailDisk, netsim.SlowSync} {
		if kinds[kind] < runs/2 {
			t.Errorf("%s touched something %d times", kind, kinds[kind])
		}
	}
	if more < uint64(runs) {
		t.Errorf("%d processes found more than they knew of", more)
	}
	t.Logf("ended %d, at %v, by kind %v, more %d", ended, met, kinds, more)
}
