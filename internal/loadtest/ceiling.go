package main

import (
	"net/http"
	"time"

	"github.com/julienschmidt/httprouter"
)

// serveCeiling answers every GET below keysPath with a body of the size of a node's.
func serveCeiling(address string) error {
	body := []byte(`{"message":"Retrieved successfully","doesExist":true,"value":"0123456789","shard-id":"1",` +
		`"causal-metadata":"AaHy8VMGHuNlAYDwn8XgmGUCAQECBZDVfZh2l0Z_AgAAAQ"}`)
	router := httprouter.New()
	router.GET(keysPath+"*key", func(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) {
		w.Header().Set("Content-Type", "application/json")
		if _, err := w.Write(body); err != nil {
			return // the client is gone
		}
	})
	server := &http.Server{Addr: address, Handler: router, ReadHeaderTimeout: time.Minute}
	return server.ListenAndServe()
}
