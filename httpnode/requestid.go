package httpnode

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strconv"
	"sync/atomic"
)

// idHeader names a request, in logs and for its client. The spelling is the canonical one.
const idHeader = "X-Request-Id"

// maxRequestID bounds what is taken over from a client, in bytes.
const maxRequestID = 128

// requestIDs makes names that no other node makes, nor this one after a restart.
type requestIDs struct {
	prefix string
	last   atomic.Uint64
}

func newRequestIDs() *requestIDs {
	var random [6]byte
	rand.Read(random[:]) // never fails: it ends the program instead
	return &requestIDs{prefix: hex.EncodeToString(random[:]) + "-"}
}

// next is the header's value for a request that brought none.
func (ids *requestIDs) next() []string {
	var text [32]byte
	return []string{string(strconv.AppendUint(append(text[:0], ids.prefix...), ids.last.Add(1), 10))}
}

// sentRequestID is the header's value that the client chose; nil if there is none that is fit for a log line.
func sentRequestID(r *http.Request) []string {
	if sent := r.Header[idHeader]; len(sent) > 0 && isRequestID(sent[0]) {
		return sent[:1:1]
	}
	return nil
}

// isRequestID accepts printable ASCII without spaces, quotes and backslashes.
func isRequestID(text string) bool {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7F || c == '"' || c == '\\' {
			return false
		}
	}
	return text != "" && len(text) <= maxRequestID
}
