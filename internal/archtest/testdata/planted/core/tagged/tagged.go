// Only a build with the tag has this package. // want "^constraint: tagged.go is not part"

//go:build docker

// Package tagged hides from a build without tags.
package tagged
