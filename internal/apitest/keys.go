package apitest

import (
	"fmt"
	"strings"
)

// Limits are what a node was told to accept at most, in bytes: of a decoded
// key, and of the JSON text of a value.
type Limits struct{ KeyLength, ValueSize int }

// keyLife takes a key of the node through all that can happen to it. It always
// lives in the shard that its first PUT has named.
func keyLife() []Row {
	const (
		key     = KeysPath + "story-{node}"
		readded = `{"message":"Added successfully","causal-metadata":"*","shard-id":"{a.shard}","replaced":false}`
		updated = `{"message":"Updated successfully","causal-metadata":"*","shard-id":"{a.shard}","replaced":true}`
		deleted = `{"message":"Deleted successfully","causal-metadata":"*","shard-id":"{a.shard}","doesExist":true}`
	)
	is := func(token, value string) string { return Found(token, value, "{a.shard}") }
	return []Row{
		{Method: "GET", Path: key, Status: 404, Want: Gone("GET", "")},
		{Method: "DELETE", Path: key, Status: 404, Want: Gone("DELETE", "")},
		{Method: "PUT", Path: key, Body: `{"value":"v1","causal-metadata":""}`, Status: 201, Want: Added, Save: "a"},
		{Method: "GET", Path: key, Body: `{"causal-metadata":"{a}"}`, Status: 200, Want: is("{a}", `"v1"`)},
		{Method: "GET", Path: key, Token: "{a}", Status: 200, Want: is("{a}", `"v1"`)},
		{Method: "HEAD", Path: key, Token: "{a}", Status: 200, Returns: "{a}"},
		{Method: "PUT", Path: key, Body: `{"value":{"v":[2]},"causal-metadata":"{a}"}`, Status: 200, Want: updated, Save: "b"},
		{Method: "GET", Path: key, Body: `{"causal-metadata":"{b}"}`, Token: "nonsense", Status: 200, Want: is("{b}", `{"v":[2]}`)},
		{Method: "GET", Path: key, Token: "{a}, {b}", Status: 200, Want: is("{b}", `{"v":[2]}`)},
		{Method: "DELETE", Path: key, Body: `{"causal-metadata":"{b}"}`, Status: 200, Want: deleted, Save: "c"},
		{Method: "GET", Path: key, Token: "{c}", Status: 404, Want: Gone("GET", "{c}")},
		{Method: "DELETE", Path: key, Token: "{c}", Status: 404, Want: Gone("DELETE", "{c}")},
		{Method: "PUT", Path: key, Body: `{"value":null,"causal-metadata":"{c}","more":1}`, Status: 201, Want: readded, Save: "d"},
		{Method: "GET", Path: key, Token: "{d}", Status: 200, Want: is("{d}", `null`)},
		{Method: "PUT", Path: key + "?w=1", Body: `{"value":3}`, Token: "{d}", Status: 200, Want: updated, Save: "e"},
		{Method: "DELETE", Path: key + "?w=1", Token: "{e}", Status: 200, Want: deleted, Save: "f"},
		{Method: "PUT", Path: key, Body: `{"value":"v4","causal-metadata":"{f}"}`, Status: 201, Want: readded, Save: "g"},
		{Method: "DELETE", Path: key, Token: "{g}", Status: 200, Want: deleted},
		{Method: "OPTIONS", Path: healthPath, Status: 204},
	}
}

// Values are pairs of rows: a value of any kind is written, and comes back.
func Values(limits Limits) []Row {
	// encoding/json reads 10,000 levels, one of which is the answer.
	deep := min(9999, limits.ValueSize/2)
	var rows []Row
	for i, value := range []string{
		`null`, `true`, `false`, `0`, `-0.10e+30`, `123456789012345678901234567890.10`, `""`, `"\u0000é😀\ud800\/"`, `[]`, `{}`,
		strings.Repeat("[", deep) + strings.Repeat("]", deep), `{"b":[1,{"c":null}],"a":"x"}`,
		`"` + strings.Repeat("a", limits.ValueSize-2) + `"`,
	} {
		rows = append(rows, pair(fmt.Sprintf("%svalue-%d", KeysPath, i), value)...)
	}
	return rows
}

// KeyBytes are pairs of rows: any bytes make a key, and no two of these the
// same one. What follows, alone, writes one of them another way.
func KeyBytes(limits Limits) []Row {
	var rows []Row
	for i, key := range []string{
		"a%2Fb", "/", "a//b", "..", "../..", "../key-value-store-view", "x/", ".", "%00", "%FF%FE", "%F0%9F%98%80", "a+b", "a%20b", "%25", "a%3Fb",
		"*key", ":key", strings.Repeat("k", limits.KeyLength), strings.Repeat("%C3%A9", limits.KeyLength/2),
	} {
		rows = append(rows, pair(KeysPath+key, fmt.Sprint(i))...)
	}
	return append(rows, Row{
		Method: "PUT", Path: KeysPath + "a/b", Body: `{"value":"same"}`, Status: 200,
		Want: `{"message":"Updated successfully","causal-metadata":"*","shard-id":"*","replaced":true}`,
	})
}

func pair(path, value string) []Row {
	return []Row{
		{Method: "PUT", Path: path, Body: `{"value": ` + value + ` }`, Status: 201, Want: Added, Save: "a"},
		{Method: "GET", Path: path, Token: "{a}", Status: 200, Want: Found("{a}", value, "{a.shard}")},
	}
}
