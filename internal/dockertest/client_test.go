//go:build docker

package dockertest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Paths of the API.
const (
	keysPath   = "/key-value-store/"
	viewPath   = "/key-value-store-view"
	shardsPath = "/key-value-store-shard/"
)

const tokenHeader = "X-Causal-Metadata"

// client sends requests to nodes by their base URL.
type client struct {
	ctx  context.Context
	http *http.Client
}

func newClient(ctx context.Context) client {
	return client{ctx: ctx, http: &http.Client{
		// A connection that was kept would outlive the network that it went through.
		Transport:     &http.Transport{DisableKeepAlives: true},
		Timeout:       40 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answer is a response.
type answer struct {
	status  int
	text    string
	members map[string]any // of the JSON object that the body is
	header  http.Header
}

func (a answer) String() string { return fmt.Sprintf("%d %.400s", a.status, a.text) }

// token is what the client should send next.
func (a answer) token() string { return a.header.Get(tokenHeader) }

// try sends a request; header is a list of names and values. A body that is
// not JSON is an error.
func (c client) try(url, method, path, body string, header ...string) (a answer, err error) {
	request, err := http.NewRequestWithContext(c.ctx, method, url+path, strings.NewReader(body))
	if err != nil {
		return a, err
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Add(header[i], header[i+1])
	}
	response, err := c.http.Do(request)
	if err != nil {
		return a, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return a, err
	}
	a = answer{status: response.StatusCode, text: string(raw), header: response.Header}
	if method == http.MethodHead || a.status == http.StatusNoContent {
		return a, nil
	}
	if err := json.Unmarshal(raw, &a.members); err != nil {
		return a, fmt.Errorf("%s %s answers %v: %w", method, path, a, err)
	}
	return a, nil
}

// ask is try that must succeed.
func (c client) ask(t *testing.T, url, method, path, body string, header ...string) answer {
	t.Helper()
	a, err := c.try(url, method, path, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// until asks until ok, for at most limit.
func (c client) until(t *testing.T, limit time.Duration, url, path string, ok func(answer) bool) {
	t.Helper()
	deadline, ticker := time.After(limit), time.NewTicker(50*time.Millisecond)
	defer ticker.Stop()
	for {
		a, err := c.try(url, http.MethodGet, path, "")
		if err == nil && ok(a) {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("GET %s%s still answers %v (error: %v) after %v", url, path, a, err, limit)
		}
	}
}

// check compares an answer with a status and the members of a JSON object.
// The member causal-metadata must equal the header; "*" stands for any text
// but "". A want of "" is no body at all.
func (a answer) check(status int, want string) error {
	if a.status != status {
		return fmt.Errorf("status is %d, want %d", a.status, status)
	}
	if want == "" {
		if a.text != "" {
			return fmt.Errorf("it has a body")
		}
		return nil
	}
	if got := a.header.Get("Content-Type"); got != "application/json" {
		return fmt.Errorf("Content-Type is %q", got)
	}
	var members map[string]any
	if err := json.Unmarshal([]byte(want), &members); err != nil {
		return fmt.Errorf("the row is wrong: %w: %s", err, want)
	}
	for name, value := range members {
		if text, ok := a.members[name].(string); value == "*" && ok && text != "" {
			members[name] = text
		}
	}
	if token, ok := a.members["causal-metadata"]; ok && token != a.token() {
		return fmt.Errorf("the token is %q in the body, %q in the header", token, a.token())
	}
	if allow := a.header.Get("Allow"); (a.status == http.StatusMethodNotAllowed) != (allow != "") {
		return fmt.Errorf("Allow is %q", allow)
	}
	if !reflect.DeepEqual(a.members, members) {
		return fmt.Errorf("want %d %s", status, want)
	}
	return nil
}
