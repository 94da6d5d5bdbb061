package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// tour asks a store and prints what a person would type, what came back, and whether that is as
// expected. After the first surprise it asks nothing more.
type tour struct {
	ctx       context.Context
	out       io.Writer
	client    http.Client
	addresses []string
	token     string // what the next request sends as $T
	failed    bool
}

func newTour(ctx context.Context, out io.Writer, addresses []string) *tour {
	return &tour{ctx: ctx, out: out, addresses: addresses, client: http.Client{Transport: &http.Transport{}}}
}

func (t *tour) close() { t.client.CloseIdleConnections() }

// answer is a JSON object that a node sent.
type answer struct {
	status  int
	members map[string]any
}

// token is the causal-metadata of the answer.
func (a answer) token() string {
	text, _ := a.members["causal-metadata"].(string)
	return text
}

func (t *tour) say(format string, args ...any) {
	if !t.failed {
		fmt.Fprintf(t.out, "\n"+format+"\n", args...)
	}
}

// shorten writes the current token as $T.
func (t *tour) shorten(text string) string {
	if t.token == "" {
		return text
	}
	return strings.ReplaceAll(text, t.token, "$T")
}

// ask sends a request without a token to a node, counted from 1, and prints both sides.
func (t *tour) ask(node int, method, path, body string) answer {
	return t.exchange(node, method, path, body, "")
}

// askWithToken sends the current token along, in the header.
func (t *tour) askWithToken(node int, method, path, body string) answer {
	return t.exchange(node, method, path, body, t.token)
}

func (t *tour) exchange(node int, method, path, body, token string) answer {
	if t.failed {
		return answer{}
	}
	url := "http://" + t.addresses[node-1] + path
	fmt.Fprintf(t.out, "  $ curl %s%s\n", curlOptions(method, body, token != ""), url)
	a, text, err := t.send(method, url, body, token)
	if err != nil {
		t.failed = true
		fmt.Fprintf(t.out, "  no answer: %v\n", err)
		return answer{}
	}
	fmt.Fprintf(t.out, "    %d %s\n", a.status, shortenTokens(t.shorten(text), a.token()))
	return a
}

func curlOptions(method, body string, token bool) string {
	var options string
	if method != http.MethodGet || body != "" { // with a body curl would send POST
		options = "-X " + method + " "
	}
	if token {
		options += `-H "X-Causal-Metadata: $T" `
	}
	if body != "" {
		options += "-d '" + body + "' "
	}
	return options
}

// shortenTokens cuts a token that was not seen before.
func shortenTokens(text, token string) string {
	const kept = 6
	if len(token) <= 2*kept {
		return text
	}
	return strings.ReplaceAll(text, token, token[:kept]+"…"+token[len(token)-kept:])
}

func (t *tour) send(method, url, body, token string) (a answer, text string, err error) {
	const patience = time.Minute // an administrative request is answered after 40 s at the latest
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return a, "", err
	}
	if token != "" {
		request.Header.Set("X-Causal-Metadata", token)
	}
	response, err := t.client.Do(request)
	if err != nil {
		return a, "", err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return a, "", err
	}
	a.status = response.StatusCode
	return a, string(raw), json.Unmarshal(raw, &a.members)
}

// expect checks the status and members of an answer, given as names and values.
func (t *tour) expect(a answer, status int, members ...any) {
	if t.failed {
		return
	}
	if a.status != status {
		t.surprise("status %d", status)
	}
	for i := 0; i < len(members); i += 2 {
		got, _ := json.Marshal(a.members[members[i].(string)])
		want, _ := json.Marshal(members[i+1])
		if !bytes.Equal(got, want) {
			t.surprise("%s = %s", members[i], want)
		}
	}
}

func (t *tour) surprise(format string, args ...any) {
	t.failed = true
	fmt.Fprintf(t.out, "    UNEXPECTED: want "+format+"\n", args...)
}

// remember makes the token of an answer the current one.
func (t *tour) remember(a answer) {
	if t.failed {
		return
	}
	if t.token = a.token(); t.token == "" {
		t.surprise("causal-metadata")
		return
	}
	fmt.Fprintf(t.out, "  $ T=%s\n", t.token)
}

// until asks silently until ok, for at most the given time.
func (t *tour) until(node int, path string, limit time.Duration, ok func(answer) bool) {
	ctx, cancel := context.WithTimeout(t.ctx, limit)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for !t.failed {
		a, _, err := t.send(http.MethodGet, "http://"+t.addresses[node-1]+path, "", "")
		if err == nil && ok(a) {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.surprise("another answer from %s within %v", path, limit)
		}
	}
}
