// Command kvnode plants an import of the checker.
package main

import (
	_ "github.com/spf13/cobra"

	_ "github.com/sequitur-kv/sequitur/internal/archtest/testdata/planted/checker" // want "^import: ./cmd/kvnode may not import ./checker"
	_ "github.com/sequitur-kv/sequitur/internal/archtest/testdata/planted/httpnode"
)

func main() {}
