//go:build !race && !wasm

package kvsim

const slow = false
