package apitest

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestCheck breaks a right answer in every way.
func TestCheck(t *testing.T) {
	const right, want = `{"value":1.10,"causal-metadata":"t"}`, `{"causal-metadata":"*","value":1.10}`
	right405 := Refused("no such method", "PUT")
	tests := []struct {
		name               string
		status             int
		text, token, allow string
		wantStatus         int
		want, complaint    string
	}{
		{"right", 200, right, "t", "", 200, want, ""},
		{"other status", 201, right, "t", "", 200, want, "status is 201"},
		{"other digits", 200, `{"value":1.1,"causal-metadata":"t"}`, "t", "", 200, want, "want 200"},
		{"member too many", 200, `{"value":1.10,"causal-metadata":"t","x":0}`, "t", "", 200, want, "want 200"},
		{"another member", 200, `{"valeu":1.10,"causal-metadata":"t"}`, "t", "", 200, want, "want 200"},
		{"empty text", 200, `{"value":1.10,"causal-metadata":""}`, "", "", 200, want, "want 200"},
		{"no text", 200, `{"value":1.10,"causal-metadata":17}`, "", "", 200, want, "in the body"},
		{"other token", 200, right, "u", "", 200, want, `"u" in the header`},
		{"right refusal", 405, right405, "", "GET, OPTIONS", 405, Refused("*", "PUT"), ""},
		{"no methods", 405, right405, "", "", 405, Refused("*", "PUT"), "Allow"},
		{"methods", 200, right, "t", "GET, OPTIONS", 200, want, "Allow"},
		{"nothing", 200, "", "t", "", 200, "", ""},
		{"a body", 200, right, "t", "", 200, "", "body"},
		{"wrong expectation", 200, right, "t", "", 200, "{", "expectation"},
	}
	for _, test := range tests {
		a := Answer{Status: test.status, Text: test.text, Header: http.Header{}}
		for name, value := range map[string]string{TokenHeader: test.token, "Allow": test.allow, "Content-Type": "application/json"} {
			a.Header.Set(name, value)
		}
		if test.text != "" {
			if err := json.Unmarshal([]byte(test.text), &a.Members); err != nil {
				t.Fatal(err)
			}
		}
		err := a.Check(test.wantStatus, test.want)
		if (err == nil) != (test.complaint == "") || err != nil && !strings.Contains(err.Error(), test.complaint) {
			t.Errorf("%s: %v, want a complaint about %q", test.name, err, test.complaint)
		}
	}
	plain := Answer{Status: 200, Text: "{}", Header: http.Header{}}
	if err := plain.Check(200, "{}"); err == nil || !strings.Contains(err.Error(), "Content-Type") {
		t.Errorf("an answer without Content-Type: %v", err)
	}
}

// TestEveryRowIsThereOnce compares what is sent and what must come back; a row
// of keys differs from another one by what has been sent before.
func TestEveryRowIsThereOnce(t *testing.T) {
	limits := Limits{KeyLength: 50, ValueSize: 10_000}
	for name, rows := range map[string][]Row{
		"bad input": BadInput(limits), "values": Values(limits), "key bytes": KeyBytes(limits),
		"view and shards": viewAndShards(), "administration": administration(), "peers": peers(), "forming": Forming("x"), "deleted": Deleted(),
	} {
		seen := map[[5]string]bool{}
		for _, r := range rows {
			request := [5]string{r.Method, r.Path, r.Body, r.Token, r.Want}
			if seen[request] {
				t.Errorf("%s: %.200q is there twice", name, request)
			}
			seen[request] = true
		}
	}
}
