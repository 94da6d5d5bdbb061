package httpnode

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/hlc"
	"github.com/sequitur-kv/sequitur/httpnode/backup"
)

// readableLog is a log that keeps nothing, and shows what a test wants.
type readableLog struct {
	memoryLog
	show atomic.Pointer[shown]
}

type shown = func(begin func(core.Position) error, record func(core.Record) error) error

func (l *readableLog) Snapshot(_ context.Context, begin func(core.Position) error, record func(core.Record) error) error {
	return (*l.show.Load())(begin, record)
}

func TestBackup(t *testing.T) {
	saved := core.Saved{Key: "x", Value: []byte("1"), Time: hlc.At(5)}
	trouble := errors.New("the disk is on fire")
	log := &readableLog{}
	n := watched(t, Config{Log: log}, nil)
	server := httptest.NewServer(n.Handler())
	t.Cleanup(server.Close)
	get := func() (int, string, []byte, error) {
		response, err := server.Client().Get(server.URL + backupPath)
		if err != nil {
			return 0, "", nil, err
		}
		text, err := io.ReadAll(response.Body)
		return response.StatusCode, response.Header.Get("Content-Type"), text, errors.Join(err, response.Body.Close())
	}
	show := func(s shown) { log.show.Store(&s) }
	busy := make(chan int, 1)
	show(func(begin func(core.Position) error, record func(core.Record) error) error {
		if err := begin(7); err != nil {
			return err
		}
		status, _, text, _ := get()
		if busy <- status; !bytes.Contains(text, []byte("Another backup of this node is being read")) {
			t.Errorf("the second one: %s", text)
		}
		return errors.Join(record(core.ImportRecord(1, &saved)), record(core.ImportsEnd(1)[0]), record(core.ImportsEnd(1)[1]))
	})
	status, kind, text, err := get()
	if status != 200 || kind != "application/octet-stream" || err != nil || <-busy != 503 {
		t.Errorf("%d %s %v", status, kind, err)
	}
	r, err := backup.NewReader(bytes.NewReader(text))
	if err != nil || r.Header.Position != 7 || r.Header.Address != testAddress || r.Header.Cluster == "" || r.Header.Expected != 7 {
		t.Fatalf("%v %+v", err, r)
	}
	if got, err := r.Next(); err != nil || got.Key != "x" || string(got.Value) != "1" || got.Time != saved.Time {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	show(func(func(core.Position) error, func(core.Record) error) error { return trouble })
	if status, _, text, _ := get(); status != 503 || !strings.Contains(string(text), "The disk is on fire") {
		t.Errorf("%d %s", status, text)
	}
	show(func(begin func(core.Position) error, _ func(core.Record) error) error {
		return errors.Join(begin(7), trouble)
	})
	if _, _, text, err := get(); err == nil {
		t.Errorf("broken off: %q", text)
	}
	show(func(begin func(core.Position) error, record func(core.Record) error) error {
		return errors.Join(begin(7), record(core.Record{Key: []byte("v"), Value: []byte("?")}))
	})
	if _, _, text, err := get(); err == nil {
		t.Errorf("a record that cannot be read: %q", text)
	}
}

func TestNoBackup(t *testing.T) {
	n := watched(t, Config{}, nil)
	if w := do(n.Handler(), http.MethodGet, backupPath, ""); w.Code != 409 || !strings.Contains(w.Body.String(), "This node keeps nothing on disk") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	unstarted, err := New(Config{Machine: core.Config{Address: testAddress}, Log: &readableLog{}})
	if err != nil {
		t.Fatal(err)
	}
	if w := do(unstarted.Handler(), http.MethodGet, backupPath, ""); w.Code != 503 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// slowLog is a log that has read back some records, and goes on.
type slowLog struct{ memoryLog }

func (slowLog) Restored() uint64 { return 400_000 }

// TestStarting wants everybody told how far a node is with what it had stored.
func TestStarting(t *testing.T) {
	n, err := New(Config{Machine: core.Config{Address: testAddress}, Log: slowLog{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{readyPath, keyPrefix + "x", "/key-value-store-view"} {
		w := do(n.Handler(), "GET", path, "")
		if w.Code != 503 || !strings.Contains(w.Body.String(), "The node is starting: 400,000 records are read back") || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// TestReadyAfterRestore wants a node that restores to be served from, and not to be ready.
func TestReadyAfterRestore(t *testing.T) {
	m := &fakeMachine{configuration: founded(1, testAddress, "a:1", "b:1"), figures: core.Figures{Restored: 40_000, ToRestore: 1_000_000}}
	n := fakeNode(t, m, Config{})
	if w := do(n.Handler(), "GET", readyPath, ""); w.Code != 503 || !strings.Contains(w.Body.String(), "Node is restoring: 40,000 of 1,000,000 keys are in the store") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if s := n.Status(); !s.Serving || s.Obstacle != "" || s.Restored != 40_000 || s.ToRestore != 1_000_000 {
		t.Errorf("%+v", s)
	}
	m.figures = core.Figures{}
	if w := do(n.Handler(), "GET", readyPath, ""); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
