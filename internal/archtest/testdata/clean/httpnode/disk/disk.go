// Package disk may use Pebble.
package disk

import (
	_ "github.com/cockroachdb/pebble/v2"

	_ "github.com/sequitur-kv/sequitur/internal/archtest/testdata/clean/core"
)
