package main

import (
	"os"
	"syscall"
)

// fdatasync makes the content of a file durable, without what a reader does not need.
func fdatasync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
