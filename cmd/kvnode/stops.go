package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Paths of the API.
const (
	keysPath   = "/key-value-store/"
	viewPath   = "/key-value-store-view"
	shardsPath = "/key-value-store-shard/"
)

// walk shows the API, stop by stop.
func (t *tour) walk(store *localStore) {
	t.writeAndRead()
	t.followCauses()
	t.deleteKeys()
	t.lookAround()
	t.badInput()
	t.reshard()
	t.loseNode(store)
	if !t.failed {
		fmt.Fprint(t.out, "\nEvery answer was as expected.\n")
	}
}

func (t *tour) writeAndRead() {
	t.say("Any node takes any key. A new key is added, an old one updated:")
	first := t.ask(1, http.MethodPut, keysPath+"greeting", `{"value":"hello","causal-metadata":""}`)
	t.expect(first, http.StatusCreated, "message", "Added successfully", "replaced", false)
	t.remember(first)
	again := t.askWithToken(5, http.MethodPut, keysPath+"greeting", `{"value":{"text":"hello","times":2}}`)
	t.expect(again, http.StatusOK, "message", "Updated successfully", "replaced", true)
	t.remember(again)

	t.say("Whoever sends the token $T of that write reads it, or something newer, at every node:")
	for node := range t.addresses {
		a := t.askWithToken(node+1, http.MethodGet, keysPath+"greeting", "")
		t.expect(a, http.StatusOK, "value", map[string]any{"text": "hello", "times": 2}, "doesExist", true, "causal-metadata", t.token)
	}
}

func (t *tour) followCauses() {
	t.say("A write that sends a token follows what the token names. Here an answer follows its question, which\nlives in another shard:")
	question, reply := t.differentShards()
	a := t.askWithToken(1, http.MethodPut, keysPath+question, `{"value":"tea or coffee?"}`)
	t.expect(a, http.StatusCreated)
	t.remember(a)
	a = t.askWithToken(4, http.MethodPut, keysPath+reply, `{"value":"tea"}`)
	t.expect(a, http.StatusCreated)
	t.remember(a)
	t.say("Whoever has seen the answer sees the question, too:")
	a = t.askWithToken(6, http.MethodGet, keysPath+question, "")
	t.expect(a, http.StatusOK, "value", "tea or coffee?")
	a = t.askWithToken(3, http.MethodGet, keysPath+reply, "")
	t.expect(a, http.StatusOK, "value", "tea")
}

// differentShards finds a question and an answer that live in different shards, without printing.
func (t *tour) differentShards() (question, reply string) {
	home := func(key string) any {
		a, _, err := t.send(http.MethodPut, "http://"+t.addresses[0]+keysPath+key, `{"value":0}`, "")
		if err == nil {
			_, _, err = t.send(http.MethodDelete, "http://"+t.addresses[0]+keysPath+key, "", "")
		}
		if err != nil {
			t.surprise("an answer, got %v", err)
		}
		return a.members["shard-id"]
	}
	question = "question"
	asked := home(question)
	for i := 1; !t.failed; i++ {
		if reply = fmt.Sprintf("answer-%d", i); home(reply) != asked {
			break
		}
	}
	return question, reply
}

func (t *tour) deleteKeys() {
	t.say("A deletion is a write as well, and what it deleted stays deleted for those who know of it:")
	a := t.askWithToken(2, http.MethodDelete, keysPath+"greeting", "")
	t.expect(a, http.StatusOK, "message", "Deleted successfully", "doesExist", true)
	t.remember(a)
	a = t.askWithToken(6, http.MethodGet, keysPath+"greeting", "")
	t.expect(a, http.StatusNotFound, "error", "Key does not exist", "doesExist", false)
}

func (t *tour) lookAround() {
	t.say("Who is up, and who owns what:")
	a := t.ask(1, http.MethodGet, viewPath, "")
	t.expect(a, http.StatusOK, "view", strings.Join(t.addresses, ","))
	a = t.ask(2, http.MethodGet, shardsPath+"shard-ids", "")
	t.expect(a, http.StatusOK, "shard-ids", []string{"1", "2"})
	a = t.ask(3, http.MethodGet, shardsPath+"node-shard-id", "")
	t.expect(a, http.StatusOK, "shard-id", "1")
	a = t.ask(4, http.MethodGet, shardsPath+"shard-id-members/2", "")
	t.expect(a, http.StatusOK, "shard-id-members", t.addresses[demoNodes/demoShards:])
	count := shardsPath + "shard-id-key-count/1"
	// Every replica counts what has arrived there.
	t.until(5, count, 10*time.Second, func(a answer) bool { return a.members["shard-id-key-count"] == 1.0 })
	a = t.ask(5, http.MethodGet, count, "")
	t.expect(a, http.StatusOK, "shard-id-key-count", 1)
}

func (t *tour) badInput() {
	t.say("What cannot be done is answered with a reason:")
	a := t.ask(1, http.MethodPut, keysPath+"x", `{"causal-metadata":""}`)
	t.expect(a, http.StatusBadRequest, "error", "Value is missing", "message", "Error in PUT")
	a = t.ask(1, http.MethodGet, keysPath+"x", `{"causal-metadata":"made up"}`)
	t.expect(a, http.StatusBadRequest, "message", "Error in GET")
	a = t.ask(1, http.MethodPut, shardsPath+"reshard", `{"shard-count":4}`)
	t.expect(a, http.StatusBadRequest, "message", "Not enough nodes to provide fault-tolerance with the given shard count!")
}

func (t *tour) reshard() {
	t.say("Three shards instead of two, while it runs: nodes and keys are spread anew, and nothing is lost:")
	a := t.ask(2, http.MethodPut, shardsPath+"reshard", `{"shard-count":3}`)
	t.expect(a, http.StatusOK, "message", "Resharding done successfully")
	a = t.ask(6, http.MethodGet, shardsPath+"shard-ids", "")
	t.expect(a, http.StatusOK, "shard-ids", []string{"1", "2", "3"})
	a = t.askWithToken(5, http.MethodGet, keysPath+"question", "")
	t.expect(a, http.StatusOK, "value", "tea or coffee?")
}

func (t *tour) loseNode(store *localStore) {
	if t.failed {
		return
	}
	const lost = 3
	t.say("Node %s stops. The others notice, and the store goes on:", t.addresses[lost-1])
	if err := store.stopNode(lost - 1); err != nil {
		t.surprise("node %d to stop, got %v", lost, err)
	}
	left := append(append([]string{}, t.addresses[:lost-1]...), t.addresses[lost:]...)
	view := strings.Join(left, ",")
	t.until(1, viewPath, 10*time.Second, func(a answer) bool { return a.members["view"] == view })
	a := t.ask(1, http.MethodGet, viewPath, "")
	t.expect(a, http.StatusOK, "view", view)
	a = t.ask(4, http.MethodDelete, viewPath, `{"socket-address":"`+t.addresses[lost-1]+`"}`)
	t.expect(a, http.StatusOK, "message", "Replica deleted successfully from the view")
	for _, key := range []string{"one", "two", "three", "four"} {
		a = t.askWithToken(2, http.MethodPut, keysPath+key, `{"value":1}`)
		t.expect(a, http.StatusCreated, "message", "Added successfully")
	}
}
