package apitest

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"
)

// A Row is a request and what must come back. In Path, Body, Token, Want and
// Returns {name} stands for a variable: see Variables, and Save.
type Row struct {
	Method, Path, Body string
	Token              string // to be sent in the header, "" for none
	Status             int
	Want               string // see Answer.Check
	Returns            string // token of the answer, where Want cannot tell; "" is not looked at
	Retry              bool   // the answer must say when to try again
	Save               string // variable that gets the token; with ".shard" the shard of the answer
}

// A Story is rows whose order matters.
type Story struct {
	Name string
	Rows []Row
}

// Play sends rows to nodes in turn, again and again, and checks the answers.
// It leaves the variables alone.
func Play(t *testing.T, c Client, urls []string, variables map[string]string, rows []Row) {
	t.Helper()
	known := maps.Clone(variables)
	if known == nil {
		known = map[string]string{}
	}
	for i, r := range rows {
		play(t, c, urls[i%len(urls)], known, r)
	}
}

func play(t *testing.T, c Client, url string, variables map[string]string, r Row) {
	t.Helper()
	fill := filler(variables)
	var header []string
	if r.Token != "" {
		header = []string{TokenHeader, fill(r.Token)}
	}
	a := c.Ask(t, url, r.Method, fill(r.Path), fill(r.Body), header...)
	err := a.Check(r.Status, fill(r.Want))
	switch {
	case err != nil:
	case r.Returns != "" && a.Token() != fill(r.Returns):
		err = fmt.Errorf("its token is %q, want %q", a.Token(), fill(r.Returns))
	case r.Retry && a.Header.Get("Retry-After") == "":
		err = fmt.Errorf("it has no header Retry-After")
	}
	if err != nil {
		t.Errorf("%s %s%.100s %.100s\ngot  %v\n%v", r.Method, url, fill(r.Path), fill(r.Body), a, err)
	}
	if r.Save != "" {
		variables[r.Save] = a.Token()
		variables[r.Save+".shard"], _ = a.Members["shard-id"].(string)
	}
}

// filler puts values in the place of variables.
func filler(variables map[string]string) func(string) string {
	var pairs []string
	for name, value := range variables {
		pairs = append(pairs, "{"+name+"}", value)
	}
	return strings.NewReplacer(pairs...).Replace
}

// Variables are those that Everywhere needs for node i of a store of two
// shards, the first of which has the first half of the addresses:
// {node}, its number, counted from 1; {self}, its address; {shard} and
// {othershard}; {view}; {members1} and {members2}; {stranger}, an address that
// is none of theirs.
func Variables(addresses []string, i int) map[string]string {
	half := len(addresses) / 2
	quoted := func(list []string) string { return `"` + strings.Join(list, `","`) + `"` }
	shard := 1 + i/half
	return map[string]string{
		"node": strconv.Itoa(i + 1), "self": addresses[i], "view": strings.Join(addresses, ","), "stranger": "10.9.9.9:8085",
		"shard": strconv.Itoa(shard), "othershard": strconv.Itoa(3 - shard),
		"members1": quoted(addresses[:half]), "members2": quoted(addresses[half:]),
	}
}

// Pairs is an order of nodes for rows that come in pairs: each node, and then
// one half a store away, which belongs to the other shard.
func Pairs(urls []string) []string {
	var order []string
	for i, url := range urls {
		order = append(order, url, urls[(i+len(urls)/2)%len(urls)])
	}
	return order
}
