package kvsim

import "github.com/sequitur-kv/sequitur/core"

// promisesOfStandard are the situations that some hundred seeds of the standard scenario reach.
func promisesOfStandard() []string {
	probes := []core.Probe{
		core.ProbeParked,
	}
	names := make([]string, len(probes))
	for i, p := range probes {
		names[i] = string(p)
	}
	return names
}
