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
	errBodyBusy     = errors.New("httpnode: too many large requests are under way; try again later")
	errBodyBroken   = errors.New("httpnode: body ended before its announced length")
)

// bodySlack is what a body may have beside the value: white space, metadata, unknown members.
const bodySlack = 64 << 10

// maxBodies bounds the memory of all bodies that are being read, in bytes.
const maxBodies = 256 << 20

// maxDiscarded bounds what is read and thrown away of a body that is too large. A client that still
// writes would see a broken connection in place of the response that explains it.
const maxDiscarded = 64 << 20

// body is the memory that a request's body is read into. Spans of it are valid until release.
type body struct {
	buf    *[]byte
	budget *budget
	held   int64 // of the budget
}

func (a *api) takeBody() body { return body{buf: takeBuffer(), budget: &a.bodies} }

func (b *body) release() {
	giveBuffer(b.buf)
	b.budget.give(&b.held)
}

// read reads the whole body.
func (b *body) read(r *http.Request, limit int64) error {
	*b.buf = (*b.buf)[:0]
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil
	}
	if r.ContentLength > limit {
		return discard(r.Body)
	}
	if n := r.ContentLength; n > int64(cap(*b.buf)) && n <= maxPooled {
		if !b.grow(n + 1) { // one more to see the end without growing
			return errBodyBusy
		}
	}
	source := io.LimitReader(r.Body, limit+1)
	for {
		if len(*b.buf) == cap(*b.buf) && !b.grow(max(512, 2*int64(cap(*b.buf)))) {
			return errBodyBusy
		}
		n, err := source.Read((*b.buf)[len(*b.buf):cap(*b.buf)])
		*b.buf = (*b.buf)[:len(*b.buf)+n]
		if int64(len(*b.buf)) > limit {
			return discard(r.Body)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return errBodyBroken
		}
	}
}

// grow makes room for size bytes in all; false when too much is in use already.
func (b *body) grow(size int64) bool {
	if !b.budget.take(&b.held, size) {
		return false
	}
	*b.buf = append(make([]byte, 0, size), *b.buf...)
	return true
}

func discard(body io.Reader) error {
	if _, err := io.CopyN(io.Discard, body, maxDiscarded); err != nil && !errors.Is(err, io.EOF) {
		return errBodyBroken
	}
	return errBodyTooLarge
}

// members reads a body that is one object and finds the members of these names; an empty body has none.
func (b *body) members(r *http.Request, limit int64, wanted []string, found []span) error {
	if err := b.read(r, limit); err != nil {
		return err
	}
	if empty(*b.buf) {
		return nil
	}
	if err := scanMembers(*b.buf, wanted, found); err != nil {
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
	switch {
	case errors.Is(err, errBodyTooLarge):
		fail(w, r, http.StatusRequestEntityTooLarge, sentence(err))
	case errors.Is(err, errBodyBusy):
		unavailable(w, r, sentence(err))
	default:
		fail(w, r, http.StatusBadRequest, sentence(err))
	}
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
