package httpnode

import (
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// watched is a node of a store of three in one shard, whose machine says what a test wants.
func watched(t *testing.T, config Config, onStep func(core.Input, *core.Output)) *Node {
	first := shard.Initial(2).SlotsOf(1)
	m := &fakeMachine{
		configuration: founded(1, testAddress, "a:1", "b:1"), down: 1, onStep: onStep,
		have: causal.Coverage{
			{Slots: first, Vector: causal.Vector{{Replica: 1, Seq: 7}, {Replica: 2, Seq: 9}}},
			{Slots: shard.Initial(2).SlotsOf(2), Vector: causal.Vector{{Replica: 2, Seq: 11}, {Replica: 3, Seq: 4}}},
		},
		figures: core.Figures{
			Keys: 5, Tombstones: 2, Waiting: 4, WaitingBytes: 100, Parked: 3, Outstanding: 1, Held: 6, Copying: true,
			Progress: core.Progress{Phase: core.PhaseCopying, Moved: 8, ToMove: 11}, Voters: 3, VotersUp: 2, Leader: testAddress,
		},
	}
	return fakeNode(t, m, config)
}

// wantMetrics wants each of these lines, without the prefix sequitur_, exactly once.
func wantMetrics(t *testing.T, n *Node, lines ...string) string {
	t.Helper()
	w := do(n.Handler(), "GET", "/metrics", "")
	text := w.Body.String()
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, text)
	}
	for _, line := range lines {
		if got := strings.Count(text, "\nsequitur_"+line+"\n"); got != 1 {
			t.Errorf("%d times %q", got, line)
		}
	}
	return text
}

func TestMetrics(t *testing.T) {
	statuses := []wire.Status{wire.StatusFound, wire.StatusBadToken, wire.StatusUnknown, wire.StatusCreated, wire.StatusNotFound}
	n := watched(t, Config{}, func(input core.Input, out *core.Output) {
		if input.Kind != core.InputRequest {
			return
		}
		out.Replies = append(out.Replies, core.Response{ID: input.Request.ID, Status: statuses[0], Shard: 1})
		statuses = statuses[1:]
		out.Probes = append(out.Probes, core.ProbeParked)
		for _, final := range []bool{true, false, false} {
			out.Sends = append(out.Sends, core.Send{To: "127.0.0.1:1", Message: &wire.Message{From: 1, To: 2, Body: &wire.Forward{Final: final, Op: wire.OpGet}}})
		}
	})
	const key = "/key-value-store/x"
	do(n.Handler(), "GET", key, "")
	do(n.Handler(), "GET", key, "")
	do(n.Handler(), "PUT", key, `{"value":1}`)
	do(n.Handler(), "PUT", key, `{"value":1}`)
	do(n.Handler(), "DELETE", key, "")
	do(n.Handler(), "PUT", key, `{}`)
	text := wantMetrics(t, n,
		`requests_total{operation="get",outcome="found"} 1`, `requests_total{operation="get",outcome="bad_token"} 1`,
		`requests_total{operation="put",outcome="outcome_unknown"} 1`, `requests_total{operation="put",outcome="created"} 1`,
		`requests_total{operation="put",outcome="invalid"} 1`, `requests_total{operation="delete",outcome="not_found"} 1`,
		`requests_total{operation="other",outcome="answered"} 0`, `request_duration_seconds_count{operation="put"} 2`,
		`request_duration_seconds_bucket{operation="get",le="+Inf"} 2`,
		`indeterminate_total 1`, `tokens_refused_total 1`, `parked_total 5`, `proxied_total 5`, `forwarded_total 10`,
		`situations_total{name="wait.parked"} 5`, `serving 1`, `epoch 1`, `members_up 2`, `keys 5`, `tombstones 2`,
		`waiting_requests 4`, `waiting_bytes 100`, `parked_requests 3`, `held_writes 6`, `copying 1`,
		`peer_up{peer="a:1"} 0`, `peer_up{peer="b:1"} 1`, `replication_lag{peer="a:1"} 10`, `replication_lag{peer="b:1"} 20`,
		`members{state="serving"} 3`, `members{state="learning"} 0`, `members{state="unassigned"} 0`, `members{state="invited"} 0`, `members{state="leaving"} 0`,
		`voters 3`, `voters_up 2`, `leader 1`,
		`reshard_phase{phase="idle"} 0`, `reshard_phase{phase="copying"} 1`, `reshard_phase{phase="switched"} 0`, `reshard_keys_moved 8`, `reshard_keys_to_move 11`,
		`requests_total{operation="administration",outcome="declined"} 0`, `requests_total{operation="administration",outcome="answered"} 0`,
	)
	var never []string // met, but known from the beginning
	for _, probe := range core.Probes() {
		if probe != core.ProbeParked {
			never = append(never, `situations_total{name="`+string(probe)+`"} 0`)
		}
	}
	wantMetrics(t, n, never...)
	for _, also := range []string{"go_goroutines", "process_resident_memory_bytes", `sequitur_peer_queue_bytes{peer="127.0.0.1:1"}`} {
		if !strings.Contains(text, "\n"+also) {
			t.Errorf("no %s", also)
		}
	}
	for _, not := range []string{
		`outcome="waiting"`, `outcome="uncovered"`, `outcome="moved"`, `outcome=""`, `operation="put",outcome="declined"`, `operation="other",outcome="rolled_back"`,
	} {
		if strings.Contains(text, not) {
			t.Errorf("%s is exported", not)
		}
	}
}

