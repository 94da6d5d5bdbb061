package httpnode

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/julienschmidt/httprouter"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// shardResource serves /key-value-store-shard/….
type shardResource struct{ *api }

func (s *shardResource) ids(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	c, ok := s.askFor(w, r, core.Request{Op: wire.OpShardIDs})
	if !ok {
		return
	}
	defer c.release()
	succeed(w, "Shard IDs retrieved successfully", appendList([]byte(`,"shard-ids":`), c.response.Members))
}

func (s *shardResource) ofNode(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	c, ok := s.askFor(w, r, core.Request{Op: wire.OpNodeShard})
	if !ok {
		return
	}
	defer c.release()
	succeed(w, "Shard ID of the node retrieved successfully", appendQuoted([]byte(`,"shard-id":`), c.response.Shard.String()))
}

func (s *shardResource) membersOf(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	c, ok := s.askOf(w, r, wire.OpShardMembers, params)
	if !ok {
		return
	}
	defer c.release()
	succeed(w, "Members of shard ID retrieved successfully", appendList([]byte(`,"shard-id-members":`), c.response.Members))
}

func (s *shardResource) keyCount(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	c, ok := s.askOf(w, r, wire.OpKeyCount, params)
	if !ok {
		return
	}
	defer c.release()
	succeed(w, "Key count of shard ID retrieved successfully", strconv.AppendUint([]byte(`,"shard-id-key-count":`), c.response.Count, 10))
}

// askOf asks a question about the shard that the path names.
func (s *shardResource) askOf(w http.ResponseWriter, r *http.Request, op wire.Op, params httprouter.Params) (*call, bool) {
	// Text that is no id names a shard that does not exist, which the machine says of zero as well;
	// it also says that the store is forming, which comes first.
	id, _ := shard.ParseID(key(params))
	return s.askFor(w, r, core.Request{Op: op, Shard: id})
}

func (s *shardResource) addMember(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	address, ok := s.socketAddress(w, r)
	if !ok {
		return
	}
	configuration, up := s.membership(w, r)
	if configuration == nil {
		return
	}
	id, _ := shard.ParseID(key(params))
	at := configuration.MemberAt(address)
	switch {
	case configuration.Shard(id) == nil:
		fail(w, r, http.StatusNotFound, noShard(wire.OpShardMembers))
	case at < 0:
		fail(w, r, http.StatusNotFound, "Socket address does not exist in the view")
	case configuration.Members[at].Shard == id:
		succeed(w, "Node added to shard successfully", nil)
	case configuration.Members[at].Shard != 0:
		fail(w, r, http.StatusBadRequest, "Node is a member of shard "+configuration.Members[at].Shard.String()+" already")
	case !slices.Contains(up, address):
		fail(w, r, http.StatusBadRequest, "Node is down; start it first")
	default:
		fail(w, r, http.StatusServiceUnavailable, noMembershipChanges)
	}
}

func appendList(buf []byte, items []string) []byte {
	buf = append(buf, '[')
	for i, item := range items {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = appendQuoted(buf, item)
	}
	return append(buf, ']')
}
