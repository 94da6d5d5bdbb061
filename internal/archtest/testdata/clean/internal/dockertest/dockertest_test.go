//go:build docker

package dockertest

import (
	_ "os/exec"

	_ "github.com/sequitur-kv/sequitur/internal/archtest/testdata/clean/internal/apitest"
)
