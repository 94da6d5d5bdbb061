package httpnode

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/julienschmidt/httprouter"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/wire"
)

const keyPrefix = "/key-value-store/"

// keys serves /key-value-store/<key>.
type keys struct {
	*api
	maxKeyLength int
	maxValueSize int
}

var keyMembers = []string{"value", "causal-metadata"}

// key is the decoded key: whatever follows the prefix, byte for byte.
func key(params httprouter.Params) string { return params[0].Value[1:] }

func (k *keys) get(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	k.serve(w, r, core.Request{Op: wire.OpGet, Key: key(params)})
}

// Writes give the machine a key of its own: it is kept, and must not keep the whole request line with it.

func (k *keys) delete(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	k.serve(w, r, core.Request{Op: wire.OpDelete, Key: strings.Clone(key(params))})
}

func (k *keys) put(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	k.serve(w, r, core.Request{Op: wire.OpPut, Key: strings.Clone(key(params))})
}

// serve validates the request, asks the machine, and answers.
func (k *keys) serve(w http.ResponseWriter, r *http.Request, request core.Request) {
	if request.Key == "" {
		k.figures.invalid(request.Op)
		fail(w, r, http.StatusNotFound, "Key is missing: name one after "+keyPrefix)
		return
	}
	if !k.validate(w, r, &request) {
		k.figures.invalid(request.Op)
		return
	}
	c := k.engine.ask(r.Context(), request) // the body's memory is free again: this may take long
	defer c.release()
	note(w, &request, c)
	k.respond(w, r, request.Op, c)
}

// validate fills in what the body and the header say; when they are wrong it answers and returns false.
func (k *keys) validate(w http.ResponseWriter, r *http.Request, request *core.Request) bool {
	b := k.takeBody()
	defer b.release()
	var found [2]span
	limit := 2*int64(k.maxValueSize) + bodySlack // twice: white space does not count
	if err := b.members(r, limit, keyMembers, found[:]); err != nil {
		failBody(w, r, err)
		return false
	}
	var ok bool
	if request.Tokens, ok = tokens(r, found[1]); !ok {
		fail(w, r, http.StatusBadRequest, "causal-metadata has the wrong type; send the string that a response gave, or null, or nothing")
		return false
	}
	if request.Op.Writes() && r.URL.RawQuery != "" && !writeConcernIsOne(r.URL.RawQuery) {
		fail(w, r, http.StatusBadRequest, "Write concern is not available in this version: leave w out or send w=1")
		return false
	}
	if request.Op != wire.OpPut {
		return true
	}
	switch {
	case len(request.Key) > k.maxKeyLength:
		fail(w, r, http.StatusBadRequest, "Key is too long")
	case found[0].text == nil:
		fail(w, r, http.StatusBadRequest, "Value is missing")
	default:
		if request.Value = found[0].compact(); len(request.Value) <= k.maxValueSize {
			return true
		}
		fail(w, r, http.StatusRequestEntityTooLarge, "Value is too large")
	}
	return false
}

// writeConcernIsOne tells whether a query asks for no more than one replica. One that is malformed may
// ask for anything.
func writeConcernIsOne(query string) bool {
	values, err := url.ParseQuery(query)
	if err != nil {
		return false
	}
	for _, w := range values["w"] {
		if w != "1" {
			return false
		}
	}
	return true
}

// respond answers for every status that a request on a key can end with.
func (k *keys) respond(w http.ResponseWriter, r *http.Request, op wire.Op, c *call) {
	response := &c.response
	buf := takeBuffer()
	defer giveBuffer(buf)
	if len(response.Token) > 0 {
		w.Header()[tokenHeader] = []string{string(response.Token)}
	}
	status := http.StatusOK
	out := (*buf)[:0]
	switch response.Status {
	case wire.StatusFound:
		out = append(out, `{"message":"Retrieved successfully","doesExist":true,"value":`...)
		out = append(out, response.Value...)
		out = appendVersion(out, response)
	case wire.StatusCreated:
		status = http.StatusCreated
		out = append(out, `{"message":"Added successfully","replaced":false`...)
		out = appendVersion(out, response)
	case wire.StatusReplaced:
		out = append(out, `{"message":"Updated successfully","replaced":true`...)
		out = appendVersion(out, response)
	case wire.StatusDeleted:
		out = append(out, `{"message":"Deleted successfully","doesExist":true`...)
		out = appendVersion(out, response)
	case wire.StatusNotFound:
		status = http.StatusNotFound
		out = append(appendError(out, r.Method, "Key does not exist"), `,"doesExist":false`...)
		out = appendToken(out, response)
	default:
		k.refuse(w, r, op, c)
		return
	}
	out = append(out, '}')
	write(w, status, out)
	*buf = out
}

func appendVersion(buf []byte, response *core.Response) []byte {
	buf = append(buf, `,"shard-id":`...)
	buf = appendQuoted(buf, response.Shard.String())
	return appendToken(buf, response)
}

func appendToken(buf []byte, response *core.Response) []byte {
	buf = append(buf, `,"causal-metadata":"`...)
	buf = append(buf, response.Token...) // base64: nothing to escape
	return append(buf, '"')
}
