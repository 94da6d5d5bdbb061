package httpnode

import (
	"net/http"

	"github.com/julienschmidt/httprouter"
)

// newRouter routes on the decoded path, exactly as it came: nothing is cleaned and nobody is
// redirected, because slashes and dots are bytes of a key.
func (n *Node) newRouter(a *api, peers *receiver) http.Handler {
	config := &n.config
	router := &httprouter.Router{
		HandleMethodNotAllowed: true,
		HandleOPTIONS:          true,
		GlobalOPTIONS:          http.HandlerFunc(options),
		NotFound:               http.HandlerFunc(notFound),
		MethodNotAllowed:       http.HandlerFunc(methodNotAllowed),
	}
	get := func(path string, handle httprouter.Handle) {
		router.GET(path, handle)
		router.HEAD(path, handle) // net/http leaves the body out
	}
	k := &keys{api: a, maxKeyLength: config.MaxKeyLength, maxValueSize: config.MaxValueSize}
	get(keyPrefix+"*key", k.get)
	router.PUT(keyPrefix+"*key", k.put)
	router.DELETE(keyPrefix+"*key", k.delete)

	v := &viewResource{a}
	get("/key-value-store-view", v.get)
	router.PUT("/key-value-store-view", v.put)
	router.DELETE("/key-value-store-view", v.delete)

	const prefix = "/key-value-store-shard/"
	s := &shardResource{a}
	get(prefix+"shard-ids", s.ids)
	get(prefix+"node-shard-id", s.ofNode)
	get(prefix+"shard-id-members/*id", s.membersOf)
	get(prefix+"shard-id-key-count/*id", s.keyCount)
	router.PUT(prefix+"add-member/*id", s.addMember)

	m := &reshardResource{a}
	get(prefix+"reshard", m.get)
	router.PUT(prefix+"reshard", m.put)

	get(healthPath, health)
	get(readyPath, n.ready)
	get(statusPath, n.status)
	get(metricsPath, n.newMetrics())
	router.GET(backupPath, (&backups{node: n, busy: make(chan struct{}, 1)}).get)
	router.POST(peerPath, peers.serve)
	return router
}

// options answers with the Allow header that the router has set.
func options(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

func notFound(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path+"/" == keyPrefix {
		fail(w, r, http.StatusNotFound, "Key is missing: name one after "+keyPrefix)
		return
	}
	fail(w, r, http.StatusNotFound, "Path does not exist: keys are under "+keyPrefix+"<key>")
}

func methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	fail(w, r, http.StatusMethodNotAllowed, "Method not allowed: this path understands "+w.Header().Get("Allow"))
}
