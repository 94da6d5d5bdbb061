//go:build !js && !wasip1

package archtest

import (
	"go/ast"
	"go/constant"
	"go/types"
	"strings"
)

// address finds formats that print a pointer, which differs from run to run.
// Any constant string counts, because it may reach fmt by way of a variable or
// of a function of the package.
func (w *walker) address(expr ast.Expr, value types.TypeAndValue) {
	if value.Value == nil || value.Value.Kind() != constant.String {
		return
	}
	if hasVerb(constant.StringVal(value.Value), 'p') {
		w.add(expr.Pos(), "address", "format with %%p: an address differs between runs; write %%%%p if this is no format")
	}
}

// hasVerb reports whether a format of fmt contains a verb, with whatever flags,
// width, precision and argument index.
func hasVerb(format string, verb byte) bool {
	for {
		_, rest, found := strings.Cut(format, "%")
		if !found {
			return false
		}
		rest = strings.TrimLeft(rest, "+-# 0123456789.*[]")
		if rest == "" {
			return false
		}
		if rest[0] == verb {
			return true
		}
		format = rest[1:]
	}
}
