package httpnode

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/shard"
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
	const noShard = `{"error":"Shard ID does not exist","message":"Error in GET"}`
	tests := []struct {
		target string
		status int
		want   string
	}{
		{"/key-value-store-view", 200, `{"message":"View retrieved successfully","view":"a:1,b:1,c:1,d:1"}`},
		{shards + "shard-ids", 200, `{"message":"Shard IDs retrieved successfully","shard-ids":["1","2"]}`},
		{shards + "node-shard-id", 200, `{"message":"Shard ID of the node retrieved successfully","shard-id":"1"}`},
		{shards + "shard-id-members/2", 200, `{"message":"Members of shard ID retrieved successfully","shard-id-members":["a:1","b:1"]}`},
		{shards + "shard-id-key-count/1", 200, `{"message":"Key count of shard ID retrieved successfully","shard-id-key-count":4000}`},
		{shards + "shard-id-members/3", 404, noShard},
		{shards + "shard-id-members/", 404, noShard},
		{shards + "shard-id-members/1/", 404, noShard},
		{shards + "shard-id-members/01", 404, noShard},
		{shards + "shard-id-key-count/x", 404, noShard},
		{shards + "shard-id-key-count/-1", 404, noShard},
		{shards + "shard-id-key-count/99999999999999999999", 404, noShard},
		{"/healthz", 200, `{"message":"OK"}`},
	}
	for _, test := range tests {
		t.Run(test.target, func(t *testing.T) {
			n := fakeNode(t, viewMachine(founded(2, "a:1", "b:1", "c:1", "d:1", "e:1")), Config{})
			wantJSON(t, do(n.Handler(), "GET", test.target, ""), test.status, test.want)
		})
	}
}

// change is an administrative request, and what the machine must be asked for it.
type change struct {
	method, target, body string
	asked                core.Request
}

const addMember = "/key-value-store-shard/add-member/"

func changes() (invite, remove, add, reshard change) {
	const member = `{"socket-address":"f:1"}`
	return change{"PUT", "/key-value-store-view", member, core.Request{Op: wire.OpInvite, Member: "f:1"}},
		change{"DELETE", "/key-value-store-view", member, core.Request{Op: wire.OpRemove, Member: "f:1"}},
		change{"PUT", addMember + "2", member, core.Request{Op: wire.OpAddMember, Member: "f:1", Shard: 2}},
		change{"PUT", "/key-value-store-shard/reshard", `{"shard-count":3}`, core.Request{Op: wire.OpReshard, Count: 3}}
}

// make asks a machine that answers with response for the change.
func (c change) make(t *testing.T, response core.Response) *httptest.ResponseRecorder {
	t.Helper()
	var asked []core.Request
	n := fakeNode(t, answering(response, &asked), Config{})
	w := do(n.Handler(), c.method, c.target, c.body)
	if len(asked) != 1 || !reflect.DeepEqual(asked[0], c.asked) {
		t.Errorf("the machine is asked %+v, want %+v", asked, c.asked)
	}
	return w
}

