// Command kvnode starts a node.
package main

import (
	_ "github.com/spf13/cobra"

	_ "github.com/sequitur-kv/sequitur/internal/archtest/testdata/clean/httpnode"
)

func main() {}
