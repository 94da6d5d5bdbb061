package httpnode

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"

	"github.com/julienschmidt/httprouter"
)

// Paths for those who watch a node. They answer in every state of the store.
const (
	healthPath  = "/healthz"
	readyPath   = "/readyz"
	metricsPath = "/metrics"
	statusPath  = "/sequitur/status"
	backupPath  = "/sequitur/backup"
)

// health answers while the process serves HTTP at all, whatever state the store is in.
func health(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) {
	write(w, http.StatusOK, []byte(`{"message":"OK"}`))
}

// ready answers 200 while the node serves clients and has brought what it is to restore into the store, else 503 with the
// reason.
func (n *Node) ready(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	switch obstacle := cmp.Or(n.Obstacle(), n.restoring()); {
	case n.draining.Load():
		unavailable(w, r, sentence(errClosed))
	case obstacle != "":
		unavailable(w, r, obstacle)
	default:
		write(w, http.StatusOK, []byte(`{"message":"OK"}`))
	}
}

// restoring says how far a restore is, "" if there is none. Clients are served meanwhile, but may miss keys.
func (n *Node) restoring() (text string) {
	n.engine.inspect(func(m machine) {
		if f := m.Figures(); f.ToRestore > 0 {
			text = fmt.Sprintf("Node is restoring: %s of %s keys are in the store", grouped(f.Restored), grouped(f.ToRestore))
		}
	})
	return text
}

// grouped writes a number with commas.
func grouped(n uint64) string {
	text := strconv.FormatUint(n, 10)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
