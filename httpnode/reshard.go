package httpnode

import (
	"net/http"
	"strconv"

	"github.com/julienschmidt/httprouter"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// reshardResource serves /key-value-store-shard/reshard.
type reshardResource struct{ *api }

func (s *reshardResource) get(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	s.tell(w, r, core.Request{Op: wire.OpProgress}, "Resharding status retrieved successfully", func(answer *core.Response) []byte {
		buf := appendQuoted([]byte(`,"phase":`), answer.Progress.Phase.String())
		buf = strconv.AppendUint(append(buf, `,"keys-moved":`...), answer.Progress.Moved, 10)
		return strconv.AppendUint(append(buf, `,"keys-to-move":`...), answer.Progress.ToMove, 10)
	})
}

func (s *reshardResource) put(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	if count, ok := s.shardCount(w, r); ok && s.administer(w, r, core.Request{Op: wire.OpReshard, Count: count}) {
		succeed(w, "Resharding done successfully", nil)
	}
}

var countMember = []string{"shard-count"}

// shardCount reads {"shard-count":n}, or answers 400. The count is at least 1, and tooMany stands for every
// number above what a store can have.
func (a *api) shardCount(w http.ResponseWriter, r *http.Request) (count int, ok bool) {
	const tooMany = shard.MaxShards + 1
	b := a.takeBody()
	defer b.release()
	var found [1]span
	if err := b.members(r, maxAdminBody, countMember, found[:]); err != nil {
		failBody(w, r, err)
		return 0, false
	}
	text := found[0].text
	if text == nil {
		fail(w, r, http.StatusBadRequest, "Shard count is missing")
		return 0, false
	}
	if !isInteger(text) {
		fail(w, r, http.StatusBadRequest, "Shard count is not valid: a whole number from 1 is expected")
		return 0, false
	}
	count, err := strconv.Atoi(string(text))
	if err != nil { // out of range
		count = tooMany
	}
	return min(count, tooMany), true
}

// isInteger tells whether text is a positive number written with digits only.
func isInteger(text []byte) bool {
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(text) > 0 && text[0] != '0'
}
