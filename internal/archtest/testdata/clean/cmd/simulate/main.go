// Command simulate runs the simulator.
package main

import (
	_ "github.com/spf13/cobra"
	_ "github.com/vbauerster/mpb/v8"

	_ "github.com/sequitur-kv/sequitur/internal/archtest/testdata/clean/internal/kvsim"
)

func main() {}
