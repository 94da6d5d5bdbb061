// Package broken does not compile, so the guard cannot vouch for it.
package broken

func use() { missing() } // want "^load: .*undefined: missing"
