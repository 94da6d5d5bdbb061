// Package parts plants an import of its own parent.
package parts

import _ "github.com/sequitur-kv/sequitur/internal/archtest/testdata/planted/netsim/netsimtest" // want "^import: .*may not import ./netsim/netsimtest"
