// Package core plants imports of everything above it.
package core

import (
	_ "github.com/sequitur-kv/sequitur/internal/archtest/testdata/planted/core/output"
	_ "github.com/sequitur-kv/sequitur/internal/archtest/testdata/planted/httpnode" // want "^import: .*may not import ./httpnode" "^reach: ./core must not reach ./httpnode"
)
