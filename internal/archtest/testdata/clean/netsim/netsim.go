// Package netsim imports nothing of the module.
package netsim

import "container/heap"

type World struct{ queue heap.Interface }
