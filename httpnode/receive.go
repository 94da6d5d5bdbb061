package httpnode

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"

	"github.com/julienschmidt/httprouter"

	"github.com/sequitur-kv/sequitur/core/wire"
)

// receiver takes what the transports of peers deliver.
type receiver struct {
	engine *engine
	logger *slog.Logger

	mu     sync.Mutex
	warned map[string]struct{} // senders whose version was complained about
}

// maxWarned bounds how many senders of other versions are told apart.
const maxWarned = 1024

var framePool = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// serve answers 204 when every message was fed to the machine.
func (v *receiver) serve(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	if err := v.engine.err(); err != nil {
		fail(w, r, http.StatusServiceUnavailable, sentence(err))
		return
	}
	buf := framePool.Get().(*bytes.Buffer)
	defer func() {
		if buf.Cap() <= batchBytes {
			framePool.Put(buf)
		}
	}()
	for {
		frame, err := readFrame(r.Body, buf)
		if errors.Is(err, io.EOF) {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		var message *wire.Message
		if err == nil {
			message, err = wire.Decode(frame)
		}
		if err != nil {
			v.refuse(w, r, err)
			return
		}
		v.engine.receive(message)
	}
}

// refuse tells the sender, and the operator once, what was wrong.
func (v *receiver) refuse(w http.ResponseWriter, r *http.Request, err error) {
	from := r.Header.Get(fromHeader)
	if version := (*wire.VersionError)(nil); errors.As(err, &version) {
		if v.firstOf(from) {
			v.logger.Warn(sentence(err), "peer", from, "remote", r.RemoteAddr)
		}
	} else {
		v.logger.Debug("malformed peer message", "peer", from, "remote", r.RemoteAddr, "error", err)
	}
	fail(w, r, http.StatusBadRequest, sentence(err))
}

func (v *receiver) firstOf(from string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	_, known := v.warned[from]
	if known || len(v.warned) >= maxWarned {
		return false
	}
	if v.warned == nil {
		v.warned = make(map[string]struct{})
	}
	v.warned[from] = struct{}{}
	return true
}
