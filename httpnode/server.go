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
	maxHeaderBytes    = 32 << 10 // net/http allows 4 KiB more
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
			Handler:                      n.handler,
			DisableGeneralOptionsHandler: true, // the router answers OPTIONS *
			ReadHeaderTimeout:            readHeaderTimeout,
			ReadTimeout:                  readTimeout,
			WriteTimeout:                 writeTimeout,
			IdleTimeout:                  idleTimeout,
			MaxHeaderBytes:               maxHeaderBytes,
			BaseContext:                  func(net.Listener) context.Context { return ctx },
			ErrorLog:                     slog.NewLogLogger(n.logger.Handler(), slog.LevelDebug),
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
