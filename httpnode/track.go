package httpnode

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// apart tells which paths are answered in any state of the node, and are no requests of clients.
func apart(path string) bool {
	switch path {
	case peerPath, healthPath, readyPath, metricsPath, statusPath, backupPath:
		return true
	default:
		return false
	}
}

// track counts the requests of clients in flight, refuses them while the node drains, and logs them at
// level debug. A request keeps the name that its client gave it; another gets one where a log tells of
// it: a name costs a tenth of what the node adds to a GET.
func (n *Node) track(next http.Handler) http.Handler {
	debug := n.logger.Enabled(context.Background(), slog.LevelDebug)
	ids := newRequestIDs()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if apart(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		id := sentRequestID(r)
		if id == nil && debug {
			id = ids.next()
		}
		if id != nil {
			w.Header()[idHeader] = id
		}
		n.inFlight.Add(1)
		defer n.inFlight.Add(-1)
		if n.draining.Load() {
			w.Header().Set("Connection", "close")
			unavailable(w, r, sentence(errClosed))
			return
		}
		if !debug {
			next.ServeHTTP(w, r)
			return
		}
		t := &traced{ResponseWriter: w, logger: n.logger, begin: time.Now()}
		next.ServeHTTP(t, r)
		t.log(r, id[0])
	})
}

// traced notes what a log line about a request tells.
type traced struct {
	http.ResponseWriter
	logger *slog.Logger
	begin  time.Time
	status int

	// Of requests about a key.
	op       wire.Op
	key      string
	number   core.RequestID
	response core.Response
}

func (t *traced) WriteHeader(status int) {
	t.status = status
	t.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (t *traced) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// note adds what the machine said, if the request is logged.
func note(w http.ResponseWriter, request *core.Request, c *call) {
	if t, ok := w.(*traced); ok {
		t.op, t.key, t.number, t.response = request.Op, request.Key, c.id, c.response
	}
}

func (t *traced) log(r *http.Request, id string) {
	attributes := []any{
		"request_id", id, "method", r.Method, "path", clip(r.URL.Path), "status", t.status,
		"duration", time.Since(t.begin), "remote", r.RemoteAddr,
	}
	if t.op != 0 {
		attributes = append(attributes, "op", t.op.String(), "key", clip(t.key), "request", uint64(t.number),
			"outcome", t.response.Status.String(), "dot", t.response.Dot.String())
	}
	t.logger.Debug("request", attributes...)
}

// clip bounds what a client can put into one log line.
func clip(text string) string {
	const longest = 256
	if len(text) <= longest {
		return text
	}
	return text[:longest] + "…"
}

// logAccepted tells which request, of which node's client, minted a dot here.
func logAccepted(logger *slog.Logger, accepted *core.Accepted) {
	logger.Debug("write accepted", "dot", accepted.Dot.String(), "life", accepted.Life.String(), "request", uint64(accepted.Request))
}
