package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// client is one connection. It has one user at a time.
type client struct {
	conn   net.Conn
	reader *bufio.Reader
	token  []byte              // of the last answer, "" for none
	body   []byte              // likewise
	answer func(*client) error // reads an answer; nil: of HTTP
}

func connect(address string) (*client, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, reader: bufio.NewReader(conn)}, nil
}

// exchange sends a request and reads the answer.
func (c *client) exchange(request []byte) error {
	if _, err := c.conn.Write(request); err != nil {
		return err
	}
	if c.answer != nil {
		return c.answer(c)
	}
	return c.read()
}

var (
	lengthPrefix = []byte("Content-Length: ")
	tokenPrefix  = []byte("X-Causal-Metadata: ")
)

// read reads an answer, and looks at little of it: most of the time is to be the server's. Errors:
// refusal, any other when there is no answer.
func (c *client) read() error {
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return err
	}
	refused := ""
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 20")) {
		refused = string(bytes.TrimSpace(line))
	}
	length := 0
	c.token = c.token[:0]
	for {
		if line, err = c.reader.ReadSlice('\n'); err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if text, ok := bytes.CutPrefix(line, lengthPrefix); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(text))); err != nil {
				return err
			}
		} else if text, ok := bytes.CutPrefix(line, tokenPrefix); ok {
			c.token = append(c.token, bytes.TrimSpace(text)...)
		}
	}
	c.body = slices.Grow(c.body[:0], length)[:length]
	if _, err = io.ReadFull(c.reader, c.body); err != nil || refused == "" {
		return err
	}
	return refusal(fmt.Sprintf("answer %q: %s", refused, bytes.TrimSpace(c.body)))
}

// refusal is an answer that is no success.
type refusal string

func (r refusal) Error() string { return string(r) }

// load is connections to one address that send requests again and again.
type load struct{ clients []*client }

func dial(address string, connections int) (*load, error) {
	l := new(load)
	for range connections {
		c, err := connect(address)
		if err != nil {
			l.close()
			return nil, err
		}
		l.clients = append(l.clients, c)
	}
	return l, nil
}

func (l *load) close() {
	for _, c := range l.clients {
		c.conn.Close()
	}
}

// send sends the requests in turn over every connection until the time is over, and returns how
// many were answered in a second.
func (l *load) send(requests [][]byte, turn time.Duration) (float64, error) {
	var over atomic.Bool
	timer := time.AfterFunc(turn, func() { over.Store(true) })
	defer timer.Stop()
	var failed error
	var once sync.Once
	var count atomic.Int64
	var clients sync.WaitGroup
	begin := time.Now()
	for i, c := range l.clients {
		clients.Go(func() {
			n := 0
			// Connections begin far apart, so that they rarely meet at a key.
			for next := i * len(requests) / len(l.clients); !over.Load(); next++ {
				if err := c.exchange(requests[next%len(requests)]); err != nil {
					once.Do(func() { failed = err })
					over.Store(true)
					break
				}
				n++
			}
			count.Add(int64(n))
		})
	}
	clients.Wait()
	return float64(count.Load()) / time.Since(begin).Seconds(), failed
}

// rawRequest is a request as bytes; header is whole lines.
func rawRequest(method, path, header, body string) []byte {
	request := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: n\r\n%s", method, path, header)
	if body != "" {
		request = fmt.Appendf(request, "Content-Length: %d\r\n", len(body))
	}
	return append(append(request, "\r\n"...), body...)
}
