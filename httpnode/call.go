package httpnode

import (
	"sync"

	"github.com/sequitur-kv/sequitur/core"
)

// call is a client's request on its way through the machine. Its fields are guarded by the engine's
// mutex until done is signalled or the answer was seen under the mutex.
type call struct {
	pool     *callPool
	id       core.RequestID
	accepted bool // the machine has seen the request
	answered bool
	response core.Response // its token is in the call's own memory
	token    []byte
	done     chan struct{} // capacity 1; signalled when the answer comes after ask has left the mutex
}

// callPool reuses calls. It belongs to one engine, because channels must not cross the bubbles of
// testing/synctest.
type callPool struct{ pool sync.Pool }

func (p *callPool) take() *call {
	if c, ok := p.pool.Get().(*call); ok {
		return c
	}
	return &call{pool: p, done: make(chan struct{}, 1)}
}

// release gives the call back; its response must not be used any more.
func (c *call) release() {
	if cap(c.token) > 4<<10 {
		c.token = nil
	}
	*c = call{pool: c.pool, done: c.done, token: c.token[:0]}
	c.pool.pool.Put(c)
}

// answer copies what is valid only until the next Step.
func (c *call) answer(response *core.Response) {
	c.answered = true
	c.token = append(c.token[:0], response.Token...)
	c.response = *response
	c.response.Token = c.token
}
