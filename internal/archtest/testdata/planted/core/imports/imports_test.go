package imports

import (
	_ "os"
	_ "os/exec" // want "^import: .*WebAssembly"

	_ "pgregory.net/rapid"

	_ "github.com/sequitur-kv/sequitur/internal/archtest/testdata/planted/netsim" // want "^import: .*may not import ./netsim"
)
