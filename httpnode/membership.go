package httpnode

import (
	"net/http"
	"slices"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// maxAdminBody bounds the bodies of administrative requests, in bytes.
const maxAdminBody = 64 << 10

const noMembershipChanges = "Changes of membership are not available in this version; to change who takes part, start all nodes again with another VIEW, which loses what is stored"

const noReshard = "Resharding is not available in this version; to change the number of shards, start all nodes again with another SHARD_COUNT, which loses what is stored"

// askFor asks the machine a question without operands, and answers when it refuses.
func (a *api) askFor(w http.ResponseWriter, r *http.Request, request core.Request) (c *call, ok bool) {
	c = a.engine.ask(r.Context(), request)
	if c.response.Status != wire.StatusAnswered {
		a.refuse(w, r, request.Op, c)
		c.release()
		return nil, false
	}
	return c, true
}

// tell asks the machine a question and answers with a message and the members that describe makes, each
// with a comma before it; or as askFor does.
func (a *api) tell(w http.ResponseWriter, r *http.Request, question core.Request, message string, describe func(*core.Response) []byte) {
	if c, ok := a.askFor(w, r, question); ok {
		defer c.release()
		succeed(w, message, describe(&c.response))
	}
}

// membership returns the configuration and the members that are up, which every
// administrative request is judged by; or it answers and returns nil.
func (a *api) membership(w http.ResponseWriter, r *http.Request) (*view.Configuration, []string) {
	c, ok := a.askFor(w, r, core.Request{Op: wire.OpView})
	if !ok {
		return nil, nil
	}
	up := slices.Clone(c.response.Members)
	c.release()
	var configuration *view.Configuration
	a.engine.inspect(func(m machine) { configuration = m.Configuration() })
	if configuration == nil {
		unavailable(w, r, sentence(errClosed))
	}
	return configuration, up
}

var addressMember = []string{"socket-address"}

// socketAddress reads {"socket-address":"host:port"}, or answers 400.
func (a *api) socketAddress(w http.ResponseWriter, r *http.Request) (address string, ok bool) {
	b := a.takeBody()
	defer b.release()
	var found [1]span
	if err := b.members(r, maxAdminBody, addressMember, found[:]); err != nil {
		failBody(w, r, err)
		return "", false
	}
	switch {
	case found[0].text == nil:
		fail(w, r, http.StatusBadRequest, "Socket address is missing")
	case !found[0].isString():
		fail(w, r, http.StatusBadRequest, "Socket address has the wrong type: a string host:port is expected")
	case CheckAddress(found[0].str()) != nil:
		fail(w, r, http.StatusBadRequest, "Socket address is not valid: host:port with a port from 1 to 65535 is expected")
	default:
		return found[0].str(), true
	}
	return "", false
}
