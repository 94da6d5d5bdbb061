// Package mutation plants every way to write to a variable of a package.
package mutation

import "errors"

var ErrState = errors.New("state")

func ranges(list []error) {
	for _, ErrState = range list { // want "^global: package variable ErrState is shared"
	}
	for List[0] = range list { // want "^global: package variable List is shared"
	}
	for Value.n = range 3 { // want "^global: package variable Value is shared"
	}
}

func assigns() {
	Value.n = 1               // want "^global: package variable Value is shared"
	Value.n += 1              // want "^global: package variable Value is shared"
	Value.array[1]--          // want "^global: package variable Value is shared"
	(Point.n) = 2             // want "^global: package variable Point is shared"
	*Point = shared{}         // want "^global: package variable Point is shared"
	(List)[0] |= 1            // want "^global: package variable List is shared"
	Lookup[1]++               // want "^global: package variable Lookup is shared"
	ErrState.(*failure).n = 3 // want "^global: package variable ErrState is shared"
}

func addresses() (*int, []int, func()) {
	_ = &List[0]     // want "^global: package variable List is shared"
	_ = &Point.array // want "^global: package variable Point is shared"
	Value.Set()      // want "^global: package variable Value is shared"
	return &Value.n, // want "^global: package variable Value is shared"
		Value.array[:], // want "^global: package variable Value is shared"
		Value.Set // want "^global: package variable Value is shared"
}

func builtins() {
	copy(List, List[:1])    // want "^global: package variable List is shared"
	clear(Lookup)           // want "^global: package variable Lookup is shared"
	delete(Lookup, 1)       // want "^global: package variable Lookup is shared"
	_ = append(List[:0], 2) // want "^global: package variable List is shared"
}

type failure struct{ n int }

func (*failure) Error() string { return "" }

func reads(list []error, own *shared) int {
	for _, ErrState := range list {
		ErrState = nil
		_ = ErrState
	}
	own.array[List[0]] = Value.Value()
	own.Set()
	_ = append([]int(nil), List[:1]...)
	return Lookup[Point.n]
}
