package httpnode

import (
	"sync"

	"github.com/sequitur-kv/sequitur/core"
)

// call is a client's request on its way through the machine. Its fields are guarded by the engine's
// mutex until done is signalled or the answer was seen under the mutex.
type call struct {
	id       core.RequestID
	accepted bool // the machine has seen the request
	answered bool
	response core.Response // its token is in the call's own memory
	token    []byte
	done     chan struct{} // capacity 1; signalled when the answer comes after ask has left the mutex
}

var callPool = sync.Pool{New: func() any { return &call{done: make(chan struct{}, 1)} }}

func newCall() *call { return callPool.Get().(*call) }

// release gives the call back; its response must not be used any more.
func (c *call) release() {
	if cap(c.token) > 4<<10 {
		c.token = nil
	}
	*c = call{done: c.done, token: c.token[:0]}
	callPool.Put(c)
}

// answer copies what is valid only until the next Step.
func (c *call) answer(response *core.Response) {
	c.answered = true
	c.token = append(c.token[:0], response.Token...)
	c.response = *response
	c.response.Token = c.token
}
