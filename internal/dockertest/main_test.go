//go:build docker

// Package dockertest builds the image from the Dockerfile and tests real
// containers: the API against six of them, and what happens when networks and
// nodes fail. It needs a Docker engine and its command line program; run it
// with "make test-docker".
//
// Everything that it makes on the engine bears a prefix of its own and is
// removed in the end.
package dockertest

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

// maxDuration bounds a run. It is shorter than the time-out of "make
// test-docker", which would leave everything behind.
const maxDuration = 8 * time.Minute

// rig is what all tests share.
var rig *engine

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, maxDuration)
	defer cancel()
	var err error
	if rig, err = newEngine(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "dockertest:", err)
		return 1
	}
	code := 1
	if err := rig.buildImage(); err != nil {
		fmt.Fprintln(os.Stderr, "dockertest:", err)
	} else {
		code = m.Run()
	}
	if err := rig.close(); err != nil {
		fmt.Fprintln(os.Stderr, "dockertest: something is left on the engine:", err)
		return 1
	}
	return code
}
