// Package global plants state that all machines of a process share.
package global

import (
	"errors"
	"fmt"
	"io"
	"os" // want "^import: .*os"
)

var counter int // want "^global: package variable counter"

var cache = map[string]int{} // want "^global: package variable cache"

var (
	ErrFirst = errors.New("first")
	ErrNext  = fmt.Errorf("next: %w", ErrFirst)
	errOther = io.EOF // want "^global: package variable errOther"
)

var _ = register() // want "^global: package variable _"

var _ fmt.Stringer = build() // want "^global: package variable _"

var _ thing = thing{} // want "^global: package variable _"

type thing struct{}

func (thing) String() string { return "" }

func register() int { return 1 }

func build() thing { return thing{} }

func mutate() *error {
	ErrFirst = nil  // want "^global: package variable ErrFirst is shared"
	counter++       // want "^global: package variable counter is shared"
	(os.Args) = nil // want "^global: package variable Args is shared"
	return &io.EOF  // want "^global: package variable EOF is shared"
}
