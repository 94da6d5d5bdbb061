package kvsim

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// What must hold of the answers that clients get.

// replyAnswersOpenRequest: one reply to each request, from the process that got it.
func replyAnswersOpenRequest(r *run, o *observation) error {
	number := int(o.response.ID) - 1
	if number < 0 || number >= len(r.plan) {
		return fmt.Errorf("%s replies to a request, number %d, that nobody made", r.names[o.server.index], o.response.ID)
	}
	f := &r.fates[number]
	if !f.delivered || f.server != o.server.index || f.replies != 0 {
		return fmt.Errorf("%s replies to %s, which is not open there", r.names[o.server.index], r.plan[number].name())
	}
	return nil
}

// replyIsForClients: what nodes say among themselves stays there.
func replyIsForClients(r *run, o *observation) error {
	switch o.response.Status {
	case wire.StatusWaiting, wire.StatusUncovered, 0:
		return fmt.Errorf("%s tells a client what only nodes tell each other: %s", r.names[o.server.index], o.response.Status)
	default:
		return nil
	}
}

// acceptsHonestTokens: a token that the store gave is never called bad.
func acceptsHonestTokens(_ *run, o *observation) error {
	if o.response.Status == wire.StatusBadToken {
		return errors.New("an honest token is refused: " + o.response.Reason)
	}
	return nil
}

// tellsTheTruth: the version that an answer names exists and is what the answer says.
func tellsTheTruth(r *run, o *observation) error {
	plan, response := &r.plan[o.number], o.response
	if !response.Status.Succeeded() || !plan.Op.OnKey() {
		return nil
	}
	if response.Dot == (causal.Dot{}) {
		if response.Status == wire.StatusNotFound {
			return nil
		}
		return fmt.Errorf("the answer to %s, %s, names no version", plan.name(), response.Status)
	}
	w := r.ghost.lookup(response.Dot)
	switch {
	case w == nil:
		return fmt.Errorf("the answer to %s names %s, which nobody wrote or which a crash took back", plan.name(), response.Dot)
	case w.key != plan.Key:
		return fmt.Errorf("the answer about %s names %s, a write of %s", plan.Key, response.Dot, w.key)
	case w.order.clock != response.Clock:
		return fmt.Errorf("the write %s is stamped %s, the answer says %s", response.Dot, w.order.clock, response.Clock)
	}
	written := &r.plan[w.operation]
	switch response.Status {
	case wire.StatusFound:
		if written.Op != wire.OpPut || !bytes.Equal([]byte(written.Value), response.Value) {
			return fmt.Errorf("the write %s was of %s, the answer is of %s", response.Dot, valueInWords(written.Value), valueInWords(string(response.Value)))
		}
	case wire.StatusNotFound:
		if written.Op != wire.OpDelete {
			return fmt.Errorf("the answer says that the write %s deleted the key, but it was of %s", response.Dot, valueInWords(written.Value))
		}
	default:
		if w.operation != o.number {
			return fmt.Errorf("the answer to %s names %s, which %s wrote", plan.name(), response.Dot, written.name())
		}
	}
	return nil
}

// refusedDidNotRun: what a client is told did not happen has not happened.
func refusedDidNotRun(r *run, o *observation) error {
	if dot := r.ghost.dotOf[o.number]; r.fates[o.number].ending == refused && dot != (causal.Dot{}) {
		return fmt.Errorf("%s is answered \"%s\", but it became the write %s", r.plan[o.number].name(), o.response.Status, dot)
	}
	return nil
}

// tokenIsRequestAndVersion: the token of an answer is the request's, merged with the context of the
// version.
func tokenIsRequestAndVersion(r *run, o *observation) error {
	if !o.response.Status.Succeeded() || !r.plan[o.number].Op.OnKey() {
		return nil
	}
	want := r.scratchContext
	want.Vector = append(want.Vector[:0], r.fates[o.number].need.Vector...)
	want.Epoch, want.Clock = r.fates[o.number].need.Epoch, r.fates[o.number].need.Clock
	if w := r.ghost.lookup(o.response.Dot); w != nil {
		if w.context.IsZero() {
			return nil // overwritten within its own step and not sent anywhere
		}
		want.Merge(w.context)
	}
	want.Vector = r.ghost.newest.Trim(want.Vector, want.Epoch)
	r.scratchContext = want
	if got := o.token; got.Epoch != want.Epoch || got.Clock != want.Clock || !sameVector(got.Vector, want.Vector) {
		return fmt.Errorf("the token of the answer means epoch %d, %s, %s; request and version make epoch %d, %s, %s",
			got.Epoch, got.Clock, got.Vector, want.Epoch, want.Clock, want.Vector)
	}
	return nil
}

// readFollowsToken: a read never returns less than the newest write that its token covers.
func readFollowsToken(r *run, o *observation) error {
	plan := &r.plan[o.number]
	read := o.response.Status == wire.StatusFound || o.response.Status == wire.StatusNotFound
	if !read || !plan.Op.OnKey() {
		return nil
	}
	newest := r.ghost.latest(r.keyIndex(plan.Key), r.fates[o.number].need.Vector)
	if newest == nil || newest.order.compare(order{o.response.Clock, o.response.Dot}) <= 0 {
		return nil
	}
	return fmt.Errorf("a read of %s with a token that covers %s returned the older %s", plan.Key, newest.order.dot, o.response.Dot)
}
