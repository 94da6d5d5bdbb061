// Package httpnode may use goroutines, clocks and sockets.
package httpnode

import (
	"net/http"
	"time"

	_ "github.com/julienschmidt/httprouter"

	_ "github.com/sequitur-kv/sequitur/internal/archtest/testdata/clean/core"
)

var started = time.Now()

func Serve(errs chan<- error) {
	go func() { errs <- http.ListenAndServe("", nil) }()
}
