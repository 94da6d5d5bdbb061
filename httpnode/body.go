package httpnode

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Errors of reading a body; each becomes a response.
var (
	errBodyTooLarge = errors.New("httpnode: body is too large")
	errBodyBroken   = errors.New("httpnode: body ended before its announced length")
)

// bodySlack is what a body may have beside the value: white space, metadata, unknown members.
const bodySlack = 64 << 10

// maxDiscarded bounds what is read and thrown away of a body that is too large. A client that still
// writes would see a broken connection in place of the response that explains it.
const maxDiscarded = 64 << 20

// readBody reads the whole body into buf.
func readBody(r *http.Request, buf []byte, limit int64) ([]byte, error) {
	buf = buf[:0]
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return buf, nil
	}
	if r.ContentLength > limit {
		return buf, discard(r.Body)
	}
	if n := int(r.ContentLength); n > cap(buf) && n <= maxPooled {
		buf = make([]byte, 0, n+1) // one more to see the end without growing
	}
	body := io.LimitReader(r.Body, limit+1)
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > limit {
			return buf, discard(r.Body)
		}
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return buf, errBodyBroken
		}
	}
}

func discard(body io.Reader) error {
	if _, err := io.CopyN(io.Discard, body, maxDiscarded); err != nil && !errors.Is(err, io.EOF) {
		return errBodyBroken
	}
	return errBodyTooLarge
}

// members reads a body that is one object and finds the members of these names; an empty body has none.
// The spans alias buf's memory.
func members(r *http.Request, buf *[]byte, limit int64, wanted []string, found []span) error {
	var err error
	if *buf, err = readBody(r, *buf, limit); err != nil {
		return err
	}
	if empty(*buf) {
		return nil
	}
	if err := scanMembers(*buf, wanted, found); err != nil {
		return fmt.Errorf("httpnode: body is not a valid JSON object: %w", err)
	}
	return nil
}

func empty(body []byte) bool {
	for _, c := range body {
		if !isSpace(c) {
			return false
		}
	}
	return true
}

// failBody answers for an error of members.
func failBody(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusBadRequest
	if errors.Is(err, errBodyTooLarge) {
		status = http.StatusRequestEntityTooLarge
	}
	fail(w, r, status, sentence(err))
}

// tokens returns the causal-metadata of a request. A member of the body, empty or null too, beats
// the header. ok is false when the member has a type that no token has.
func tokens(r *http.Request, member span) (text string, ok bool) {
	switch {
	case member.isString():
		return member.str(), true
	case member.isNull():
		return "", true
	case member.text != nil:
		return "", false
	}
	switch values := r.Header[tokenHeader]; len(values) {
	case 0:
		return "", true
	case 1:
		return values[0], true
	default:
		return strings.Join(values, ","), true
	}
}
