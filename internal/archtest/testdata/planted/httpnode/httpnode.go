// Package httpnode plants imports of the simulator.
package httpnode

import (
	_ "net/http"

	_ "github.com/julienschmidt/httprouter"
	_ "github.com/spf13/cobra" // want "^import: "

	_ "github.com/sequitur-kv/sequitur/internal/archtest/testdata/planted/checker" // want "^import: ./httpnode may not import ./checker"
)
