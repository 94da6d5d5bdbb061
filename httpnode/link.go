package httpnode

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// link is one persistent connection to a peer, dialled when it is first needed. A request on it is
// plain HTTP/1.1 that any server understands; speaking it without http.Client saves that one's two
// goroutines for each connection, which cost more than everything else on the way of a message.
// It has one user at a time.
type link struct {
	address string
	head    []byte // of every request, up to its length
	dialer  *net.Dialer
	alive   context.Context // its end breaks every delivery off

	conn    net.Conn // nil: none
	reader  *bufio.Reader
	release func() bool // unbinds conn from alive
	fresh   bool        // nothing was answered on conn so far
	buf     []byte
}

func newLink(alive context.Context, dialer *net.Dialer, self, address string) *link {
	l := &link{address: address, dialer: dialer, alive: alive}
	l.head = fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\n%s: %s\r\nContent-Length: ", peerPath, address, fromHeader, self)
	return l
}

// refusal is what a peer says against a body. Temporary ones are not worth a warning.
type refusal struct {
	reason    string
	temporary bool
}

func (r *refusal) Error() string { return "httpnode: the peer answers: " + r.reason }

// post delivers one body within timeout. It may arrive twice: messages may be repeated. Errors:
// *refusal when there is an answer, any other when there is none.
func (l *link) post(body []byte, timeout time.Duration) error {
	for {
		reused := l.conn != nil && !l.fresh
		err := l.try(body, timeout)
		if err == nil || errors.As(err, new(*refusal)) {
			return err
		}
		l.close()
		// A connection that rested may have been closed by the other side meanwhile.
		if !reused || errors.Is(err, context.Canceled) || isTimeout(err) {
			return err
		}
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func (l *link) try(body []byte, timeout time.Duration) error {
	if err := l.dial(); err != nil {
		return err
	}
	if err := l.conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	l.buf = append(l.buf[:0], l.head...)
	l.buf = append(strconv.AppendInt(l.buf, int64(len(body)), 10), "\r\n\r\n"...)
	message := net.Buffers{l.buf, body}
	_, failed := message.WriteTo(l.conn)
	// Who refuses a body may answer before it has read all of it.
	response, err := http.ReadResponse(l.reader, nil)
	if err != nil {
		return errors.Join(failed, err)
	}
	defer response.Body.Close()
	l.fresh = false
	if response.StatusCode == http.StatusNoContent && failed == nil {
		if response.Close {
			l.close()
		}
		return nil
	}
	reason := refusalOf(response)
	l.close()
	return reason
}

// refusalOf reads what a peer that is no 204 says.
func refusalOf(response *http.Response) *refusal {
	var said struct {
		Error string `json:"error"`
	}
	text, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10)) // what was read up to an error may do
	if json.Unmarshal(bytes.TrimSpace(text), &said) != nil || said.Error == "" {
		said.Error = fmt.Sprintf("it answers with HTTP status %d, so it is no node of a store", response.StatusCode)
	}
	return &refusal{reason: said.Error, temporary: response.StatusCode == http.StatusServiceUnavailable}
}

func (l *link) dial() error {
	if l.conn != nil {
		return nil
	}
	conn, err := l.dialer.DialContext(l.alive, "tcp", l.address)
	if err != nil {
		return err
	}
	l.conn, l.fresh = conn, true
	l.release = context.AfterFunc(l.alive, func() { conn.Close() })
	l.reader = bufio.NewReader(conn)
	return nil
}

// close gives the connection up; the next body dials anew.
func (l *link) close() {
	if l.conn == nil {
		return
	}
	l.release()
	l.conn.Close()
	l.conn, l.reader, l.release = nil, nil, nil
}
