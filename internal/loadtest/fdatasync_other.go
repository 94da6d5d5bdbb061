//go:build !linux

package main

import "os"

// fdatasync is a sync of everything where there is nothing less.
func fdatasync(f *os.File) error { return f.Sync() }
