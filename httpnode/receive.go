package httpnode

import (
	"cmp"
	"context"
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

	frames  budget
	timeout time.Duration // for one request

	mu     sync.Mutex
	warned map[string]struct{} // senders whose version was complained about
}

// Limits of what comes over the wire. Whoever reaches the port can send it.
const (
	maxFrames   = 256 << 20        // bytes of all frames that are being read
	peerTimeout = 10 * time.Second // for one request, which a sender that runs ends much sooner
)

func newReceiver(engine *engine, logger *slog.Logger) *receiver {
	v := &receiver{engine: engine, logger: logger, timeout: peerTimeout}
	v.frames.limit = maxFrames
	return v
}

// maxTogether bounds how many messages are fed in one go: clients wait meanwhile.
const maxTogether = 64

// maxWarned bounds how many senders of other versions are told apart.
const maxWarned = 1024

// serve answers 204 when every message was fed to the machine. The body may have no end yet when it is read.
func (v *receiver) serve(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	// What is no connection of a server cannot be told; the timeout of the whole server is left.
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(time.Now().Add(v.timeout))
	// A node that stops waits for no end of a request.
	defer context.AfterFunc(r.Context(), func() { _ = connection.SetReadDeadline(time.Unix(1, 0)) })()
	in := framesPool.Get().(*frames)
	in.reader.Reset(r.Body)
	defer func() {
		in.release(&v.frames)
		in.reader.Reset(nil)
		framesPool.Put(in)
	}()
	err := v.take(in)
	if isTimeout(err) { // there is nothing to say to a sender that was paused
		panic(http.ErrAbortHandler)
	}
	if err != nil { // else the answer would wait for the end of the body
		w.Header().Set("Connection", "close")
	}
	switch stopped := v.engine.err(); {
	case stopped != nil:
		refuseStopped(w, r, stopped)
	case errors.Is(err, errFramesBusy):
		unavailable(w, r, sentence(err))
	case err != nil:
		v.refuse(w, r, err)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// take feeds every message of a body up to the first one that is malformed, as they come.
func (v *receiver) take(in *frames) error {
	var messages []*wire.Message
	for size := 0; ; {
		if !in.ready() || len(messages) == maxTogether || size > batchBytes {
			if err := v.engine.receive(messages); err != nil {
				return err
			}
			messages, size = messages[:0], 0
			in.release(&v.frames)
		}
		frame, err := in.next(func(n int64) bool { return v.frames.take(&in.held, n) })
		if errors.Is(err, io.EOF) {
			return nil // what came before was fed: nothing was ready
		}
		var message *wire.Message
		if err == nil {
			message, err = wire.Decode(frame)
		}
		if err != nil {
			return cmp.Or(v.engine.receive(messages), err)
		}
		messages = append(messages, message)
		size += len(frame)
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
