// Package netsimtest talks to the testing package and is not pure.
package netsimtest

import (
	_ "flag"
	_ "testing"
)

var registry = map[string]int{}

func visit() {
	for range registry {
	}
}
