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
	replies := h.replies[:0]
	for i := range h.replies {
		if r := &h.replies[i]; r.After <= durable {
			reply(r)
		} else {
			replies = append(replies, *r)
		}
	}
	clear(h.replies[len(replies):])
	h.replies = replies
	sends := h.sends[:0]
	for i := range h.sends {
		if s := &h.sends[i]; s.After <= durable {
			send(s)
		} else {
			sends = append(sends, *s)
		}
	}
	clear(h.sends[len(sends):])
	h.sends = sends
}
