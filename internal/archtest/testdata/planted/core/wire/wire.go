// Package wire plants the import that others suffer from.
package wire

import _ "github.com/sequitur-kv/sequitur/internal/archtest/testdata/planted/httpnode" // want "^import: " "^reach: "
