package httpnode

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/julienschmidt/httprouter"

	"github.com/sequitur-kv/sequitur/core/wire"
)

// receiver takes what the transports of peers deliver.
type receiver struct {
	engine *engine
	logger *slog.Logger

	frames budget

	mu     sync.Mutex
	warned map[string]struct{} // senders whose version was complained about
}

// Limits of what comes over the wire. Whoever reaches the port can send it.
const (
	maxFrames   = 256 << 20        // bytes of all frames that are being read
	peerTimeout = 10 * time.Second // for one body
)

func newReceiver(engine *engine, logger *slog.Logger) *receiver {
	v := &receiver{engine: engine, logger: logger}
	v.frames.limit = maxFrames
	return v
}

// maxTogether bounds how many messages are fed in one go: clients wait meanwhile.
const maxTogether = 64

// maxWarned bounds how many senders of other versions are told apart.
const maxWarned = 1024

var framePool = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// serve answers 204 when every message was fed to the machine.
func (v *receiver) serve(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	if err := v.engine.err(); err != nil {
		refuseStopped(w, r, err)
		return
	}
	// What is no connection of a server cannot be told; the timeout of the whole server is left.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(peerTimeout))
	buf := framePool.Get().(*bytes.Buffer)
	var held int64
	defer func() {
		v.frames.give(&held)
		if buf.Cap() <= batchBytes {
			framePool.Put(buf)
		}
	}()
	if err := v.take(r.Body, buf, &held); errors.Is(err, errFramesBusy) {
		unavailable(w, r, sentence(err))
	} else if err != nil {
		v.refuse(w, r, err)
	} else {
		w.WriteHeader(http.StatusNoContent)
	}
}

// take feeds every message of a body up to the first one that is malformed.
func (v *receiver) take(r io.Reader, buf *bytes.Buffer, held *int64) error {
	var messages []*wire.Message
	defer func() { v.engine.receive(messages) }()
	for size := 0; ; {
		frame, err := readFrame(r, buf, func(n int64) bool { return v.frames.take(held, n) })
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		message, err := wire.Decode(frame)
		if err != nil {
			return err
		}
		messages = append(messages, message)
		if size += len(frame); len(messages) == maxTogether || size > batchBytes {
			v.engine.receive(messages)
			messages, size = messages[:0], 0
		}
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
