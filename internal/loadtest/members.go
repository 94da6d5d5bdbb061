package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	memberTime  = time.Minute
	maxReturn   = 10 * time.Second // of a node that lost its memory, with 100,000 keys
	memberShard = "1"
)

// measureMembers has one more node join, become a member of a shard, and lose its memory.
func measureMembers(s *store, keys int, w io.Writer) error {
	addresses, err := freeAddresses(1)
	if err != nil {
		return err
	}
	i, address := len(s.addresses), addresses[0]
	s.addresses = append(s.addresses, address)
	node, err := s.startNode(i)
	if err != nil {
		return err
	}
	s.nodes = append(s.nodes, node)
	joined, err := within(memberTime, "the new node is in no view", func() (bool, error) {
		_, text, err := s.ask(http.MethodGet, s.addresses[0], "/key-value-store-view", "")
		return bytes.Contains(text, []byte(address)), err
	})
	if err != nil {
		return err
	}
	begin := time.Now()
	code, text, err := s.ask(http.MethodPut, s.addresses[0], shardPath+"add-member/"+memberShard, fmt.Sprintf(`{"socket-address":%q}`, address))
	added := time.Since(begin)
	if err != nil || code != http.StatusOK {
		return fmt.Errorf("add-member: %d %s: %w", code, text, err)
	}
	if err := kill(node); err != nil {
		return err
	}
	if s.nodes[i], err = s.startNode(i); err != nil {
		return err
	}
	returned, err := within(memberTime, "the node has not returned to its shard", func() (bool, error) {
		told, err := s.status(address)
		return err == nil && told.serves(address), nil // it does not listen at first
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\none more node, %d keys in its shard: in the view after %.2f s; member of the shard after %.2f s; back without memory after %.2f s (bar %.0f s with 100,000)\n",
		keys, joined.Seconds(), added.Seconds(), returned.Seconds(), maxReturn.Seconds())
	fmt.Fprintf(w, "memory of a node: %v\n", s.memory())
	return nil
}

// within waits until done says so, and tells how long that took.
func within(limit time.Duration, complaint string, done func() (bool, error)) (time.Duration, error) {
	begin := time.Now()
	for {
		ok, err := done()
		took := time.Since(begin)
		if ok || err != nil {
			return took, err
		}
		if took > limit {
			return took, fmt.Errorf("%s after %v", complaint, limit)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
