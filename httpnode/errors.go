package httpnode

import "errors"

// ErrPanic is wrapped by the error of Run when the machine panicked: an error of this program.
var ErrPanic = errors.New("httpnode: the machine panicked, please report this")

var (
	errNotStarted = errors.New("httpnode: the node is starting")
	errClosed     = errors.New("httpnode: the node is shutting down")
)
