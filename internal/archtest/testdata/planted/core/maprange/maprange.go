// Package maprange plants every way to visit a map.
package maprange

import (
	"maps"
	"slices"
)

type named map[string]int

type alias = named

type mapLike interface {
	comparable
	~[]int | named
}

func plain(m map[string]int) {
	for range m { // want "^maprange: range over a map"
	}
}

func throughNames(m named, n alias) {
	for k := range m { // want "^maprange: "
		_ = k
	}
	for k, v := range n { // want "^maprange: "
		_, _ = k, v
	}
}

func generic[M ~map[K]V, K comparable, V any](m M) {
	for range m { // want "^maprange: "
	}
}

func constrained[M interface{ named }](m M) {
	for range m { // want "^maprange: "
	}
}

func field(s struct{ m map[int]int }) {
	for range s.m { // want "^maprange: "
	}
}

func iterators(m map[string]int) []string {
	for range maps.All(m) { // want "^maprange: maps.All"
	}
	for range maps.Values(m) { // want "^maprange: maps.Values"
	}
	keys := maps.Keys[map[string]int]                           // want "^maprange: maps.Keys"
	maps.DeleteFunc(m, func(string, int) bool { return false }) // want "^maprange: maps.DeleteFunc"
	return slices.Sorted(keys(m))
}
