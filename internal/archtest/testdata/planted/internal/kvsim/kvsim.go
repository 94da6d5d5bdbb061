// Package kvsim plants a server, reached through a package that is allowed.
package kvsim

import (
	_ "github.com/sequitur-kv/sequitur/internal/archtest/testdata/planted/core/wire" // want "^reach: ./internal/kvsim must not reach ./httpnode: ./internal/kvsim → ./core/wire → ./httpnode$"
)
