package httpnode

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestScanMembers(t *testing.T) {
	nested := func(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }
	many := func(last string) string {
		var b strings.Builder
		for i := range 100 {
			fmt.Fprintf(&b, `"m%d":0,`, i)
		}
		return `{"value":{` + b.String() + last + `:1}}`
	}
	tests := []struct {
		name, text string
		value      string // compacted; "" with no error: absent
		err        string
	}{
		{"empty object", `{}`, "", ""},
		{"other members", `{"a":[1,{"b":null}],"c":"d"}`, "", ""},
		{"string", `{"value":"x"}`, `"x"`, ""},
		{"null is a value", `{"value":null}`, `null`, ""},
		{"white space goes", " {\t\"value\" :\n [ 1 ,\r { \"a b\" : \" \\\" \" } ] } ", `[1,{"a b":" \" "}]`, ""},
		{"no white space inside, some around", `{"value": 12 }`, `12`, ""},
		{"digits stay", `{"value":-0.10e+05}`, `-0.10e+05`, ""},
		{"big integer", `{"value":123456789012345678901234567890}`, `123456789012345678901234567890`, ""},
		{"order of members stays", `{"value":{"b":1,"a":2}}`, `{"b":1,"a":2}`, ""},
		{"escaped name", `{"val\u0075e":1}`, `1`, ""},
		{"escapes stay", `{"value":"\u00e9\/\ud83d\ude00"}`, `"\u00e9\/\ud83d\ude00"`, ""},
		{"lone surrogate stays", `{"value":"\ud800"}`, `"\ud800"`, ""},
		{"as deep as allowed", `{"value":` + nested(maxNesting) + `}`, nested(maxNesting), ""},
		{"too deep", `{"value":` + nested(maxNesting+1) + `}`, "", "nested deeper than 10000 levels"},
		{"same name at two levels", `{"value":{"value":1}}`, `{"value":1}`, ""},
		{"same name inside and after", `{"value":[{"a":1}],"a":1}`, `[{"a":1}]`, ""},
		{"same name in two objects", `{"value":[{"a":1},{"a":1}]}`, `[{"a":1},{"a":1}]`, ""},
		{"duplicate", `{"value":1,"value":1}`, "", "duplicate member at byte 11"},
		{"duplicate by escape", `{"value":1,"\u0076alue":1}`, "", "duplicate member at byte 11"},
		{"duplicate inside", `{"value":{"a":{"b":1,"b":1}}}`, "", "duplicate member at byte 21"},
		{"duplicate of another member", `{"x":1,"x":1}`, "", "duplicate member at byte 7"},
		{"different lone surrogates", `{"value":{"\ud800":1,"\ud801":1,"\ufffd":1}}`, `{"\ud800":1,"\ud801":1,"\ufffd":1}`, ""},
		{"many members", many(`"last"`), strings.TrimSuffix(strings.TrimPrefix(many(`"last"`), `{"value":`), `}`), ""},
		{"duplicate among many", many(`"m3"`), "", "duplicate member at byte 800"},
		{"array", `[]`, "", "an object is expected"},
		{"string only", `"x"`, "", "an object is expected"},
		{"nothing", ``, "", "it ends too early"},
		{"white space only", ` `, "", "it ends too early"},
		{"cut off", `{"value":"x`, "", "it ends too early"},
		{"cut in an escape", `{"value":"\`, "", "it ends too early"},
		{"trailing data", `{} {}`, "", "data after the object, at byte 3"},
		{"trailing comma", `{"value":1,}`, "", "unexpected character at byte 11"},
		{"trailing comma in array", `{"value":[1,]}`, "", "unexpected character at byte 12"},
		{"no comma", `{"value":1"x":2}`, "", "unexpected character at byte 10"},
		{"no comma in array", `{"value":[1 2]}`, "", "unexpected character at byte 12"},
		{"comma first", `{,"value":1}`, "", "unexpected character at byte 1"},
		{"comma first in array", `{"value":[,1]}`, "", "unexpected character at byte 10"},
		{"two commas", `{"value":[1,,2]}`, "", "unexpected character at byte 12"},
		{"leading zero", `{"value":01}`, "", "unexpected character at byte 10"},
		{"plus", `{"value":+1}`, "", "unexpected character at byte 9"},
		{"bare point", `{"value":1.}`, "", "unexpected character at byte 11"},
		{"NaN", `{"value":NaN}`, "", "unexpected character at byte 9"},
		{"single quotes", `{'value':1}`, "", "unexpected character at byte 1"},
		{"control character", "{\"value\":\"\n\"}", "", "unexpected character at byte 10"},
		{"bad escape", `{"value":"\x"}`, "", "unexpected character at byte 11"},
		{"bad unicode escape", `{"value":"\u12g4"}`, "", "unexpected character at byte 14"},
		{"invalid UTF-8", "{\"value\":\"\xff\"}", "", "invalid UTF-8 at byte 10"},
		{"encoded surrogate", "{\"value\":\"\xed\xa0\x80\"}", "", "invalid UTF-8 at byte 10"},
		{"byte order mark", "\ufeff{}", "", "unexpected character at byte 0"},
		{"not JSON", `value=1`, "", "unexpected character at byte 0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var found [1]span
			err := scanMembers([]byte(test.text), []string{"value"}, found[:])
			if got := errorText(err); got != test.err {
				t.Fatalf("error %q, want %q", got, test.err)
			}
			if err != nil {
				return
			}
			if got := string(found[0].compact()); got != test.value {
				t.Errorf("value %.100q, want %.100q", got, test.value)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestUnquote(t *testing.T) {
	tests := []struct{ raw, want string }{
		{`plain`, "plain"},
		{`\"\\\/\b\f\n\r\t`, "\"\\/\b\f\n\r\t"},
		{`\u00e9\u20AC`, "é€"},
		{`\ud83d\ude00!`, "😀!"},
		{`\ud83d!`, "\xed\xa0\xbd!"},
		{`\ud83d\u0041`, "\xed\xa0\xbdA"},
		{`\ud83d\ud83d\ude00`, "\xed\xa0\xbd😀"},
	}
	for _, test := range tests {
		if got := string(unquote([]byte(test.raw))); got != test.want {
			t.Errorf("unquote(%s) = %q, want %q", test.raw, got, test.want)
		}
	}
}

