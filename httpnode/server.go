package httpnode

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Limits of the server. A request may take as long as the machine lets it wait, so the times for
// reading and writing are well above that: both deadlines run on while the handler works.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 2 * time.Minute
	writeTimeout      = 2 * time.Minute // from the end of the request's header
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 128 << 10
)

// runningServer is an http.Server with the context of its requests.
type runningServer struct {
	*http.Server
	giveUp context.CancelFunc // ends the contexts of all requests
}

func (n *Node) newServer() runningServer {
	ctx, cancel := context.WithCancel(context.Background())
	return runningServer{
		Server: &http.Server{
			Handler:           n.handler,
			ReadHeaderTimeout: readHeaderTimeout,
			ReadTimeout:       readTimeout,
			WriteTimeout:      writeTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    maxHeaderBytes,
			BaseContext:       func(net.Listener) context.Context { return ctx },
			ErrorLog:          slog.NewLogLogger(n.logger.Handler(), slog.LevelDebug),
		},
		giveUp: cancel,
	}
}

// shutdown refuses new requests but goes on listening for peers, whose answers the requests in
// flight wait for; then it gives up the rest of them, and closes.
func (n *Node) shutdown(server runningServer) {
	n.draining.Store(true)
	n.drain(drainTime)
	server.giveUp()
	n.drain(giveUp)
	ctx, cancel := context.WithTimeout(context.Background(), giveUp)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		server.Close()
	}
}

// drain waits until no request of a client is in flight.
func (n *Node) drain(timeout time.Duration) {
	const interval = 2 * time.Millisecond
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for deadline := time.Now().Add(timeout); n.inFlight.Load() > 0 && time.Now().Before(deadline); {
		<-ticker.C
	}
}

// track counts the requests of clients, refuses them while the node drains, and logs them at level
// debug.
func (n *Node) track(next http.Handler) http.Handler {
	debug := n.logger.Enabled(context.Background(), slog.LevelDebug)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == peerPath || r.URL.Path == healthPath {
			next.ServeHTTP(w, r)
			return
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
		begin, recorder := time.Now(), &statusRecorder{ResponseWriter: w}
		next.ServeHTTP(recorder, r)
		n.logger.Debug("request", "method", r.Method, "path", r.URL.Path, "status", recorder.status,
			"remote", r.RemoteAddr, "duration", time.Since(begin))
	})
}

// statusRecorder remembers the status for the log.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (s *statusRecorder) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (s *statusRecorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }
