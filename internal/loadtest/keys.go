package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// keyspace is every key of the store, and what must be read of it.
type keyspace struct {
	writes []uint32 // by key: how often it was overwritten; moved by the one session that writes it
	shards []uint8  // by key: the shard that answered last
}

func newKeyspace(keys int) *keyspace {
	return &keyspace{writes: make([]uint32, keys), shards: make([]uint8, keys)}
}

func keyPath(key int) string { return fmt.Sprintf("%skey-%d", keysPath, key) }

// valueOf names the key and the write.
func valueOf(key int, write uint32) string { return fmt.Sprintf(`"%d-%d"`, key, write) }

func (k *keyspace) put(key int, write uint32, token []byte) []byte {
	return rawRequest("PUT", keyPath(key), tokenHeader(token), `{"value":`+valueOf(key, write)+`}`)
}

func (k *keyspace) get(key int, token []byte) []byte {
	return rawRequest("GET", keyPath(key), tokenHeader(token), "")
}

func tokenHeader(token []byte) string {
	if len(token) == 0 {
		return ""
	}
	return string(tokenPrefix) + string(token) + "\r\n"
}

// holds tells whether a body brings the last write of a key.
func (k *keyspace) holds(key int, body []byte) bool {
	return bytes.Contains(body, []byte(`"value":`+valueOf(key, k.writes[key])))
}

// note remembers which shard answered.
func (k *keyspace) note(key int, body []byte) {
	if _, rest, ok := bytes.Cut(body, []byte(`"shard-id":"`)); ok {
		id, _, _ := bytes.Cut(rest, []byte(`"`))
		n, _ := strconv.Atoi(string(id))
		k.shards[key] = uint8(n)
	}
}

const (
	pipelined = 64               // requests that travel together where nothing is measured
	patience  = 30 * time.Second // with one answer
)

// each sends a request for every key, shared out among clients: key k is one of client k modulo their
// number. It ends when answered, which is told of failures, too, returns an error.
func (k *keyspace) each(clients []*client, request func(key int) []byte, answered func(key int, c *client, err error) error) error {
	errs := make([]error, len(clients))
	var group sync.WaitGroup
	for i, c := range clients {
		group.Go(func() {
			for first := i; first < len(k.writes) && errs[i] == nil; first += pipelined * len(clients) {
				last := min(len(k.writes), first+pipelined*len(clients))
				errs[i] = k.batch(c, first, last, len(clients), request, answered)
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// batch is each for every step-th key from first to last, exclusively.
func (k *keyspace) batch(c *client, first, last, step int, request func(key int) []byte, answered func(key int, c *client, err error) error) error {
	var requests []byte
	for key := first; key < last; key += step {
		requests = append(requests, request(key)...)
	}
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := c.conn.Write(requests); err != nil {
		return err
	}
	for key := first; key < last; key += step {
		err := c.read()
		k.note(key, c.body)
		if err := answered(key, c, err); err != nil {
			return err
		}
	}
	return nil
}

// load writes every key once.
func (k *keyspace) load(clients []*client) error {
	put := func(key int) []byte { return k.put(key, 0, nil) }
	return k.each(clients, put, func(_ int, _ *client, err error) error { return err })
}

// lost reads every key with a token of whoever wrote it last, and counts those that are not as written.
// A few are told.
func (k *keyspace) lost(clients []*client, tokens [][]byte, w io.Writer) (int, error) {
	var count atomic.Int64
	get := func(key int) []byte { return k.get(key, tokens[key%len(tokens)]) }
	err := k.each(clients, get, func(key int, c *client, err error) error {
		if err != nil && !errors.As(err, new(refusal)) {
			return err
		}
		if err != nil || !k.holds(key, c.body) {
			if count.Add(1) <= maxTold {
				fmt.Fprintf(w, "key-%d is lost: want %s, got %q, %v\n", key, valueOf(key, k.writes[key]), c.body, err)
			}
		}
		return nil
	})
	return int(count.Load()), err
}

// maxTold bounds how many failures of one kind are printed.
const maxTold = 5
