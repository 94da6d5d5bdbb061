package httpnode

import (
	"net/http"

	"github.com/julienschmidt/httprouter"
)

// Paths for those who watch a node. They answer in every state of the store.
const (
	healthPath  = "/healthz"
	readyPath   = "/readyz"
	metricsPath = "/metrics"
	statusPath  = "/sequitur/status"
)

// health answers while the process serves HTTP at all, whatever state the store is in.
func health(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) {
	write(w, http.StatusOK, []byte(`{"message":"OK"}`))
}

// ready answers 200 while the node serves clients, else 503 with the reason.
func (n *Node) ready(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	switch obstacle := n.Obstacle(); {
	case n.draining.Load():
		unavailable(w, r, sentence(errClosed))
	case obstacle != "":
		unavailable(w, r, obstacle)
	default:
		write(w, http.StatusOK, []byte(`{"message":"OK"}`))
	}
}
