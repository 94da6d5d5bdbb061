// Package apitest uses all of the standard library.
package apitest

import (
	_ "net/http"
	_ "testing"
)
