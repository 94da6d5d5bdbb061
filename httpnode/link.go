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

// A request has no end while bodies keep coming: each is a chunk of it, and costs both sides less than a
// request of its own. It ends, so that its answer tells what arrived, when nothing came for a while or when
// it has had its time; the next one follows at once, without the answer.
const (
	requestTime  = 500 * time.Millisecond // from its beginning to its last chunk
	requestBytes = 1 << 20                // after which no more chunks follow
	requestsOpen = 2                      // not answered yet; with so many the sender waits
)

// link is one persistent connection to a peer, dialled when it is first needed. What travels on it is
// plain HTTP/1.1 that any server understands; http.Client could not pipeline it, and its goroutines for each
// connection would cost more than everything else on the way of a message.
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
	proven  bool         // there was an answer on conn
	trouble error        // what was heard and not told yet
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

// ready waits until a body may be sent: while too many requests have no answer, for at most timeout each. A connection
// that the other side has closed while it rested is no trouble. Errors: *refusal when the peer refuses a request, any other
// when it does not answer; the connection is closed then, and all that was not answered counts as lost.
func (l *link) ready(timeout time.Duration) error {
	err := l.settle()
	if err == nil && l.open && (time.Since(l.begun) >= requestTime || l.size >= requestBytes) {
		err = l.end(timeout)
	}
	if err == nil && !l.open {
		err = l.await(requestsOpen-1, timeout)
	}
	switch {
	case err == nil:
		return nil
	case l.proven && !errors.As(err, new(*refusal)) && !errors.Is(err, errSilent) && !isTimeout(err):
		l.close() // the next body goes over a new one
		return nil
	default:
		l.close()
		return err
	}
}

// send sends one body of so many messages as soon as the link is ready. Errors are as of ready.
func (l *link) send(body []byte, messages int, timeout time.Duration) error {
	more := shipment{messages, 1}
	err := l.ready(timeout)
	if err == nil {
		err = l.dial()
	}
	if err != nil {
		l.lost.add(more)
		return err
	}
	l.buf = l.buf[:0]
	if !l.open {
		l.buf = append(l.buf, l.head...)
		l.open, l.begun, l.size = true, time.Now(), 0
		l.sent = append(l.sent, shipment{})
	}
	l.size += len(body)
	l.sent[len(l.sent)-1].add(more)
	l.buf = append(strconv.AppendInt(l.buf, int64(len(body)), 16), "\r\n"...)
	if err = l.write(timeout, l.buf, body, l.buf[len(l.buf)-2:]); err != nil {
		l.close()
	}
	return err
}

// finish ends the last request and waits until all are answered, for at most timeout each. Errors are as of ready.
func (l *link) finish(timeout time.Duration) (err error) {
	if l.open {
		err = l.end(timeout)
	}
	if err == nil {
		err = l.await(0, timeout)
	}
	if err != nil {
		l.close()
	}
	return err
}

// end ends the last request.
func (l *link) end(timeout time.Duration) error {
	l.open = false
	return l.write(timeout, []byte(endOfRequest))
}

// write writes parts of a request.
func (l *link) write(timeout time.Duration, parts ...[]byte) error {
	var err error
	if by := time.Now().Add(timeout); by.Sub(l.writeBy) > timeout/4 { // to move it costs as much as a small body
		l.writeBy, err = by, l.conn.SetWriteDeadline(by)
	}
	if err == nil {
		message := net.Buffers(parts)
		_, err = message.WriteTo(l.conn)
	}
	if err == nil {
		return nil
	}
	// Who refuses a request closes the connection while it is written, and has said why.
	if said := l.await(0, lastWords); said != nil && !errors.Is(said, errSilent) {
		return said
	}
	return err
}

// lastWords is how long answers are waited for after a request that could not be written.
const lastWords = 50 * time.Millisecond

// hear takes an answer; what is wrong with it is told by settle.
func (l *link) hear(answer error) { l.trouble = cmp.Or(l.trouble, l.answered(answer)) }

// settle takes the answers that have come.
func (l *link) settle() error {
	for l.trouble == nil {
		select {
		case err := <-l.answers:
			if err := l.answered(err); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return l.trouble
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
			if err := l.settle(); err != nil || len(l.sent) <= most { // this process may have been paused
				return err
			}
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
	l.proven = true
	l.arrived.add(l.sent[0])
	l.sent = append(l.sent[:0], l.sent[1:]...)
	return nil
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
	l.conn, l.answers, l.writeBy, l.proven = conn, answers, time.Time{}, false
	l.release = context.AfterFunc(l.alive, func() { conn.Close() })
	l.readers.Go(func() { readAnswers(conn, answers) })
	return nil
}

// Bounds of what the other side says.
const (
	maxAnswer  = 16 << 10    // bytes
	answerTime = time.Second // for the rest of a refusal
)

// readAnswers reads what the other side says: nil for a 204, and why nothing more comes at the end.
func readAnswers(conn net.Conn, answers chan<- error) {
	defer conn.Close()
	bound := &io.LimitedReader{R: conn}
	reader := bufio.NewReader(bound)
	tell := func(err error) (heard bool) {
		select {
		case answers <- err:
			return true
		default: // it says more than it was asked
			return false
		}
	}
	for {
		bound.N = maxAnswer
		last, err := readAnswer(conn, reader)
		if !tell(err) || err != nil {
			return
		}
		if last {
			tell(io.EOF)
			return
		}
	}
}

// readAnswer reads one answer; last tells that the other side says no more.
func readAnswer(conn net.Conn, reader *bufio.Reader) (last bool, err error) {
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return true, err
	}
	if response.StatusCode == http.StatusNoContent {
		return response.Close, response.Body.Close()
	}
	// Its body is not closed, which would read all of it.
	if err := conn.SetReadDeadline(time.Now().Add(answerTime)); err != nil {
		return true, err
	}
	return true, refusalOf(response)
}

// close gives the connection up; the next body dials anew.
func (l *link) close() {
	for _, s := range l.sent {
		l.lost.add(s)
	}
	l.sent, l.open, l.trouble = l.sent[:0], false, nil
	if l.conn == nil {
		return
	}
	l.release()
	l.conn.Close()
	l.conn, l.answers, l.release = nil, nil, nil
}
