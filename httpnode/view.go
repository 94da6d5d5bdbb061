package httpnode

import (
	"net/http"
	"strings"

	"github.com/julienschmidt/httprouter"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// viewResource serves /key-value-store-view.
type viewResource struct{ *api }

func (v *viewResource) get(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	v.tell(w, r, core.Request{Op: wire.OpView}, "View retrieved successfully", func(answer *core.Response) []byte {
		return appendQuoted([]byte(`,"view":`), strings.Join(answer.Members, ","))
	})
}

func (v *viewResource) put(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	address, ok := v.socketAddress(w, r)
	if !ok {
		return
	}
	configuration, _ := v.membership(w, r)
	switch {
	case configuration == nil:
	case configuration.MemberAt(address) >= 0:
		fail(w, r, http.StatusNotFound, "Socket address already exists in the view")
	default:
		fail(w, r, http.StatusServiceUnavailable, noMembershipChanges)
	}
}

func (v *viewResource) delete(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	address, ok := v.socketAddress(w, r)
	if !ok {
		return
	}
	configuration, _ := v.membership(w, r)
	if configuration == nil {
		return
	}
	at := configuration.MemberAt(address)
	if at < 0 {
		fail(w, r, http.StatusNotFound, "Socket address does not exist in the view")
		return
	}
	if home := configuration.Shard(configuration.Members[at].Shard); home != nil && len(home.Members) == 1 {
		fail(w, r, http.StatusBadRequest, "Socket address is the last member of shard "+home.ID.String()+"; add another member to the shard first")
		return
	}
	fail(w, r, http.StatusServiceUnavailable, noMembershipChanges)
}
