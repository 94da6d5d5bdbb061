package httpnode

import (
	"bytes"
	"errors"
	"net"
	"strconv"
	"sync/atomic"
	"time"
)

// guard is a listener with a bound on its connections. One more is answered with a 503 at once, so
// that its client learns why.
type guard struct {
	net.Listener
	limit   int64
	open    atomic.Int64 // connections
	refused atomic.Uint64
}

func (g *guard) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if g.open.Add(1) <= g.limit {
			return &guardedConn{Conn: conn, guard: g}, nil
		}
		g.open.Add(-1)
		g.refused.Add(1)
		turnAway(conn)
	}
}

// turnAway never blocks: what it writes fits into the buffer of any new connection.
func turnAway(conn net.Conn) {
	defer conn.Close()
	if conn.SetWriteDeadline(time.Now().Add(time.Second)) != nil {
		return
	}
	text := appendRawError(nil, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1", "Too many connections; try again later")
	if _, err := conn.Write(text); err == nil {
		_ = closeWrite(conn) // it is closed right after
	}
}

// guardedConn is a connection of an http.Server. It makes JSON of the texts with which net/http
// refuses requests that never reach a handler.
type guardedConn struct {
	net.Conn
	guard   *guard
	closed  atomic.Bool
	writeBy time.Time // the write deadline; zero: none
}

// SetWriteDeadline bounds Write. The server moves its deadline of minutes with each request: by less than a
// second, it stays where it is, because a move costs as much as routing the request.
func (c *guardedConn) SetWriteDeadline(t time.Time) error {
	if later := t.Sub(c.writeBy); later >= 0 && later < time.Second {
		return nil
	}
	c.writeBy = t
	return c.Conn.SetWriteDeadline(t)
}

// Close closes the connection and makes room for another one.
func (c *guardedConn) Close() error {
	if !c.closed.Swap(true) {
		c.guard.open.Add(-1)
	}
	return c.Conn.Close()
}

// CloseWrite tells the other side that nothing more comes.
func (c *guardedConn) CloseWrite() error { return closeWrite(c.Conn) }

func closeWrite(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Write writes p, or a JSON text in place of it if net/http refuses a request by it.
func (c *guardedConn) Write(p []byte) (int, error) {
	if raw := refusedByServer(p); raw != nil {
		if _, err := c.Conn.Write(raw); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// How net/http answers what is no request. TestRefusedByServer finds out when that changes.
var (
	clientError      = []byte("HTTP/1.1 4")
	serverError      = []byte("HTTP/1.1 5")
	serversHeaders   = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")
	unmetExpectation = []byte("HTTP/1.1 417 ")
)

// refusedByServer returns the same refusal with a JSON body, nil if p is something else. No response of a
// handler looks like it: they are JSON.
func refusedByServer(p []byte) []byte {
	const longest = 1 << 10
	if len(p) > longest || !bytes.HasPrefix(p, clientError) && !bytes.HasPrefix(p, serverError) {
		return nil
	}
	if status, text, found := bytes.Cut(p, serversHeaders); found {
		return appendRawError(nil, string(status), "Request is not valid HTTP: "+string(text))
	}
	if bytes.HasPrefix(p, unmetExpectation) {
		return appendRawError(nil, "HTTP/1.1 417 Expectation Failed", "Expectation is not known: leave the Expect header out")
	}
	return nil
}

// appendRawError appends a whole response, after which the connection is closed.
func appendRawError(buf []byte, status, text string) []byte {
	body := append(appendError(nil, "request", text), '}')
	buf = append(buf, status...)
	buf = append(buf, "\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: "...)
	buf = strconv.AppendInt(buf, int64(len(body)), 10)
	return append(append(buf, "\r\n\r\n"...), body...)
}
