package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// load is connections to one address that send requests again and again.
type load struct {
	connections []net.Conn
	readers     []*bufio.Reader
}

func dial(address string, connections int) (*load, error) {
	l := new(load)
	for range connections {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			l.close()
			return nil, err
		}
		l.connections = append(l.connections, conn)
		l.readers = append(l.readers, bufio.NewReader(conn))
	}
	return l, nil
}

func (l *load) close() {
	for _, conn := range l.connections {
		conn.Close()
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
	for i := range l.connections {
		clients.Go(func() {
			n := 0
			// Connections begin far apart, so that they rarely meet at a key.
			for next := i * len(requests) / len(l.connections); !over.Load(); next++ {
				if err := l.exchange(i, requests[next%len(requests)]); err != nil {
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

func (l *load) exchange(i int, request []byte) error {
	if _, err := l.connections[i].Write(request); err != nil {
		return err
	}
	return skipResponse(l.readers[i])
}

var lengthPrefix = []byte("Content-Length: ")

// skipResponse reads just enough of a response to find its end, so that most of the time is the
// server's. Only a success is good enough.
func skipResponse(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 20")) {
		return fmt.Errorf("answer %q", line)
	}
	length := 0
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return err
		}
		if len(line) <= 2 {
			_, err = r.Discard(length)
			return err
		}
		if text, ok := bytes.CutPrefix(line, lengthPrefix); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(text))); err != nil {
				return err
			}
		}
	}
}

// rawRequest is a request as bytes; header is whole lines.
func rawRequest(method, path, header, body string) []byte {
	request := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: n\r\n%s", method, path, header)
	if body != "" {
		request = fmt.Appendf(request, "Content-Length: %d\r\n", len(body))
	}
	return append(append(request, "\r\n"...), body...)
}
