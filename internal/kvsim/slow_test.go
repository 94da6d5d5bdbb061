//go:build race || wasm

package kvsim

// Emulated, or under the race detector.
const slow = true