// TestMetricsInText wants every metric named in SPEC.md, and every name there to exist.
func TestMetricsInText(t *testing.T) {
	spec, err := os.ReadFile("../SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(spec), "\n## 16. Metrics\n")
	if !found {
		t.Fatal("SPEC.md has no section 16")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var named []string
	for _, row := range strings.Split(section, "\n") {
		if cells := strings.Split(row, "|"); len(cells) > 3 {
			for _, match := range regexp.MustCompile("`([a-z_]+)").FindAllStringSubmatch(cells[1], -1) {
				named = append(named, match[1])
			}
		}
	}
	_, address := served(t, nil, Config{})
	c := connect(t, address)
	c.say("GET /metrics HTTP/1.0\r\n\r\n")
	var exported []string
	for line, err := c.reader.ReadString('\n'); err == nil; line, err = c.reader.ReadString('\n') {
		if name, ok := strings.CutPrefix(line, "# TYPE sequitur_"); ok {
			exported = append(exported, strings.Fields(name)[0])
		}
	}
	for _, name := range exported {
		if !slices.Contains(named, name) {
			t.Errorf("SPEC.md does not name %s", name)
		}
	}
	// Those of peers come with the first one.
	for _, name := range named {
		if !slices.Contains(exported, name) && !strings.HasPrefix(name, "peer_") && name != "replication_lag" {
			t.Errorf("%s is not exported", name)
		}
	}
}

func TestStatus(t *testing.T) {
	n := watched(t, Config{}, nil)
	w := do(n.Handler(), "GET", "/sequitur/status", "")
	var got Status
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 {
		t.Fatal(w.Code, w.Body, err)
	}
	if !got.Serving || got.Address != testAddress || got.Epoch != 1 || len(got.Cluster) != 16 || got.Life != "0000000000000abc" ||
		got.Shard != "1" || got.Keys != 5 || got.Waiting != 4 || got.Have["1"] != 7 || got.Have["2"] != 9 || got.Have["3"] != 4 || len(got.Have) != 3 || !got.Volatile {
		t.Errorf("%+v", got)
	}
	if want := (ReshardStatus{Phase: "copying", Moved: 8, ToMove: 11}); got.Reshard != want || got.Leader != testAddress || got.Voters != 3 {
		t.Errorf("%+v", got)
	}
	want := []MemberStatus{
		{Address: testAddress, State: "serving", Shard: "1", Replica: 1, Up: true},
		{Address: "a:1", State: "serving", Shard: "1", Replica: 2, Silent: 1, Full: true, Unconfirmed: 10},
		{Address: "b:1", State: "serving", Shard: "1", Replica: 3, Up: true, Silent: 2, Unconfirmed: 20},
	}
	if !slices.Equal(got.Members, want) {
		t.Errorf("members %+v, want %+v", got.Members, want)
	}
}

// TestMemberStates applies entries to a configuration: the figures of a member are its own whatever its index.
func TestMemberStates(t *testing.T) {
	m := &fakeMachine{configuration: founded(1, testAddress, "c:1"), down: -1}
	n := fakeNode(t, m, Config{})
	index, number := m.configuration.Index, uint64(0)
	apply := func(entry view.Entry) {
		t.Helper()
		if operation, ok := entry.(view.Request); ok {
			number++
			operation.By, operation.Number = 1, number
			entry = operation
		}
		index++
		next, outcome := m.configuration.Apply(index, entry)
		if outcome.Result != view.Done {
			t.Fatalf("%+v: %v", entry, outcome.Result)
		}
		m.configuration = next
	}
	states := func() (all string) {
		for _, member := range n.Status().Members {
			all += member.Address + " " + member.State + " " + member.Shard + " " + strconv.FormatUint(member.Silent, 10) + "\n"
		}
		return all
	}
	apply(view.Request{Operation: view.Invite{Address: "a:1"}})
	apply(view.Request{Operation: view.Invite{Address: "b:1"}})
	apply(view.Enter{Address: "b:1", Life: 7})
	if want, got := testAddress+" serving 1 0\na:1 invited  1\nb:1 unassigned  2\nc:1 serving 1 3\n", states(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	apply(view.Request{Operation: view.AddMember{Address: "b:1", Shard: 1}})
	apply(view.Request{Operation: view.Remove{Address: "a:1"}})
	apply(view.Request{Operation: view.Remove{Address: "c:1"}})
	if want, got := testAddress+" serving 1 0\nb:1 learning 1 1\nc:1 leaving  2\n", states(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	wantMetrics(t, n, `members{state="learning"} 1`, `members{state="leaving"} 1`, `members{state="serving"} 1`, `members{state="invited"} 0`, `members_up 3`,
		`replication_lag{peer="b:1"} 10`, `peer_up{peer="c:1"} 1`)
}

// TestReady goes through the states of a node.
func TestReady(t *testing.T) {
	m := &fakeMachine{obstacle: "Cluster is forming: 1 of 2 nodes seen; missing b:1"}
	n := fakeNode(t, m, Config{})
	wantJSON(t, do(n.Handler(), "GET", "/readyz", ""), 503, `{"error":"Cluster is forming: 1 of 2 nodes seen; missing b:1","message":"Error in GET"}`)
	m.obstacle = ""
	wantJSON(t, do(n.Handler(), "GET", "/readyz", ""), 200, `{"message":"OK"}`)
	n.draining.Store(true)
	wantJSON(t, do(n.Handler(), "GET", "/readyz", ""), 503, `{"error":"The node is shutting down","message":"Error in GET"}`)
	n.draining.Store(false)
	n.engine.close()
	w := do(n.Handler(), "GET", "/readyz", "")
	wantJSON(t, w, 503, `{"error":"The node is shutting down","message":"Error in GET"}`)
	var status Status
	if err := json.Unmarshal(do(n.Handler(), "GET", "/sequitur/status", "").Body.Bytes(), &status); err != nil || status.Serving || status.Obstacle == "" {
		t.Errorf("%+v %v", status, err)
	}
	wantMetrics(t, n, "serving 0", "epoch 0")
}

func TestRequestIDs(t *testing.T) {
	n := realNode(t, Config{})
	if got := do(n.Handler(), "GET", "/key-value-store/x", "").Header()[idHeader]; got != nil {
		t.Errorf("got %q for a request that nobody names or logs", got)
	}
	n = realNode(t, Config{Logger: slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	for _, sent := range []string{"abc-1", strings.Repeat("x", maxRequestID), "~!#"} {
		if got := do(n.Handler(), "GET", "/key-value-store/x", "", idHeader, sent).Header()[idHeader]; len(got) != 1 || got[0] != sent {
			t.Errorf("sent %q, got %q", sent, got)
		}
	}
	made := map[string]bool{}
	for _, sent := range []string{"", "a b", "a\"b", "a\\b", "é", "a\tb", strings.Repeat("x", maxRequestID+1)} {
		got := do(n.Handler(), "PUT", "/key-value-store/x", "{}", idHeader, sent).Header().Get(idHeader)
		if got == sent || !isRequestID(got) || made[got] {
			t.Errorf("sent %q, got %q", sent, got)
		}
		made[got] = true
	}
}

// TestRequestLog follows a write from its line to the one about its dot.
func TestRequestLog(t *testing.T) {
	lines := new(logLines)
	n := realNode(t, Config{Logger: slog.New(slog.NewTextHandler(lines, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	do(n.Handler(), "PUT", "/key-value-store/some-key", `{"value":1}`, idHeader, "my-request")
	do(n.Handler(), "GET", "/key-value-store/"+strings.Repeat("k", 2000), "", idHeader, "long")
	text := lines.text.String()
	life := n.Status().Life
	for _, want := range []string{
		`msg="write accepted" node=` + testAddress + ` dot=1.1 life=` + life + ` request=1`,
		`request_id=my-request method=PUT path=/key-value-store/some-key status=201 duration=`,
		`op=PUT key=some-key request=1 outcome=created dot=1.1`,
		`op=GET key=` + strings.Repeat("k", 256) + `… request=2 outcome="not found" dot=-`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the log has no %q:\n%s", want, text)
		}
	}
}

func TestHistogram(t *testing.T) {
	var h histogram
	for _, d := range []time.Duration{0, durationBounds[0], durationBounds[0] + 1, time.Second, time.Hour} {
		h.observe(d)
	}
	if h.buckets[0].Load() != 2 || h.buckets[1].Load() != 1 || h.buckets[len(durationBounds)].Load() != 1 || h.total.Load() < int64(time.Hour) {
		t.Errorf("%+v", &h)
	}
	if !slices.IsSorted(durationBounds[:]) {
		t.Error("the bounds do not ascend")
	}
}
