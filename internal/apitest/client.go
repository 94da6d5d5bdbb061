package apitest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A Client sends requests to nodes, each known by its base URL. The zero value
// is of no use.
type Client struct {
	ctx  context.Context
	http *http.Client
}

// NewClient makes a client whose requests end with ctx, and after 40 s. It
// follows no redirect.
func NewClient(ctx context.Context, transport http.RoundTripper) Client {
	return Client{ctx: ctx, http: &http.Client{
		Transport:     transport,
		Timeout:       40 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Try sends a request; header is a list of names and values. A body that is
// not a JSON object is an error, unless there must be none.
func (c Client) Try(url, method, path, body string, header ...string) (a Answer, err error) {
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
	a = Answer{Status: response.StatusCode, Text: string(raw), Header: response.Header}
	if method == http.MethodHead || a.Status == http.StatusNoContent {
		return a, nil
	}
	if err := json.Unmarshal(raw, &a.Members); err != nil {
		return a, fmt.Errorf("%s %.100s answers %v: %w", method, path, a, err)
	}
	return a, nil
}

// Ask is Try that must succeed.
func (c Client) Ask(t *testing.T, url, method, path, body string, header ...string) Answer {
	t.Helper()
	a, err := c.Try(url, method, path, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Until sends GET until ok, for at most limit.
func (c Client) Until(t *testing.T, limit time.Duration, url, path string, ok func(Answer) bool) {
	t.Helper()
	deadline, ticker := time.After(limit), time.NewTicker(20*time.Millisecond)
	defer ticker.Stop()
	for {
		a, err := c.Try(url, http.MethodGet, path, "")
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
