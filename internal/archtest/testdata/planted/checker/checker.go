// Package checker plants a third-party import.
package checker

import _ "github.com/cespare/xxhash/v2" // want "^import: ./checker may not import github.com/cespare/xxhash/v2"
