package httpnode

import (
	"net/http"
	"time"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// maxAdminBody bounds the bodies of administrative requests, in bytes.
const maxAdminBody = 64 << 10

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

// administer has the machine change who belongs to the store or who owns what. It tells whether that
// is done; if not, it answers.
func (a *api) administer(w http.ResponseWriter, r *http.Request, request core.Request) (done bool) {
	c := a.engine.ask(r.Context(), request)
	defer c.release()
	// The machine bounds the wait, which may be as long as data is copied: the deadline for the answer has run
	// on meanwhile. What is no connection of a server has none.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
	if c.response.Status == wire.StatusAnswered {
		return true
	}
	a.refuse(w, r, request.Op, c)
	return false
}

// decline answers a change that the store declined: nothing has happened.
func decline(w http.ResponseWriter, r *http.Request, response *core.Response) {
	text := response.Outcome.Result.String()
	switch response.Outcome.Result {
	case view.Exists, view.NotFound, view.NoShard:
		fail(w, r, http.StatusNotFound, text)
	case view.LastMember, view.Elsewhere, view.NotSeen, view.Down:
		fail(w, r, http.StatusBadRequest, text)
	case view.TooFew:
		write(w, http.StatusBadRequest, append(appendQuoted([]byte(`{"message":`), text), '}'))
	case view.Busy, view.Leaving:
		fail(w, r, http.StatusConflict, text)
	default: // another change came in between
		unavailable(w, r, text)
	}
}

// notDone answers a change that was not decided, or not completed.
func notDone(w http.ResponseWriter, r *http.Request, op wire.Op, response *core.Response) {
	switch response.Status {
	case wire.StatusUnknown:
		fail(w, r, http.StatusServiceUnavailable, because(unknownChange, response.Reason))
	case wire.StatusRolledBack:
		unavailable(w, r, because(rolledBack(op), response.Reason))
	case wire.StatusUnfinished:
		unavailable(w, r, because(unfinished(op), response.Reason))
	default: // no majority
		unavailable(w, r, response.Reason)
	}
}

const unknownChange = "Outcome unknown: the change may have taken effect, or may yet"

// because appends a reason, if there is one.
func because(text, reason string) string {
	if reason == "" {
		return text
	}
	return text + ": " + reason
}

// rolledBack says of a change that was decided what has come of it.
func rolledBack(op wire.Op) string {
	if op == wire.OpAddMember {
		return "The node has not come to serve the shard: a reshard placed it anew, or it was deleted or lost its memory"
	}
	return "Resharding made no progress or lost a node that it needs; it is rolled back, every shard is as it was"
}

// unfinished says of a change that is decided how it goes on.
func unfinished(op wire.Op) string {
	switch op {
	case wire.OpRemove:
		return "The node is leaving: it hands over what only it holds, and is gone from the view when that is done"
	case wire.OpAddMember:
		return "The node is a member of the shard, and serves it as soon as it has copied the data"
	default:
		return "The change is decided, and goes on by itself"
	}
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
