// Package gossip plants impurity in an example that strangers copy.
package gossip

import "flag"

var rounds = flag.Int("rounds", 1, "rounds") // want "^global: package variable rounds"
