//go:build race

package main

// With the race detector, the processes that the tests start have it, too.
func init() { buildFlags = append(buildFlags, "-race") }
