// Package netsim plants a platform-bound import and is imported by others.
package netsim

import _ "net/http" // want "^import: ./netsim may not import net/http" "^reach: ./netsim must not reach net/http"
