package httpnode

import (
	"net/http"
	"strconv"

	"github.com/julienschmidt/httprouter"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// shardResource serves /key-value-store-shard/….
type shardResource struct{ *api }

func (s *shardResource) ids(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	s.tell(w, r, core.Request{Op: wire.OpShardIDs}, "Shard IDs retrieved successfully", func(answer *core.Response) []byte {
		return appendList([]byte(`,"shard-ids":`), answer.Members)
	})
}

func (s *shardResource) ofNode(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	s.tell(w, r, core.Request{Op: wire.OpNodeShard}, "Shard ID of the node retrieved successfully", func(answer *core.Response) []byte {
		return appendQuoted([]byte(`,"shard-id":`), answer.Shard.String())
	})
}

func (s *shardResource) membersOf(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	s.tell(w, r, about(wire.OpShardMembers, params), "Members of shard ID retrieved successfully", func(answer *core.Response) []byte {
		return appendList([]byte(`,"shard-id-members":`), answer.Members)
	})
}

func (s *shardResource) keyCount(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	s.tell(w, r, about(wire.OpKeyCount, params), "Key count of shard ID retrieved successfully", func(answer *core.Response) []byte {
		return strconv.AppendUint([]byte(`,"shard-id-key-count":`), answer.Count, 10)
	})
}

// about is a request about the shard that the path names.
func about(op wire.Op, params httprouter.Params) core.Request {
	// Text that is no id names a shard that does not exist, which the machine says of zero as well;
	// it also says that the store is forming, which comes first.
	id, _ := shard.ParseID(key(params))
	return core.Request{Op: op, Shard: id}
}

func (s *shardResource) addMember(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	address, ok := s.socketAddress(w, r)
	if !ok {
		return
	}
	request := about(wire.OpAddMember, params)
	request.Member = address
	if s.administer(w, r, request) {
		succeed(w, "Node added to shard successfully", nil)
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
