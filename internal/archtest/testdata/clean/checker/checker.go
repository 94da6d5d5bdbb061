// Package checker needs the standard library only.
package checker

import "slices"

func Sorted(list []int) bool { return slices.IsSorted(list) }
