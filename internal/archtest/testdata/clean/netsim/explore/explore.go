// Package explore looks at worlds from outside.
package explore

import "github.com/sequitur-kv/sequitur/internal/archtest/testdata/clean/netsim"

type Explorer struct{ world *netsim.World }
