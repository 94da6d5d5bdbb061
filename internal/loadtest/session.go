package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// sessions are clients that pass their tokens on and send requests at a fixed rate together. A session whose answer is late sends the next request at once, and counts the time since it was due.
type sessions struct {
	keys     *keyspace
	clients  []*client
	interval time.Duration                             // between two requests of one session
	writes   func(session int, random *rand.Rand) bool // whether its next request is a write
	begin    time.Time
	over     atomic.Bool
	group    sync.WaitGroup

	tokens  [][]byte   // by session
	samples [][]sample // by session
	told    io.Writer
	failed  atomic.Int64
}

// oneInFive has one in five requests of each session write.
func oneInFive(_ int, random *rand.Rand) bool { return random.IntN(5) == 0 }

// oddWrite has every other session write, and only write.
func oddWrite(session int, _ *rand.Rand) bool { return session%2 == 1 }

// startSessions begins a load of rate requests in a second, a session for each client.
func startSessions(keys *keyspace, clients []*client, rate int, writes func(int, *rand.Rand) bool, told io.Writer) *sessions {
	n := len(clients)
	s := &sessions{
		keys: keys, clients: clients, writes: writes, interval: time.Second * time.Duration(n) / time.Duration(rate), begin: time.Now(),
		tokens: make([][]byte, n), samples: make([][]sample, n), told: told,
	}
	for i := range clients {
		s.group.Go(func() { s.run(i) })
	}
	return s
}

// now is the time since the load began.
func (s *sessions) now() time.Duration { return time.Since(s.begin) }

// end ends the load.
func (s *sessions) end() (samples []sample) {
	s.over.Store(true)
	s.group.Wait()
	for i := range s.samples {
		samples = append(samples, s.samples[i]...)
	}
	return samples
}

func (s *sessions) run(i int) {
	random := rand.New(rand.NewPCG(1, uint64(i)))
	due := s.interval * time.Duration(i) / time.Duration(len(s.clients))
	for ; !s.over.Load(); due += s.interval {
		time.Sleep(due - s.now())
		write := s.writes(i, random)
		key := random.IntN(len(s.keys.writes))
		err := s.exchange(i, key, write)
		s.samples[i] = append(s.samples[i], sample{due: due, took: s.now() - due, write: write})
		if err == nil {
			continue
		}
		if s.failed.Add(1) <= maxTold {
			fmt.Fprintf(s.told, "%v after the load began: %v\n", s.now().Round(time.Millisecond), err)
		}
		if !errors.As(err, new(refusal)) {
			return // there is no connection any more
		}
	}
}

// exchange makes one request of a session, which writes a key of its own, next to the given one, and
// may read every key.
func (s *sessions) exchange(i, key int, write bool) error {
	c := s.clients[i]
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	var err error
	if write {
		key -= key%len(s.clients) - i
		if key >= len(s.keys.writes) {
			key = i
		}
		err = c.exchange(s.keys.put(key, s.keys.writes[key]+1, s.tokens[i]))
		if err == nil {
			s.keys.writes[key]++
		}
	} else if err = c.exchange(s.keys.get(key, s.tokens[i])); err == nil && key%len(s.clients) == i && !s.keys.holds(key, c.body) {
		err = refusal(fmt.Sprintf("key-%d: a session does not read its own write %s: %s", key, valueOf(key, s.keys.writes[key]), c.body))
	}
	if err != nil {
		return fmt.Errorf("session %d, key-%d: %w", i, key, err)
	}
	s.tokens[i] = append(s.tokens[i][:0], c.token...)
	return nil
}