func TestChanges(t *testing.T) {
	invite, remove, add, reshard := changes()
	declined := func(result view.Result) core.Response {
		return core.Response{Status: wire.StatusDeclined, Outcome: view.Outcome{Result: result}}
	}
	const missing = "No majority of the voters: missing b:1, c:1"
	lost := core.Response{Status: wire.StatusNoMajority, Reason: missing}
	tests := []struct {
		change
		response core.Response
		status   int
		want     string // with the error alone, if it does not begin with {
		again    bool   // says when to try again
	}{
		{invite, core.Response{Status: wire.StatusAnswered}, 201, `{"message":"Replica added successfully to the view"}`, false},
		{invite, declined(view.Exists), 404, "Socket address already exists in the view", false},
		{invite, lost, 503, missing, true},
		{invite, core.Response{Status: wire.StatusUnknown}, 503, "Outcome unknown: the change may have taken effect, or may yet", false},
		{invite, core.Response{Status: wire.StatusOverloaded}, 503, "Too many changes wait to be decided; try again later", true},
		{invite, declined(view.Ignored), 503, "The request was overtaken by a later one", true},

		{remove, core.Response{Status: wire.StatusAnswered}, 200, `{"message":"Replica deleted successfully from the view"}`, false},
		{remove, declined(view.NotFound), 404, "Socket address does not exist in the view", false},
		{remove, declined(view.LastMember), 400, "The node is the last one that holds the data of its shard", false},
		{remove, declined(view.Busy), 409, "A reshard is under way; try again when it is done", false},
		{remove, core.Response{Status: wire.StatusUnfinished}, 503, "The node is leaving: it hands over what only it holds, and is gone from the view when that is done", true},
		{remove, lost, 503, missing, true},

		{add, core.Response{Status: wire.StatusAnswered, Outcome: view.Outcome{Result: view.Done}}, 200, `{"message":"Node added to shard successfully"}`, false},
		{add, core.Response{Status: wire.StatusAnswered, Outcome: view.Outcome{Result: view.Already}}, 200, `{"message":"Node added to shard successfully"}`, false},
		{add, declined(view.NoShard), 404, "Shard ID does not exist", false},
		{add, core.Response{Status: wire.StatusNoShard}, 404, "Shard ID does not exist", false},
		{add, declined(view.NotFound), 404, "Socket address does not exist in the view", false},
		{add, declined(view.Elsewhere), 400, "The node is a member of another shard; reshard, or delete it from the view first", false},
		{add, declined(view.NotSeen), 400, "The node has not been reached since it was added to the view; try again when it is up", false},
		{add, declined(view.Down), 400, "Node is down; start it first", false},
		{add, declined(view.Leaving), 409, "The node is being deleted from the view", false},
		{add, declined(view.Busy), 409, "A reshard is under way; try again when it is done", false},
		{add, core.Response{Status: wire.StatusUnfinished}, 503, "The node is a member of the shard, and serves it as soon as it has copied the data", true},
		{add, core.Response{Status: wire.StatusRolledBack}, 503,
			"The node has not come to serve the shard: a reshard placed it anew, or it was deleted or lost its memory", true},
		{add, lost, 503, missing, true},

		{reshard, core.Response{Status: wire.StatusAnswered}, 200, `{"message":"Resharding done successfully"}`, false},
		{reshard, declined(view.TooFew), 400, `{"message":"Not enough nodes to provide fault-tolerance with the given shard count!"}`, false},
		{reshard, declined(view.Busy), 409, "A reshard is under way; try again when it is done", false},
		{reshard, core.Response{Status: wire.StatusRolledBack}, 503,
			"Resharding made no progress or lost a node that it needs; it is rolled back, every shard is as it was", true},
		{reshard, core.Response{Status: wire.StatusRolledBack, Reason: "b:1 ended"}, 503,
			"Resharding made no progress or lost a node that it needs; it is rolled back, every shard is as it was: b:1 ended", true},
		{reshard, core.Response{Status: wire.StatusUnfinished}, 503, "The change is decided, and goes on by itself", true},
		{reshard, core.Response{Status: wire.StatusUnknown, Reason: "the leader is not reached"}, 503,
			"Outcome unknown: the change may have taken effect, or may yet: the leader is not reached", false},
		{reshard, lost, 503, missing, true},
		{reshard, core.Response{Status: wire.StatusRefused, Reason: "a:1 was deleted from the view"}, 503, "a:1 was deleted from the view", false},
	}
	for _, test := range tests {
		t.Run(test.asked.Op.String()+" "+test.response.Status.String()+" "+test.want, func(t *testing.T) {
			want := test.want
			if want[0] != '{' {
				want = `{"error":"` + want + `","message":"Error in ` + test.method + `"}`
			}
			w := test.make(t, test.response)
			wantJSON(t, w, test.status, want)
			if again := w.Header().Get("Retry-After") != ""; again != test.again {
				t.Errorf("Retry-After is there: %t, want %t", again, test.again)
			}
		})
	}
}

