package httpnode

import "errors"

var (
	errNotStarted = errors.New("httpnode: the node is starting")
	errClosed     = errors.New("httpnode: the node is shutting down")
)
