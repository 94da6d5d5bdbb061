package httpnode

import (
	"net/http"
	"strconv"

	"github.com/julienschmidt/httprouter"
)

// reshardResource serves /key-value-store-shard/reshard.
type reshardResource struct{ *api }

// get is true of a store whose layout never changes.
func (s *reshardResource) get(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	if configuration, _ := s.membership(w, r); configuration != nil {
		succeed(w, "Resharding status retrieved successfully", []byte(`,"phase":"idle","keys-moved":0,"keys-to-move":0`))
	}
}

func (s *reshardResource) put(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	count, ok := s.shardCount(w, r)
	if !ok {
		return
	}
	configuration, up := s.membership(w, r)
	switch {
	case configuration == nil:
	case 2*count > uint64(len(up)):
		write(w, http.StatusBadRequest, []byte(`{"message":"Not enough nodes to provide fault-tolerance with the given shard count!"}`))
	default:
		fail(w, r, http.StatusServiceUnavailable, noReshard)
	}
}

var countMember = []string{"shard-count"}

// shardCount reads {"shard-count":n}, or answers 400. The count is at least 1 and at most
// maxShardCount, which stands for everything above it too.
func (a *api) shardCount(w http.ResponseWriter, r *http.Request) (count uint64, ok bool) {
	const maxShardCount = 1 << 32
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
	count, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil { // out of range
		count = maxShardCount
	}
	return min(count, maxShardCount), true
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
