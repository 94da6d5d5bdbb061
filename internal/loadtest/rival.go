package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// rival is a store of somebody else, which syncs every write, too.
type rival struct {
	name      string
	processes []*exec.Cmd
	address   string // of the process that is asked
	requests  [][]byte
	bar       float64             // see contender
	answer    func(*client) error // reads one; nil: HTTP
}

// startRivals starts those that are installed, on data below a directory, and says which are not.
func startRivals(dir string, w io.Writer) (rivals []*rival, err error) {
	for _, r := range []struct {
		program string
		start   func(*rival, string, string) error
	}{{"etcd", (*rival).startEtcd}, {"redis-server", (*rival).startRedis}} {
		program, err := exec.LookPath(r.program)
		if err != nil {
			fmt.Fprintf(w, "%s: not installed\n", r.program)
			continue
		}
		started := new(rival)
		rivals = append(rivals, started)
		data := filepath.Join(dir, r.program)
		if err := os.Mkdir(data, 0o700); err != nil {
			return rivals, err
		}
		if err := r.start(started, program, data); err != nil {
			return rivals, fmt.Errorf("%s: %w", program, err)
		}
	}
	return rivals, nil
}

func stopRivals(rivals []*rival) (err error) {
	for _, r := range rivals {
		for _, p := range r.processes {
			err = errors.Join(err, kill(p))
		}
	}
	return err
}

// begin starts a process that says nothing here.
func (r *rival) begin(program, dir string, args ...string) error {
	command := exec.Command(program, args...)
	command.Dir = dir
	if err := command.Start(); err != nil {
		return err
	}
	r.processes = append(r.processes, command)
	return nil
}

const etcdNodes = 3

// startEtcd starts a cluster, of which the leader is asked: another one would pass the request on.
func (r *rival) startEtcd(program, dir string) error {
	r.name, r.bar = fmt.Sprintf("etcd, %d nodes, JSON", etcdNodes), timesEtcd
	addresses, err := freeAddresses(2 * etcdNodes)
	if err != nil {
		return err
	}
	clients, peers := addresses[:etcdNodes], addresses[etcdNodes:]
	members := make([]string, etcdNodes)
	for i, peer := range peers {
		members[i] = fmt.Sprintf("n%d=http://%s", i, peer)
	}
	for i := range etcdNodes {
		client, peer := "http://"+clients[i], "http://"+peers[i]
		if err := r.begin(program, dir, "--name", fmt.Sprintf("n%d", i), "--data-dir", filepath.Join(dir, fmt.Sprint(i)),
			"--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
			"--initial-cluster", strings.Join(members, ","), "--log-level", "error"); err != nil {
			return err
		}
	}
	for i := range keyCount {
		key, value := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "key-%d", i)), base64.StdEncoding.EncodeToString([]byte(plainValue))
		r.requests = append(r.requests, rawRequest("POST", "/v3/kv/put", "", fmt.Sprintf(`{"key":%q,"value":%q}`, key, value)))
	}
	_, err = within(startTime, "etcd has no leader", func() (bool, error) {
		for _, address := range clients {
			if leads(address) {
				r.address = address
			}
		}
		return r.address != "", nil
	})
	return err
}

// leads tells whether a member of etcd says that it is the leader.
func leads(address string) bool {
	client := http.Client{Timeout: time.Second}
	response, err := client.Post("http://"+address+"/v3/maintenance/status", "application/json", strings.NewReader("{}"))
	if err != nil {
		return false // it does not listen yet
	}
	defer response.Body.Close()
	var told struct {
		Header struct {
			Member string `json:"member_id"`
		} `json:"header"`
		Leader string `json:"leader"`
	}
	return json.NewDecoder(response.Body).Decode(&told) == nil && told.Leader != "" && told.Leader == told.Header.Member
}

// startRedis starts one process that syncs before it answers.
func (r *rival) startRedis(program, dir string) error {
	r.name, r.answer = "Redis, 1 process, appendfsync always", readRedis
	addresses, err := freeAddresses(1)
	if err != nil {
		return err
	}
	r.address = addresses[0]
	host, port, _ := strings.Cut(r.address, ":")
	if err := r.begin(program, dir, "--bind", host, "--port", port, "--dir", dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always"); err != nil {
		return err
	}
	for i := range keyCount {
		key := fmt.Sprintf("key-%d", i)
		r.requests = append(r.requests, fmt.Appendf(nil, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(key), key, len(plainValue), plainValue))
	}
	_, err = within(startTime, "Redis does not answer", func() (bool, error) {
		c, err := connect(r.address)
		if err != nil {
			return false, nil // it does not listen yet
		}
		defer c.conn.Close()
		c.answer = readRedis
		return c.exchange(r.requests[0]) == nil, nil
	})
	return err
}

// readRedis reads the answer to a SET.
func readRedis(c *client) error {
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return err
	}
	if string(line) != "+OK\r\n" {
		return refusal(fmt.Sprintf("answer %q", line))
	}
	return nil
}
