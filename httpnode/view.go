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
	if address, ok := v.socketAddress(w, r); ok && v.administer(w, r, core.Request{Op: wire.OpInvite, Member: address}) {
		write(w, http.StatusCreated, []byte(`{"message":"Replica added successfully to the view"}`))
	}
}

func (v *viewResource) delete(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	if address, ok := v.socketAddress(w, r); ok && v.administer(w, r, core.Request{Op: wire.OpRemove, Member: address}) {
		succeed(w, "Replica deleted successfully from the view", nil)
	}
}
