package main

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// workload is one kind of request, all of them to the first node.
type workload struct {
	name     string
	bar      float64 // share of the ceiling that is wanted, 0: none
	writes   bool
	requests [][]byte
}

// keyCount is the number of keys in each shard that requests are about.
const keyCount = 1000

const (
	plainValue = "0123456789"
	value      = `{"value":"` + plainValue + `","causal-metadata":""}`
)

// putBar is less where a PUT waits for the disk.
func (s *store) putBar() float64 {
	if s.data != "" {
		return 0.45
	}
	return 0.65
}

// workloads writes the keys and makes the requests.
func workloads(s *store) ([]workload, error) {
	own, other := make([]string, 0, keyCount), make([]string, 0, keyCount)
	tokens := make(map[string]string)
	home, err := shardOf(s)
	if err != nil {
		return nil, err
	}
	for i := 0; len(own) < keyCount || len(other) < keyCount; i++ {
		key := fmt.Sprintf("key-%d", i)
		_, text, err := s.ask(http.MethodPut, s.addresses[0], keysPath+key, value)
		if err != nil {
			return nil, err
		}
		var answer struct {
			Shard string `json:"shard-id"`
			Token string `json:"causal-metadata"`
		}
		if err := json.Unmarshal(text, &answer); err != nil || answer.Shard == "" {
			return nil, fmt.Errorf("PUT %s: %s: %w", key, text, err)
		}
		list := &own
		if answer.Shard != home {
			list = &other
		}
		if len(*list) < keyCount {
			*list = append(*list, key)
			tokens[key] = answer.Token
		}
	}
	all := []workload{
		{name: "GET", bar: 0.85}, {name: "GET, with token", bar: 0}, {name: "PUT", bar: s.putBar(), writes: true},
		{name: "GET, forwarded", bar: 0.35}, {name: "PUT, forwarded", writes: true},
	}
	for i := range keyCount {
		mine, theirs := keysPath+own[i], keysPath+other[i]
		token := "X-Causal-Metadata: " + tokens[own[i]] + "\r\n"
		for w, request := range [][]byte{
			rawRequest("GET", mine, "", ""), rawRequest("GET", mine, token, ""), rawRequest("PUT", mine, "", value),
			rawRequest("GET", theirs, "", ""), rawRequest("PUT", theirs, "", value),
		} {
			all[w].requests = append(all[w].requests, request)
		}
	}
	return all, nil
}

// shardOf is the shard of the first node.
func shardOf(s *store) (string, error) {
	_, text, err := s.ask(http.MethodGet, s.addresses[0], "/key-value-store-shard/node-shard-id", "")
	if err != nil {
		return "", err
	}
	var answer struct {
		Shard string `json:"shard-id"`
	}
	err = json.Unmarshal(text, &answer)
	return answer.Shard, err
}
