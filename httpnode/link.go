package httpnode

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// A request has no end while bodies keep coming: each is a chunk of it, and costs both sides a third of what a
// request of its own would. It ends, so that its answer tells what arrived, when nothing came for a while or when
// it has had its time; the next one follows at once, without the answer.
const (
	requestTime  = 500 * time.Millisecond // from its beginning to its last chunk
	requestBytes = 1 << 20                // after which no more chunks follow
	requestsOpen = 2                      // not answered yet; with so many the sender waits
)

// link is one persistent connection to a peer, dialled when it is first needed. What travels on it is
// plain HTTP/1.1 that any server understands; speaking it without http.Client saves that one's two
// goroutines for each connection, which cost more than everything else on the way of a message.
// It has one user at a time.
type link struct {
	address string
	head    []byte // of every request
	dialer  *net.Dialer
	alive   context.Context // its end breaks every delivery off
	readers *sync.WaitGroup // of answers

	conn    net.Conn // nil: none
	release func() bool
	answers <-chan error // to the requests on conn, in their order; then why there are no more
	sent    []shipment   // requests without an answer
	open    bool         // the last of them has no end yet
	begun   time.Time    // when it began
	size    int          // bytes in its chunks
	writeBy time.Time    // the write deadline
	buf     []byte

	arrived, lost shipment // since they were last counted
}

// shipment is what one request carries.
type shipment struct{ messages, bodies int }

func (s *shipment) add(more shipment) {
	s.messages += more.messages
	s.bodies += more.bodies
}

func newLink(alive context.Context, dialer *net.Dialer, readers *sync.WaitGroup, self, address string) *link {
	l := &link{address: address, dialer: dialer, alive: alive, readers: readers}
	l.head = fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\n%s: %s\r\nTransfer-Encoding: chunked\r\n\r\n", peerPath, address, fromHeader, self)
	return l
}

// refusal is what a peer says against a request. Temporary ones are not worth a warning.
type refusal struct {
	reason    string
	temporary bool
}

func (r *refusal) Error() string { return "httpnode: the peer answers: " + r.reason }

var (
	errSilent  = errors.New("httpnode: the peer does not answer")
	errUnasked = errors.New("httpnode: the peer answers what was not asked")
)

const endOfRequest = "0\r\n\r\n"

// send sends one body of so many messages. It waits only when earlier requests are not answered, for at most
// timeout. Errors: *refusal when the peer refuses a request, any other when it does not answer; the connection is closed
// then, and all that was not answered counts as lost.
func (l *link) send(body []byte, messages int, timeout time.Duration) error {
	if err := l.settle(); errors.As(err, new(*refusal)) {
		return l.fail(err, shipment{messages, 1})
	} else if err != nil {
		l.close() // it rested, or the other side began anew: that is no reason not to try
	}
	if err := l.dial(); err != nil {
		return l.fail(err, shipment{messages, 1})
	}
	now := time.Now()
	l.buf = l.buf[:0]
	if l.open && (now.Sub(l.begun) >= requestTime || l.size >= requestBytes) {
		l.buf, l.open = append(l.buf, endOfRequest...), false
	}
	if !l.open {
		// The one that ended just now is not on its way yet; the one before it is.
		if err := l.await(requestsOpen-1, timeout); err != nil {
			return l.fail(err, shipment{messages, 1})
		}
		l.buf = append(l.buf, l.head...)
		l.open, l.begun, l.size = true, now, 0
		l.sent = append(l.sent, shipment{})
	}
	l.size += len(body)
	l.sent[len(l.sent)-1].add(shipment{messages, 1})
	l.buf = append(strconv.AppendInt(l.buf, int64(len(body)), 16), "\r\n"...)
	return l.write(now, timeout, l.buf, body, l.buf[len(l.buf)-2:])
}

// finish ends the last request and waits until all are answered, for at most timeout each. Errors are as of send.
func (l *link) finish(timeout time.Duration) error {
	if l.open {
		l.open = false
		l.buf = append(l.buf[:0], endOfRequest...)
		if err := l.write(time.Now(), timeout, l.buf); err != nil {
			return err
		}
	}
	if err := l.await(0, timeout); err != nil {
		return l.fail(err, shipment{})
	}
	return nil
}

// write writes parts of a request.
func (l *link) write(now time.Time, timeout time.Duration, parts ...[]byte) error {
	if by := now.Add(timeout); by.Sub(l.writeBy) > timeout/4 { // to move it costs as much as a small body
		l.writeBy = by
		if err := l.conn.SetWriteDeadline(by); err != nil {
			return l.fail(err, shipment{})
		}
	}
	message := net.Buffers(parts)
	_, err := message.WriteTo(l.conn)
	if err == nil {
		return nil
	}
	// Who refuses a request closes the connection while it is written, and has said why.
	select {
	case said := <-l.answers:
		err = cmp.Or(said, err)
	case <-time.After(lastWords):
	}
	return l.fail(err, shipment{})
}

// lastWords is how long the answer to a request is waited for that could not be written.
const lastWords = 50 * time.Millisecond

// settle takes the answers that have come.
func (l *link) settle() error {
	for {
		select {
		case err := <-l.answers:
			if err := l.answered(err); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// await waits until at most so many requests have no answer.
func (l *link) await(most int, timeout time.Duration) error {
	if len(l.sent) <= most {
		return nil
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for len(l.sent) > most {
		select {
		case err := <-l.answers:
			if err := l.answered(err); err != nil {
				return err
			}
			timer.Reset(timeout)
		case <-timer.C:
			return errSilent
		}
	}
	return nil
}

// answered takes the answer to the first request that has none.
func (l *link) answered(err error) error {
	switch ended := len(l.sent); {
	case err != nil:
		return err
	case ended == 0, ended == 1 && l.open:
		return errUnasked
	}
	l.arrived.add(l.sent[0])
	l.sent = append(l.sent[:0], l.sent[1:]...)
	return nil
}

// fail closes the connection.
func (l *link) fail(err error, more shipment) error {
	l.lost.add(more)
	l.close()
	return err
}

// count returns what arrived and what was lost since it was last called.
func (l *link) count() (arrived, lost shipment) {
	arrived, lost = l.arrived, l.lost
	l.arrived, l.lost = shipment{}, shipment{}
	return arrived, lost
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
	answers := make(chan error, requestsOpen+1)
	l.conn, l.answers, l.writeBy = conn, answers, time.Time{}
	l.release = context.AfterFunc(l.alive, func() { conn.Close() })
	l.readers.Go(func() { readAnswers(conn, answers) })
	return nil
}

// readAnswers reads what the other side says: nil for a 204, and why nothing more comes at the end.
func readAnswers(conn net.Conn, answers chan<- error) {
	defer conn.Close()
	for reader := bufio.NewReader(conn); ; {
		last, err := readAnswer(reader)
		select {
		case answers <- err:
		default: // it says more than it was asked
			return
		}
		switch {
		case err != nil:
			return
		case last:
			answers <- io.EOF // it has room: the one before was the last
			return
		}
	}
}

// readAnswer reads one answer; last tells that the other side says no more.
func readAnswer(reader *bufio.Reader) (last bool, err error) {
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return true, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		return true, refusalOf(response)
	}
	return response.Close, nil
}

// close gives the connection up; the next body dials anew.
func (l *link) close() {
	for _, s := range l.sent {
		l.lost.add(s)
	}
	l.sent, l.open = l.sent[:0], false
	if l.conn == nil {
		return
	}
	l.release()
	l.conn.Close()
	l.conn, l.answers, l.release = nil, nil, nil
}
