package netsim

import "slices"

// ProbeCount is how often a rare situation occurred.
type ProbeCount struct {
	Name  string
	Count uint64
}

func (w *World[M]) countProbe(name string) {
	index, known := w.probeIndex[name]
	if !known {
		index = len(w.probes)
		w.probeIndex[name] = index
		w.probes = append(w.probes, ProbeCount{Name: name})
	}
	w.probes[index].Count++
}

// Probes returns the situations that occurred, sorted by name.
func (w *World[M]) Probes() []ProbeCount {
	sorted := slices.Clone(w.probes)
	slices.SortFunc(sorted, func(a, b ProbeCount) int {
		if a.Name < b.Name {
			return -1
		}
		return 1 // names are distinct
	})
	return sorted
}

// Met is how often a situation occurred so far.
func (w *World[M]) Met(name string) uint64 {
	index, known := w.probeIndex[name]
	if !known {
		return 0
	}
	return w.probes[index].Count
}
