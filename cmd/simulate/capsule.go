package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/sequitur-kv/sequitur/internal/kvsim"
)

// record writes the capsules of the first failures and remembers where they are.
func (c *common) record(scenario *kvsim.Scenario, results []kvsim.Result) error {
	c.written = make(map[uint64]string)
	for i := range results {
		if len(c.written) == shown || c.capsules == "" {
			break
		}
		r := &results[i]
		if r.Failure == nil {
			continue
		}
		capsule := kvsim.Record(scenario, r)
		name, err := writeNewCapsule(filepath.Join(c.capsules, fmt.Sprintf("seed-%d", r.Seed)), &capsule)
		if err != nil {
			return err
		}
		c.written[r.Seed] = name
	}
	return nil
}

// writeNewCapsule writes stem.capsule and returns its name. A file that is there already and says something else may
// be somebody's work: then it is stem-2.capsule, stem-3.capsule, …
func writeNewCapsule(stem string, capsule *kvsim.Capsule) (name string, err error) {
	name = stem + ".capsule"
	for i := 2; ; i++ {
		text, err := os.ReadFile(name)
		if err != nil || string(text) == capsule.Format() {
			return name, writeCapsule(name, capsule)
		}
		name = fmt.Sprintf("%s-%d.capsule", stem, i)
	}
}

// writeCapsule writes a capsule over whatever is there.
func writeCapsule(name string, capsule *kvsim.Capsule) error {
	if err := os.WriteFile(name, []byte(capsule.Format()), 0o644); err != nil {
		return fmt.Errorf("the capsule cannot be written: %w; choose another place, or none with --capsules \"\"", err)
	}
	return nil
}

// readCapsule reads a capsule; an error names the file.
func readCapsule(name string) (kvsim.Capsule, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return kvsim.Capsule{}, fmt.Errorf("the capsule cannot be read: %w", err)
	}
	capsule, err := kvsim.ParseCapsule(string(text))
	if err != nil {
		return capsule, fmt.Errorf("%s: %w", name, err)
	}
	return capsule, nil
}
