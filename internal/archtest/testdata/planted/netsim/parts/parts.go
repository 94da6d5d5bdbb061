// Package parts plants an import from its own family, and meddles with the runtime.
package parts

import (
	"runtime/debug"

	_ "github.com/sequitur-kv/sequitur/internal/archtest/testdata/planted/netsim/netsimtest" // want "^import: .*may not import ./netsim/netsimtest"
)

func meddle() []byte {
	debug.SetGCPercent(1) // want "^runtime: runtime/debug.SetGCPercent"
	return debug.Stack()
}