func TestAppendQuoted(t *testing.T) {
	for _, text := range []string{"", "plain", "\"\\\n\x00\x1f\x7f", "é€😀\u2028<&>"} {
		got := appendQuoted([]byte(nil), text)
		var back string
		if err := json.Unmarshal(got, &back); err != nil || back != text {
			t.Errorf("appendQuoted(%q) = %s, which reads back as %q, %v", text, got, back, err)
		}
	}
	if got := string(appendQuoted([]byte(nil), "a\xff")); got != "\"a\ufffd\"" {
		t.Errorf("invalid UTF-8 gives %s", got)
	}
}

// FuzzScanner compares the scanner with encoding/json, which is more lenient in exactly three ways.
func FuzzScanner(f *testing.F) {
	for _, seed := range []string{
		`{"value":{"a":[1,2.5e-3,"x\u00e9\ud800",true,false,null]},"causal-metadata":""}`,
		`{ "value" : [ ] , "x" : { } }`, `{"value":1,"value":2}`, `{"a":"\"\\"}`, `[]`, `{`, "{\"a\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var found [2]span
		err := scanMembers(text, []string{"value", "causal-metadata"}, found[:])
		if err != nil {
			if errors.Is(err, errNesting) || strings.HasPrefix(err.Error(), "duplicate member") || !utf8.Valid(text) {
				return // encoding/json does not mind
			}
			var object map[string]json.RawMessage
			if json.Unmarshal(text, &object) == nil && object != nil {
				t.Fatalf("scanner refuses what encoding/json reads: %v", err)
			}
			return
		}
		var object map[string]json.RawMessage
		if err := json.Unmarshal(text, &object); err != nil {
			t.Fatalf("scanner accepts what encoding/json refuses: %v", err)
		}
		for i, name := range []string{"value", "causal-metadata"} {
			var want bytes.Buffer
			if raw, ok := object[name]; ok {
				if err := json.Compact(&want, raw); err != nil {
					t.Fatal(err)
				}
			}
			if got := found[i].compact(); !bytes.Equal(got, want.Bytes()) {
				t.Fatalf("member %q is %q, encoding/json says %q", name, got, want.Bytes())
			}
		}
	})
}
