// Package backup may read clocks, and use the core.
package backup

import (
	_ "github.com/cespare/xxhash/v2"

	_ "github.com/sequitur-kv/sequitur/internal/archtest/testdata/clean/core"
)
