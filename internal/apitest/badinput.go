package apitest

import "strings"

// BadInput is what a client may get wrong, in any order, and at last a look at
// the key: none of it has left anything.
func BadInput(limits Limits) []Row {
	const key = KeysPath + "bad"
	rows := append(badPuts(key, limits), badTokens(key)...)
	rows = append(rows, wrongPlaces(key)...)
	return append(rows, Row{Method: "GET", Path: key, Status: 404, Want: Gone("GET", "")})
}

func refusal(method, path, body string, status int, sentence string) Row {
	return Row{Method: method, Path: path, Body: body, Status: status, Want: Refused(sentence, method)}
}

func badPuts(key string, limits Limits) []Row {
	var rows []Row
	for _, body := range []string{``, `{}`, `{"causal-metadata":""}`, `{"Value":1}`} {
		rows = append(rows, refusal("PUT", key, body, 400, "Value is missing"))
	}
	for _, body := range []string{
		`{"value":1`, `value=1`, `[1]`, `"x"`, `null`, `{"value":1}{}`, `{"value":1} x`, `{"value":1,"value":1}`, `{"value":{"a":1,"a":1}}`,
		`{"value":{"a":1,"a":2}}`, `{"value":01}`, `{"value":'x'}`, `{"value":NaN}`, "{\"value\":\"\xff\"}", `{"value":"\x"}`, `{value:1}`,
		`{"value":` + strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001) + `}`,
		`{"value":1,"causal-metadata":5}`, `{"value":1,"causal-metadata":{}}`, `{"value":1,"causal-metadata":"nonsense"}`,
	} {
		rows = append(rows, refusal("PUT", key, body, 400, "*"))
	}
	value := func(bytes int) string { return `{"value":"` + strings.Repeat("a", bytes-2) + `"}` }
	return append(rows,
		refusal("PUT", KeysPath+strings.Repeat("k", limits.KeyLength+1), `{"value":1}`, 400, "Key is too long"),
		refusal("PUT", key, value(limits.ValueSize+1), 413, "Value is too large"),
		refusal("PUT", key, value(3*limits.ValueSize), 413, "*"),
		refusal("PUT", key, value(20<<20), 413, "Body is too large"),
	)
}

// badTokens are requests whose metadata or write concern nobody can read.
func badTokens(key string) []Row {
	var rows []Row
	for _, method := range []string{"GET", "DELETE"} {
		for _, body := range []string{
			`nonsense`, `[]`, `"x"`, `{"causal-metadata":["x"]}`, `{"causal-metadata":{}}`, `{"causal-metadata":"AAAA"}`,
			`{"causal-metadata":"","causal-metadata":""}`,
		} {
			rows = append(rows, refusal(method, key, body, 400, "*"))
		}
	}
	for _, w := range []string{"0", "2", "all", "majority", "x", ""} {
		rows = append(rows, refusal("PUT", key+"?w="+w, `{"value":1}`, 400, "*"), refusal("DELETE", key+"?w="+w, ``, 400, "*"))
	}
	return append(rows, Row{Method: "GET", Path: key, Token: "nonsense", Status: 400, Want: Refused("*", "GET")})
}

// wrongPlaces are paths that do not exist, and methods that they do not have.
func wrongPlaces(key string) []Row {
	noKey := strings.TrimSuffix(KeysPath, "/")
	rows := []Row{refusal("DELETE", KeysPath, ``, 404, "*"), refusal("PUT", noKey, `{"value":1}`, 404, "*")}
	for _, path := range []string{"/", "/x", KeysPath, noKey, ViewPath + "/", ShardsPath, ShardsPath + "x"} {
		rows = append(rows, refusal("GET", path, ``, 404, "*"))
	}
	rows = append(rows, refusal("POST", key, `{"value":1}`, 405, "*"))
	for _, request := range [][2]string{
		{"POST", key}, {"PATCH", key}, {"POST", ViewPath}, {"PATCH", ViewPath}, {"PUT", ShardsPath + "shard-ids"},
		{"DELETE", ShardsPath + "node-shard-id"}, {"PUT", ShardsPath + "shard-id-members/1"}, {"POST", ShardsPath + "shard-id-key-count/1"},
		{"GET", ShardsPath + "add-member/1"}, {"DELETE", ShardsPath + "reshard"}, {"PUT", healthPath},
	} {
		rows = append(rows, refusal(request[0], request[1], ``, 405, "*"))
	}
	return rows
}
