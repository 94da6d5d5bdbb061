package httpnode

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/julienschmidt/httprouter"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/httpnode/backup"
)

// snapshots is a Log that can be read while it is written; disk.Log says how.
type snapshots interface {
	Snapshot(ctx context.Context, begin func(core.Position) error, record func(core.Record) error) error
}

// backupPatience is how long a client may take to read one block of a backup. The whole may take any time.
const backupPatience = time.Minute

// backups sends what the node has on disk, to one client at a time.
type backups struct {
	node *Node
	busy chan struct{} // holds one element while a backup is read
}

// get answers in every state in which the log can be read: a node that cannot serve any more may be the one that has the
// keys. An answer that ends before its summary is no backup, and the connection says so, too.
func (b *backups) get(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	log, ok := b.node.config.Log.(snapshots)
	if !ok {
		fail(w, r, http.StatusConflict, "This node keeps nothing on disk: ask one that does for a backup")
		return
	}
	if err := b.node.engine.err(); err != nil {
		refuseStopped(w, r, err)
		return
	}
	select {
	case b.busy <- struct{}{}:
		defer func() { <-b.busy }()
	default:
		unavailable(w, r, "Another backup of this node is being read; try again later")
		return
	}
	var writer *backup.Writer
	err := log.Snapshot(r.Context(), func(position core.Position) (err error) {
		header := b.header(position)
		w.Header()["Content-Type"] = []string{"application/octet-stream"}
		writer, err = backup.NewWriter(&patient{w, http.NewResponseController(w)}, header)
		return err
	}, func(record core.Record) error {
		saved, ok, err := core.SavedOf(record)
		if err != nil || !ok {
			return err
		}
		return writer.Add(&saved)
	})
	if err == nil {
		err = writer.Close()
	}
	switch {
	case err == nil:
	case writer == nil:
		unavailable(w, r, sentence(err))
	default:
		if !errors.Is(err, context.Canceled) {
			b.node.logger.Warn("a backup was broken off", "error", err, "remote", r.RemoteAddr)
		}
		panic(http.ErrAbortHandler) // the one way to tell the client
	}
}

// header says where a backup comes from.
func (b *backups) header(position core.Position) backup.Header {
	s := b.node.engine.snapshot()
	header := backup.Header{
		Address: b.node.Address(), Epoch: s.epoch, Position: uint64(position), Time: time.Now().UTC().Truncate(time.Millisecond),
		Expected: s.Keys + s.Tombstones + s.ToRestore - s.Restored,
	}
	if s.cluster != 0 {
		header.Cluster = hex16(uint64(s.cluster))
	}
	if s.shard != 0 {
		header.Shard = strconv.FormatUint(uint64(s.shard), 10)
	}
	return header
}

// patient is a response that may take any time as long as it goes on.
type patient struct {
	http.ResponseWriter
	controller *http.ResponseController
}

func (p *patient) Write(text []byte) (int, error) {
	if err := p.controller.SetWriteDeadline(time.Now().Add(backupPatience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return p.ResponseWriter.Write(text)
}
