// Package apitest holds what every store must answer through the HTTP API, as
// data, for tests of real nodes: whoever has started six of them plays the
// rows. It knows neither how they were started nor how they are built.
package apitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// TokenHeader is the header that carries causal metadata both ways.
const TokenHeader = "X-Causal-Metadata"

// An Answer is a response.
type Answer struct {
	Status  int
	Text    string         // the body
	Members map[string]any // of the JSON object that the body is, nil if there is none
	Header  http.Header
}

// Token is the causal metadata that the client should send next.
func (a Answer) Token() string { return a.Header.Get(TokenHeader) }

// String shortens the body.
func (a Answer) String() string { return fmt.Sprintf("%d %.400s", a.Status, a.Text) }

// Check compares an answer with a status and the members of a JSON object, in
// any order but byte for byte, so that numbers keep their digits; "*" stands
// for any text but "". A want of "" is no body at all. In any case the token of
// the body must be that of the header, and methods must be listed when another
// one was wrong or when they were asked for.
func (a Answer) Check(status int, want string) error {
	if a.Status != status {
		return fmt.Errorf("status is %d, want %d %.400s", a.Status, status, want)
	}
	lists := status == http.StatusMethodNotAllowed || status == http.StatusNoContent
	if allow := a.Header.Get("Allow"); lists != strings.Contains(allow, http.MethodOptions) {
		return fmt.Errorf("header Allow is %q", allow)
	}
	if want == "" {
		if a.Text != "" {
			return fmt.Errorf("it has a body")
		}
		return nil
	}
	if got := a.Header.Get("Content-Type"); got != "application/json" {
		return fmt.Errorf("header Content-Type is %q", got)
	}
	if token, ok := a.Members["causal-metadata"]; ok && token != a.Token() {
		return fmt.Errorf("the token is %q in the body, %q in the header", token, a.Token())
	}
	var wanted, got map[string]json.RawMessage
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		return fmt.Errorf("the expectation is no JSON object: %w: %.400s", err, want)
	}
	if err := json.Unmarshal([]byte(a.Text), &got); err != nil {
		return fmt.Errorf("the body is no JSON object: %w", err)
	}
	same := len(got) == len(wanted)
	for name, value := range wanted {
		same = same && matches(got[name], value)
	}
	if !same {
		return fmt.Errorf("want %d %.400s", status, want)
	}
	return nil
}

// matches compares a member, nil if it is absent, with what it should be.
func matches(got, want json.RawMessage) bool {
	if string(want) == `"*"` {
		return len(got) > len(`""`) && got[0] == '"'
	}
	return bytes.Equal(got, want)
}
