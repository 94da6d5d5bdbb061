//go:build docker

// Package dockertest plants an import of what it drives from outside.
package dockertest

import (
	_ "os/exec"

	_ "github.com/sequitur-kv/sequitur/internal/archtest/testdata/planted/core/output" // want "^import: ./internal/dockertest may not import ./core/output"
)
