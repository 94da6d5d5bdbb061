// Package statement plants concurrency, by statement and by type.
package statement

import "iter"

func concurrent(work func()) {
	go work() // want "^go: go statement"
}

func channels(
	in <-chan int, // want "^channel: <-chan int"
	out chan<- int, // want "^channel: chan<- int"
) {
	out <- 1       // want "^channel: channel send"
	<-in           // want "^channel: channel receive"
	for range in { // want "^channel: "
	}
	close(out) // want "^channel: "
}

func choose() {
	select {} // want "^select: "
}

type done = chan struct{} // want "^channel: "

type holder struct {
	signal done // want "^channel: "
}

func waits(h holder) bool {
	return h.signal != nil // want "^channel: "
}

func drain[C ~chan int](c C) { // want "^channel: "
	for range c { // want "^channel: range over a channel"
	}
}

func pass[C ~chan int](c C) { // want "^channel: "
	c <- 1   // want "^channel: channel send"
	<-c      // want "^channel: channel receive"
	close(c) // want "^channel: channel close"
}

func coroutine(seq iter.Seq[int]) {
	_, stop := iter.Pull(seq) // want "^go: iter.Pull"
	stop()
}
