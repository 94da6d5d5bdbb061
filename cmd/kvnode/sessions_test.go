//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"
)

// testSessions has sessions that share keys, change node with every request and carry their token.
// Values count up within a session, so that a step back is seen. Meanwhile processes are frozen for a moment,
// one after another: a node that wakes up answers requests before it has heard what happened.
func testSessions(t *testing.T, c *cluster) {
	const sessions, operations, shared = 8, 300, 4
	var running sync.WaitGroup
	for session := range sessions {
		running.Go(func() {
			random := rand.New(rand.NewPCG(uint64(session), 1))
			var seen [shared][sessions]int // by key and writer
			token := ""
			for count := 1; count <= operations; count++ {
				key, node := random.IntN(shared), random.IntN(len(c.addresses))
				path := fmt.Sprintf("%ssession-%d", keysPath, key)
				if random.IntN(3) == 0 {
					r, err := c.try(node, "PUT", path, fmt.Sprintf(`{"value":{"session":%d,"count":%d},"causal-metadata":"%s"}`, session, count, token))
					if err != nil || r.Status != 200 && r.Status != 201 {
						t.Errorf("session %d: PUT: %v, %v", session, r, err)
						return
					}
					seen[key][session] = count
					token = r.Token()
					continue
				}
				r, err := c.try(node, "GET", path, `{"causal-metadata":"`+token+`"}`)
				if err != nil || r.Status != 200 && (r.Status != 404 || seen[key] != [sessions]int{}) {
					t.Errorf("session %d: GET: %v, %v", session, r, err)
					return
				}
				token = r.Token()
				if value, ok := r.Members["value"].(map[string]any); ok {
					writer, n := int(value["session"].(float64)), int(value["count"].(float64))
					if n < seen[key][writer] {
						t.Errorf("session %d reads %d of session %d at node %d, after it had seen %d", session, n, writer, node+1, seen[key][writer])
						return
					}
					seen[key][writer] = n
				}
			}
		})
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		c.freezeInTurn(t, stop)
	}()
	running.Wait()
	close(stop)
	<-stopped
}

func (c *cluster) freezeInTurn(t *testing.T, stop <-chan struct{}) {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for i := 0; ; i++ {
		p := c.processes[i%len(c.processes)]
		p.signal(t, syscall.SIGSTOP)
		<-ticker.C
		p.signal(t, syscall.SIGCONT)
		select {
		case <-ticker.C:
		case <-stop:
			return
		}
	}
}
