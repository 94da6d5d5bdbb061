package httpnode

import (
	"errors"
	"net/http"

	"github.com/sequitur-kv/sequitur/core/wire"
)

// api is what the handlers of all resources share.
type api struct {
	engine  *engine
	figures *requestFigures
	bodies  budget
}

// refuse answers for every status that is not a success of its operation.
func (a *api) refuse(w http.ResponseWriter, r *http.Request, op wire.Op, c *call) {
	switch response := &c.response; response.Status {
	case wire.StatusBadToken:
		fail(w, r, http.StatusBadRequest, response.Reason)
	case wire.StatusNoShard:
		fail(w, r, http.StatusNotFound, noShard(op))
	case wire.StatusUnsatisfied:
		unavailable(w, r, "Causal dependencies not satisfied; try again later")
	case wire.StatusOverloaded:
		unavailable(w, r, tooManyWait(op))
	case wire.StatusNoAnswer:
		unavailable(w, r, "Shard does not answer; try again later")
	case wire.StatusShardDown:
		unavailable(w, r, "Shard is down")
	case wire.StatusForming, wire.StatusFull:
		unavailable(w, r, response.Reason)
	case wire.StatusRefused:
		fail(w, r, http.StatusServiceUnavailable, response.Reason)
	case wire.StatusDeclined:
		decline(w, r, response)
	case wire.StatusNoMajority, wire.StatusRolledBack, wire.StatusUnfinished:
		notDone(w, r, op, response)
	case wire.StatusUnknown:
		if op.Administers() {
			notDone(w, r, op, response)
			return
		}
		fail(w, r, http.StatusServiceUnavailable, unknownOutcome)
	default:
		a.unanswered(w, r, op, c)
	}
}

const unknownOutcome = "Outcome unknown: the write may have taken effect"

func tooManyWait(op wire.Op) string {
	if op.Administers() {
		return "Too many changes wait to be decided; try again later"
	}
	return "Too many requests wait for their dependencies; try again later"
}

func noShard(op wire.Op) string {
	if op == wire.OpNodeShard {
		return "Node is not assigned to a shard"
	}
	return "Shard ID does not exist"
}

// unanswered answers a request to which the machine gave no answer, because the node does not run, stops, or
// the client went away.
func (a *api) unanswered(w http.ResponseWriter, r *http.Request, op wire.Op, c *call) {
	switch {
	case c.accepted && op.Writes():
		fail(w, r, http.StatusServiceUnavailable, unknownOutcome)
		return
	case c.accepted && op.Administers():
		fail(w, r, http.StatusServiceUnavailable, unknownChange)
		return
	}
	if err := a.engine.err(); err != nil {
		refuseStopped(w, r, err)
		return
	}
	unavailable(w, r, "Node gave up the request; try again later")
}

const panicked = "This node has failed and serves nothing more; its log says why; use another node"

// stopped is what others are told of why the engine does not run. What went wrong inside the machine
// is for the log.
func stopped(err error) string {
	if errors.Is(err, ErrPanic) {
		return panicked
	}
	return sentence(err)
}

// refuseStopped answers for a node that does not run. After a failure it is in vain to try it again.
func refuseStopped(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, errNotStarted) || errors.Is(err, errClosed) {
		unavailable(w, r, sentence(err))
		return
	}
	fail(w, r, http.StatusServiceUnavailable, stopped(err))
}
