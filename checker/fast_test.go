//go:build !race && !wasm

package checker

const slow = false
