//go:build race || wasm

package checker

// Emulated, or under the race detector.
const slow = true
