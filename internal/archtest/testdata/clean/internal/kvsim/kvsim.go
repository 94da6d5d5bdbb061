// Package kvsim joins the pure packages.
package kvsim

import (
	_ "github.com/sequitur-kv/sequitur/internal/archtest/testdata/clean/checker"
	_ "github.com/sequitur-kv/sequitur/internal/archtest/testdata/clean/core"
	_ "github.com/sequitur-kv/sequitur/internal/archtest/testdata/clean/netsim"
)
