// Command simulate plants a chain of four, and one that only js has.
package main

import _ "github.com/sequitur-kv/sequitur/internal/archtest/testdata/planted/internal/kvsim" // want "^reach: ./cmd/simulate must not reach ./httpnode: ./cmd/simulate → ./internal/kvsim → ./core/wire → ./httpnode$"

func main() {}