// TestChangeInput wants bad input to be told before the machine is asked, and what is good to reach it.
func TestChangeInput(t *testing.T) {
	const view, reshard = "/key-value-store-view", "/key-value-store-shard/reshard"
	const tooMany = shard.MaxShards + 1
	var asked []core.Request
	n := fakeNode(t, answering(core.Response{Status: wire.StatusForming, Reason: "R"}, &asked), Config{})
	for _, test := range []struct {
		method, target, body string
		want                 string // the error; "" if the machine is asked
		asked                core.Request
	}{
		{"PUT", view, ``, "Socket address is missing", core.Request{}},
		{"DELETE", view, `{}`, "Socket address is missing", core.Request{}},
		{"PUT", addMember + "1", `{"address":"f:1"}`, "Socket address is missing", core.Request{}},
		{"PUT", view, `{"socket-address":7}`, "Socket address has the wrong type: a string host:port is expected", core.Request{}},
		{"DELETE", view, `{"socket-address":null}`, "Socket address has the wrong type: a string host:port is expected", core.Request{}},
		{"PUT", addMember + "x", `{"socket-address":"f"}`, "Socket address is not valid: host:port with a port from 1 to 65535 is expected", core.Request{}},
		{"PUT", reshard, `{}`, "Shard count is missing", core.Request{}},
		{"PUT", reshard, `{"shard-count":"2"}`, "Shard count is not valid: a whole number from 1 is expected", core.Request{}},
		{"PUT", reshard, `{"shard-count":0}`, "Shard count is not valid: a whole number from 1 is expected", core.Request{}},
		{"PUT", reshard, `{"shard-count":2.0}`, "Shard count is not valid: a whole number from 1 is expected", core.Request{}},

		{"PUT", view, `{"socket-address":"[::1]:80","x":1}`, "", core.Request{Op: wire.OpInvite, Member: "[::1]:80"}},
		{"DELETE", view, `{"socket-address":"f:1"}`, "", core.Request{Op: wire.OpRemove, Member: "f:1"}},
		{"PUT", addMember + "x", `{"socket-address":"f:1"}`, "", core.Request{Op: wire.OpAddMember, Member: "f:1"}},
		{"PUT", addMember + "17", `{"socket-address":"f:1"}`, "", core.Request{Op: wire.OpAddMember, Member: "f:1", Shard: 17}},
		{"PUT", reshard, `{"shard-count":1}`, "", core.Request{Op: wire.OpReshard, Count: 1}},
		{"PUT", reshard, `{"shard-count":1025}`, "", core.Request{Op: wire.OpReshard, Count: tooMany}},
		{"PUT", reshard, `{"shard-count":70000}`, "", core.Request{Op: wire.OpReshard, Count: tooMany}},
		{"PUT", reshard, `{"shard-count":9223372036854775809}`, "", core.Request{Op: wire.OpReshard, Count: tooMany}},
		{"PUT", reshard, `{"shard-count":99999999999999999999}`, "", core.Request{Op: wire.OpReshard, Count: tooMany}},
		{"GET", reshard, ``, "", core.Request{Op: wire.OpProgress}},
	} {
		asked = nil
		w := do(n.Handler(), test.method, test.target, test.body)
		if test.want != "" {
			wantJSON(t, w, 400, `{"error":"`+test.want+`","message":"Error in `+test.method+`"}`)
		}
		if want := test.want == ""; want != (len(asked) == 1) || want && !reflect.DeepEqual(asked[0], test.asked) {
			t.Errorf("%s %s %s: the machine is asked %+v, want %+v", test.method, test.target, test.body, asked, test.asked)
		}
	}
}

func TestReshardProgress(t *testing.T) {
	for phase, name := range map[core.Phase]string{core.PhaseIdle: "idle", core.PhaseCopying: "copying", core.PhaseSwitched: "switched"} {
		var asked []core.Request
		progress := core.Progress{Phase: phase, Moved: 40, ToMove: 1 << 40}
		n := fakeNode(t, answering(core.Response{Status: wire.StatusAnswered, Progress: progress}, &asked), Config{})
		wantJSON(t, do(n.Handler(), "GET", "/key-value-store-shard/reshard", ""), 200,
			`{"message":"Resharding status retrieved successfully","phase":"`+name+`","keys-moved":40,"keys-to-move":1099511627776}`)
	}
}

// TestChangeGivenUp loses the client of a change.
func TestChangeGivenUp(t *testing.T) {
	n := fakeNode(t, &fakeMachine{}, Config{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r := httptest.NewRequestWithContext(ctx, "PUT", "/key-value-store-shard/reshard", strings.NewReader(`{"shard-count":1}`))
	w := httptest.NewRecorder()
	n.Handler().ServeHTTP(w, r)
	wantJSON(t, w, 503, `{"error":"Outcome unknown: the change may have taken effect, or may yet","message":"Error in PUT"}`)
	if got := n.engine.requests.ended[countedAdministration][outcomeUnknown].Load(); got != 1 {
		t.Errorf("%d changes of unknown outcome are counted", got)
	}
}

// TestLongChange has a change take longer than the server gives any other request.
func TestLongChange(t *testing.T) {
	asked := make(chan core.RequestID, 1)
	var id core.RequestID
	m := &fakeMachine{onStep: func(input core.Input, out *core.Output) {
		switch input.Kind {
		case core.InputRequest:
			id = input.Request.ID
			asked <- id
		case core.InputMessage:
			out.Replies = append(out.Replies, core.Response{ID: id, Status: wire.StatusAnswered})
		}
	}}
	n := fakeNode(t, m, Config{})
	server := n.newServer()
	server.ReadTimeout, server.WriteTimeout = 50*time.Millisecond, 50*time.Millisecond
	listener := listen(t)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	c := connect(t, listener.Addr().String())
	const body = `{"shard-count":3}`
	c.say(fmt.Sprintf("PUT /key-value-store-shard/reshard HTTP/1.1\r\nHost: n\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	<-asked
	time.Sleep(4 * server.WriteTimeout)
	_ = n.engine.receive([]*wire.Message{heartbeat(1)})
	if line, err := c.reader.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 200 ") {
		t.Errorf("%q %v", line, err)
	}
	server.giveUp()
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
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
