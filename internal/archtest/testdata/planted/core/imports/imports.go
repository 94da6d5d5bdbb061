// Package imports plants what a part of the core may not import.
package imports

import (
	_ "context"       // want "^import: .*context: it is not in the pure part"
	_ "net"           // want "^import: "
	_ "os"            // want "^import: "
	_ "reflect"       // want "^import: "
	_ "runtime"       // want "^import: "
	_ "runtime/debug" // want "^import: "
	_ "sync"          // want "^import: "
	_ "sync/atomic"   // want "^import: "
	_ "unsafe"        // want "^import: "

	_ "github.com/cespare/xxhash/v2"
	_ "github.com/spf13/cobra" // want "^import: .*not in the allowlist of ./core/..."
	_ "go.etcd.io/raft/v3"     // want "^import: .*not in the allowlist of ./core/..."

	_ "github.com/sequitur-kv/sequitur/internal/archtest/testdata/planted/checker" // want "^import: .*may not import ./checker"
	_ "github.com/sequitur-kv/sequitur/internal/archtest/testdata/planted/core"    // want "^import: .*excepts it" "^reach: .*→ ./core → ./httpnode$"
	_ "github.com/sequitur-kv/sequitur/internal/archtest/testdata/planted/core/output"
	_ "github.com/sequitur-kv/sequitur/internal/archtest/testdata/planted/netsim" // want "^import: .*may not import ./netsim" "^reach: .*→ ./netsim → net/http$"
)
