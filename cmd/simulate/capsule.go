package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

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
		name := filepath.Join(c.capsules, fmt.Sprintf("seed-%d.capsule", r.Seed))
		capsule := kvsim.Record(scenario, r)
		if err := writeCapsule(name, &capsule); err != nil {
			return err
		}
		c.written[r.Seed] = name
	}
	return nil
}

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
		return capsule, fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "kvsim: "))
	}
	return capsule, nil
}
