package httpnode

import (
	"testing"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// viewMachine answers the questions about membership for a store of five nodes, of which e:1 is down.
func viewMachine(configuration *view.Configuration) *fakeMachine {
	m := &fakeMachine{configuration: configuration}
	m.onStep = func(input core.Input, out *core.Output) {
		if input.Kind != core.InputRequest {
			return
		}
		response := core.Response{ID: input.Request.ID, Status: wire.StatusAnswered, Shard: 1, Count: 4000}
		switch input.Request.Op {
		case wire.OpView:
			response.Members = []string{"a:1", "b:1", "c:1", "d:1"}
		case wire.OpShardIDs:
			response.Members = []string{"1", "2"}
		case wire.OpShardMembers, wire.OpKeyCount:
			if input.Request.Shard != 1 && input.Request.Shard != 2 {
				response = core.Response{ID: input.Request.ID, Status: wire.StatusNoShard}
			}
			response.Members = []string{"a:1", "b:1"}
		}
		out.Replies = append(out.Replies, response)
	}
	return m
}

func TestViewAndShards(t *testing.T) {
	const shards = "/key-value-store-shard/"
	const notNow = `{"error":"` + noMembershipChanges + `","message":"Error in PUT"}`
	const noShard = `{"error":"Shard ID does not exist","message":"Error in GET"}`
	tests := []struct {
		method, target, body string
		status               int
		want                 string
	}{
		{"GET", "/key-value-store-view", ``, 200, `{"message":"View retrieved successfully","view":"a:1,b:1,c:1,d:1"}`},
		{"PUT", "/key-value-store-view", `{"socket-address":"a:1"}`, 404, `{"error":"Socket address already exists in the view","message":"Error in PUT"}`},
		{"PUT", "/key-value-store-view", `{"socket-address":"e:1"}`, 404, `{"error":"Socket address already exists in the view","message":"Error in PUT"}`},
		{"PUT", "/key-value-store-view", `{"socket-address":"f:1"}`, 503, notNow},
		{"DELETE", "/key-value-store-view", `{"socket-address":"f:1"}`, 404, `{"error":"Socket address does not exist in the view","message":"Error in DELETE"}`},
		{"DELETE", "/key-value-store-view", `{"socket-address":"a:1"}`, 503, `{"error":"` + noMembershipChanges + `","message":"Error in DELETE"}`},

		{"GET", shards + "shard-ids", ``, 200, `{"message":"Shard IDs retrieved successfully","shard-ids":["1","2"]}`},
		{"GET", shards + "node-shard-id", ``, 200, `{"message":"Shard ID of the node retrieved successfully","shard-id":"1"}`},
		{"GET", shards + "shard-id-members/2", ``, 200, `{"message":"Members of shard ID retrieved successfully","shard-id-members":["a:1","b:1"]}`},
		{"GET", shards + "shard-id-key-count/1", ``, 200, `{"message":"Key count of shard ID retrieved successfully","shard-id-key-count":4000}`},
		{"GET", shards + "shard-id-members/3", ``, 404, noShard},
		{"GET", shards + "shard-id-members/", ``, 404, noShard},
		{"GET", shards + "shard-id-members/1/", ``, 404, noShard},
		{"GET", shards + "shard-id-members/01", ``, 404, noShard},
		{"GET", shards + "shard-id-key-count/x", ``, 404, noShard},
		{"GET", shards + "shard-id-key-count/-1", ``, 404, noShard},
		{"GET", shards + "shard-id-key-count/99999999999999999999", ``, 404, noShard},

		{"PUT", shards + "add-member/1", `{"socket-address":"a:1"}`, 200, `{"message":"Node added to shard successfully"}`},
		{"PUT", shards + "add-member/2", `{"socket-address":"a:1"}`, 400, `{"error":"Node is a member of shard 1 already","message":"Error in PUT"}`},
		{"PUT", shards + "add-member/2", `{"socket-address":"f:1"}`, 404, `{"error":"Socket address does not exist in the view","message":"Error in PUT"}`},
		{"PUT", shards + "add-member/3", `{"socket-address":"a:1"}`, 404, `{"error":"Shard ID does not exist","message":"Error in PUT"}`},
		{"PUT", shards + "add-member/x", `{"socket-address":"f:1"}`, 404, `{"error":"Shard ID does not exist","message":"Error in PUT"}`},

		{"GET", shards + "reshard", ``, 200, `{"message":"Resharding status retrieved successfully","phase":"idle","keys-moved":0,"keys-to-move":0}`},
		{"PUT", shards + "reshard", `{"shard-count":2}`, 503, `{"error":"` + noReshard + `","message":"Error in PUT"}`},
		{"PUT", shards + "reshard", `{"shard-count":3}`, 400, `{"message":"Not enough nodes to provide fault-tolerance with the given shard count!"}`},
		{"PUT", shards + "reshard", `{"shard-count":99999999999999999999}`, 400, `{"message":"Not enough nodes to provide fault-tolerance with the given shard count!"}`},
		{"PUT", shards + "reshard", `{"shard-count":9223372036854775809}`, 400, `{"message":"Not enough nodes to provide fault-tolerance with the given shard count!"}`},
		{"GET", "/healthz", ``, 200, `{"message":"OK"}`},
	}
	for _, test := range tests {
		t.Run(test.method+" "+test.target+" "+test.body, func(t *testing.T) {
			n := fakeNode(t, viewMachine(founded(2, "a:1", "b:1", "c:1", "d:1", "e:1")), Config{})
			wantJSON(t, do(n.Handler(), test.method, test.target, test.body), test.status, test.want)
		})
	}
}

// TestUnassignedMember has rows for members that only later versions can make.
func TestUnassignedMember(t *testing.T) {
	configuration := founded(1, "a:1", "b:1", "e:1")
	configuration.Members[1].Shard, configuration.Members[2].Shard = 0, 0
	n := fakeNode(t, viewMachine(configuration), Config{})
	const add = "/key-value-store-shard/add-member/1"
	wantJSON(t, do(n.Handler(), "PUT", add, `{"socket-address":"b:1"}`), 503, `{"error":"`+noMembershipChanges+`","message":"Error in PUT"}`)
	wantJSON(t, do(n.Handler(), "PUT", add, `{"socket-address":"e:1"}`), 400, `{"error":"Node is down; start it first","message":"Error in PUT"}`)
}

func TestDeleteLastMember(t *testing.T) {
	n := fakeNode(t, viewMachine(founded(1, "a:1")), Config{})
	wantJSON(t, do(n.Handler(), "DELETE", "/key-value-store-view", `{"socket-address":"a:1"}`), 400,
		`{"error":"Socket address is the last member of shard 1; add another member to the shard first","message":"Error in DELETE"}`)
}

// TestNotServing goes through a store that is forming: bad input is still told first.
func TestNotServing(t *testing.T) {
	const reason = "Cluster is forming: 1 of 2 nodes seen; missing b:1"
	var asked []core.Request
	n := fakeNode(t, answering(core.Response{Status: wire.StatusForming, Reason: reason}, &asked), Config{})
	const shards = "/key-value-store-shard/"
	for _, test := range []struct{ method, target, body string }{
		{"GET", "/key-value-store/x", ``}, {"PUT", "/key-value-store/x", `{"value":1}`}, {"DELETE", "/key-value-store/x", ``},
		{"GET", "/key-value-store-view", ``}, {"PUT", "/key-value-store-view", `{"socket-address":"a:1"}`},
		{"DELETE", "/key-value-store-view", `{"socket-address":"a:1"}`},
		{"GET", shards + "shard-ids", ``}, {"GET", shards + "node-shard-id", ``}, {"GET", shards + "shard-id-members/1", ``},
		{"GET", shards + "shard-id-key-count/x", ``}, {"PUT", shards + "add-member/1", `{"socket-address":"a:1"}`},
		{"GET", shards + "reshard", ``}, {"PUT", shards + "reshard", `{"shard-count":1}`},
	} {
		w := do(n.Handler(), test.method, test.target, test.body)
		wantJSON(t, w, 503, `{"error":"`+reason+`","message":"Error in `+test.method+`"}`)
		if w.Header().Get("Retry-After") == "" {
			t.Errorf("%s %s: no Retry-After", test.method, test.target)
		}
	}
	wantJSON(t, do(n.Handler(), "GET", "/healthz", ""), 200, `{"message":"OK"}`)
	wantJSON(t, do(n.Handler(), "PUT", "/key-value-store-view", "{}"), 400, `{"error":"Socket address is missing","message":"Error in PUT"}`)
}

func TestUnassignedNode(t *testing.T) {
	var asked []core.Request
	n := fakeNode(t, answering(core.Response{Status: wire.StatusNoShard}, &asked), Config{})
	wantJSON(t, do(n.Handler(), "GET", "/key-value-store-shard/node-shard-id", ""), 404,
		`{"error":"Node is not assigned to a shard","message":"Error in GET"}`)
}
