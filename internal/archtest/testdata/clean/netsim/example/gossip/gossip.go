// Package gossip is what a stranger copies.
package gossip

import "github.com/sequitur-kv/sequitur/internal/archtest/testdata/clean/netsim"

type Counter struct{ world *netsim.World }
