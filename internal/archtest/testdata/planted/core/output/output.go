// Package output plants use of the standard streams.
package output

import "fmt"

func speak() {
	fmt.Println("hello") // want "^io: fmt.Println"
	print("hello")       // want "^io: print writes"
}
