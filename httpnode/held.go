package httpnode

import (
	"bytes"

	"github.com/sequitur-kv/sequitur/core"
)

// held are the outputs that reveal state which is not durable yet, in the order in which they came.
type held struct {
	replies []core.Response
	sends   []core.Send
}

func (h *held) addReply(response *core.Response) {
	kept := *response
	kept.Token = bytes.Clone(response.Token)
	h.replies = append(h.replies, kept)
}

func (h *held) addSend(send core.Send) { h.sends = append(h.sends, send) }

// release passes on, and forgets, everything whose After is at most durable. An output may overtake
// another: After positions do not ascend, because a reply about something old reveals nothing new.
func (h *held) release(durable core.Position, reply func(*core.Response), send func(*core.Send)) {
	h.replies = letOut(h.replies, durable, func(r *core.Response) core.Position { return r.After }, reply)
	h.sends = letOut(h.sends, durable, func(s *core.Send) core.Position { return s.After }, send)
}

// letOut passes on the outputs whose After is at most durable, and returns the rest.
func letOut[T any](outputs []T, durable core.Position, after func(*T) core.Position, pass func(*T)) []T {
	rest := outputs[:0]
	for i := range outputs {
		if o := &outputs[i]; after(o) <= durable {
			pass(o)
		} else {
			rest = append(rest, *o)
		}
	}
	clear(outputs[len(rest):])
	return rest
}
