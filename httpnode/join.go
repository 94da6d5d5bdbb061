package httpnode

import (
	"github.com/sequitur-kv/sequitur/core/store"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// Bounds of what batches are joined to. A receiver holds back up to core.Config.MaxBuffered writes of
// a stream, so that one batch must be a small part of them.
const (
	maxJoined      = 64       // writes
	maxJoinedBytes = 64 << 10 // weight
)

// joiner makes one batch of batches that follow each other in a stream: the machine sends each write
// by itself, and one message of many is less work for the receiver. The zero value is ready.
type joiner struct {
	message wire.Message
	batch   wire.Batch
	writes  []store.Version
}

// join returns the first n messages as one, valid until the next call.
func (j *joiner) join(messages []queued) (_ *wire.Message, n int) {
	first := messages[0].message
	last, ok := first.Body.(*wire.Batch)
	if !ok {
		return first, 1
	}
	writes, weight := len(last.Writes), messages[0].weight
	for n = 1; n < len(messages); n++ {
		next, ok := continues(first, last, messages[n].message)
		if !ok {
			break
		}
		writes, weight = writes+len(next.Writes), weight+messages[n].weight
		if writes > maxJoined || weight > maxJoinedBytes {
			break
		}
		last = next
	}
	if n == 1 {
		return first, 1
	}
	j.message, j.batch = *first, *first.Body.(*wire.Batch)
	j.message.Body = &j.batch
	j.writes = j.writes[:0]
	for _, q := range messages[:n] {
		j.writes = append(j.writes, q.message.Body.(*wire.Batch).Writes...)
	}
	j.batch.To, j.batch.Writes = last.To, j.writes
	return &j.message, n
}

// tidy lets go of the writes that were joined.
func (j *joiner) tidy() { clear(j.writes[:cap(j.writes)]) }

// continues returns the batch in message if its header is that of first and it begins where last, a
// batch of the same stream, ends.
func continues(first *wire.Message, last *wire.Batch, message *wire.Message) (*wire.Batch, bool) {
	next, ok := message.Body.(*wire.Batch)
	if !ok || next.Replica != last.Replica || next.From != last.To || next.Slots != last.Slots {
		return nil, false
	}
	return next, message.Cluster == first.Cluster && message.Epoch == first.Epoch &&
		message.From == first.From && message.To == first.To
}
