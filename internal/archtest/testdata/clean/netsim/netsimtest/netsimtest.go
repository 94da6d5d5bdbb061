// Package netsimtest is impure by purpose.
package netsimtest

import (
	"flag"
	"testing"

	"github.com/sequitur-kv/sequitur/internal/archtest/testdata/clean/netsim"
)

var seed = flag.Int("netsim.seed", 0, "seed")

func Run(t *testing.T, worlds map[string]netsim.World) {
	for range worlds {
		t.Log(*seed)
	}
}
