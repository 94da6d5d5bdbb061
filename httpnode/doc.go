// Package httpnode is the shell that makes a core.Machine a node on a network: HTTP for clients and
// peers, clocks, one timer, and a log that says what is durable. It decides nothing about data; what
// a request means is settled by the machine, and this package turns the answer into JSON.
//
// One machine per node, stepped under a mutex by whoever brings an input: request handlers, peer
// handlers, the timer and the log. That is measurably faster than a hop to an owner goroutine.
package httpnode
