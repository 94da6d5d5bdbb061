package httpnode

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// tokenHeader carries causal-metadata beside the body. The spelling is the canonical one.
const tokenHeader = "X-Causal-Metadata"

// Header values that many responses share; net/http does not modify them.
var (
	jsonType   = []string{"application/json"}
	retryAfter = []string{"1"} // seconds
)

// maxPooled is the size up to which a buffer is kept for the next request.
const maxPooled = 64 << 10

var bufferPool = sync.Pool{New: func() any { return new([]byte) }}

func takeBuffer() *[]byte { return bufferPool.Get().(*[]byte) }

func giveBuffer(buf *[]byte) {
	if cap(*buf) <= maxPooled {
		*buf = (*buf)[:0]
		bufferPool.Put(buf)
	}
}

// write sends body, a JSON text.
func write(w http.ResponseWriter, status int, body []byte) {
	header := w.Header()
	header["Content-Type"] = jsonType
	if len(body) > 1024 { // net/http counts short bodies itself, without an allocation here
		header["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	w.WriteHeader(status)
	w.Write(body) // an error means that the client is gone
}

// fail answers {"error":…,"message":"Error in METHOD"}.
func fail(w http.ResponseWriter, r *http.Request, status int, text string) {
	buf := takeBuffer()
	*buf = appendError((*buf)[:0], r.Method, text)
	*buf = append(*buf, '}')
	write(w, status, *buf)
	giveBuffer(buf)
}

// unavailable is fail with 503, for what the client may try again.
func unavailable(w http.ResponseWriter, r *http.Request, text string) {
	w.Header()["Retry-After"] = retryAfter
	fail(w, r, http.StatusServiceUnavailable, text)
}

// appendError appends an object without its closing brace.
func appendError(buf []byte, method, text string) []byte {
	buf = append(buf, `{"error":`...)
	buf = appendQuoted(buf, text)
	buf = append(buf, `,"message":`...)
	return appendQuoted(buf, "Error in "+method)
}

// succeed answers 200 {"message":…} with further members, which begin with a comma.
func succeed(w http.ResponseWriter, message string, members []byte) {
	buf := takeBuffer()
	*buf = append((*buf)[:0], `{"message":`...)
	*buf = appendQuoted(*buf, message)
	*buf = append(*buf, members...)
	*buf = append(*buf, '}')
	write(w, http.StatusOK, *buf)
	giveBuffer(buf)
}

// sentence makes an error text fit for a client: without the package prefix, with a capital letter.
func sentence(err error) string {
	text := err.Error()
	for _, prefix := range []string{"httpnode: ", "wire: ", "codec: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}
