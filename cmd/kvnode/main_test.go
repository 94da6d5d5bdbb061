package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// scratch is a directory for what the tests share; it is removed in the end.
var scratch string

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "kvnode"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if err := os.RemoveAll(scratch); err != nil {
			panic(err)
		}
		os.Exit(code)
	}))
}

// execute runs the command line with these variables, each NAME=value.
func execute(ctx context.Context, variables []string, args ...string) (code int, stdout, stderr string) {
	var out, errors bytes.Buffer
	env := environment{stdout: &out, stderr: &errors, getenv: func(name string) string {
		for _, v := range variables {
			if value, ok := strings.CutPrefix(v, name+"="); ok {
				return value
			}
		}
		return ""
	}}
	code = run(ctx, args, env)
	return code, out.String(), errors.String()
}

func TestUsageErrors(t *testing.T) {
	const address = "SOCKET_ADDRESS=127.0.0.1:8085"
	tests := []struct {
		name, variables, args string // separated by spaces
		want                  string
	}{
		{"unknown command", "", "serve", `"serve" is no command; run kvnode --help for what there is`},
		{"unknown flag", "", "--views x", "unknown flag: --views"},
		{"flag without value", "", "--view", "flag needs an argument: --view"},
		{"view without address", "VIEW=a:1,b:1", "", "VIEW is given without SOCKET_ADDRESS; say which of the addresses is this node"},
		{"bad address", "SOCKET_ADDRESS=host", "", `an address is host:port with a port from 1 to 65535; got "host"`},
		{"bad view", address + " VIEW=127.0.0.1:8085,x", "", `an address is host:port with a port from 1 to 65535; got "x"`},
		{"shard count text", address + " SHARD_COUNT=two", "", `SHARD_COUNT is "two"; a whole number from 1 is expected`},
		{"shard count zero", address, "--shard-count 0", `--shard-count is "0"; a whole number from 1 is expected`},
		{"two shards, one node", address + " SHARD_COUNT=2", "",
			"2 shards need at least 4 nodes, two for each shard; the view (127.0.0.1:8085) has 1; start fewer shards or more nodes"},
		{"two shards, three nodes", address + ` VIEW=127.0.0.1:8085,b:1,c:1 SHARD_COUNT="2"`, "",
			"2 shards need at least 4 nodes, two for each shard; the view (127.0.0.1:8085, b:1, c:1) has 3; start fewer shards or more nodes"},
		{"flag beats variable", address + " SHARD_COUNT=1", "--shard-count=3",
			"3 shards need at least 6 nodes, two for each shard; the view (127.0.0.1:8085) has 1; start fewer shards or more nodes"},
		{"data dir and in memory", address, "--data-dir x --in-memory", "--data-dir is given to a node that keeps nothing on disk; leave one of --data-dir and --in-memory out"},
		{"replace", address + " REPLACE_CORRUPT=1x", "", `REPLACE_CORRUPT is "1x"; true or false is expected`},
		{"in memory", "IN_MEMORY=perhaps", "", `IN_MEMORY is "perhaps"; true or false is expected`},
		{"key length", "MAX_KEY_LENGTH=-1", "", `MAX_KEY_LENGTH is "-1"; a whole number from 1 is expected`},
		{"value size above a message", "MAX_VALUE_SIZE=100000000", "", "the largest size of a value is 100000000 bytes; at most 33554432 fit into a message between nodes"},
		{"key length above a request", "MAX_KEY_LENGTH=10000", "", "the greatest length of a key is 10000 bytes; at most 8192 fit into a request"},
		{"value size", "MAX_VALUE_SIZE=1MiB", "", `MAX_VALUE_SIZE is "1MiB"; a whole number from 1 is expected`},
		{"log format", "LOG_FORMAT=xml", "", `LOG_FORMAT is "xml"; text or json is expected`},
		{"log level", "", "--log-level loud", `--log-level is "loud"; debug, info, warn or error is expected`},
		{"local zero", "", "--local 0", "--local is 0; 1 to 64 nodes fit into one process"},
		{"local many", "", "--local 65", "--local is 65; 1 to 64 nodes fit into one process"},
		{"port without local", "", "--port 9000", "--local is 0; 1 to 64 nodes fit into one process"},
		{"local port", "", "--local 6 --port 65531", "--port is 65531; ports 65531 to 65536 would be needed"},
		{"local with address", "", "--local 6 --socket-address a:1", "--socket-address is for one node; with --local it follows from --port"},
		{"local few nodes", "", "--local 3 --shard-count 2 --port 28081",
			"2 shards need at least 4 nodes, two for each shard; the view (127.0.0.1:28081, 127.0.0.1:28082, 127.0.0.1:28083) has 3; start fewer shards or more nodes"},
		{"healthcheck address", "", "healthcheck x", `an address is host:port with a port from 1 to 65535; got "x"`},
		{"healthcheck twice", "", "healthcheck a:1 b:1", "healthcheck takes one address, not 2"},
		{"status twice", "", "status a:1 b:1", "status takes one address, not 2"},
		{"version argument", "", "version x", `"x" is no command; run kvnode --help for what there is`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			code, stdout, stderr := execute(context.Background(), strings.Fields(test.variables), strings.Fields(test.args)...)
			if want := "kvnode: " + test.want + "\n"; code != exitUsage || stderr != want || stdout != "" {
				t.Errorf("exit code %d, want 2\nstdout %s\nstderr %swant   %s", code, stdout, stderr, want)
			}
		})
	}
}

func TestVersionAndHelp(t *testing.T) {
	code, stdout, stderr := execute(context.Background(), nil, "version")
	if code != exitOK || !strings.HasPrefix(stdout, "kvnode ") || !strings.Contains(stdout, "peer protocol 1") || stderr != "" {
		t.Errorf("%d %q %q", code, stdout, stderr)
	}
	code, stdout, _ = execute(context.Background(), nil, "--help")
	for _, want := range []string{"--socket-address", "[SOCKET_ADDRESS]", "--local", "healthcheck", "status", "--debug-address", "demo", "version"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("help does not mention %s", want)
		}
	}
	if code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

func TestHealthcheck(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.WriteHeader(status)
	}))
	address := server.Listener.Addr().String()
	ctx := context.Background()
	if code, _, stderr := execute(ctx, nil, "healthcheck", address); code != exitOK {
		t.Errorf("%d %s", code, stderr)
	}
	if code, _, stderr := execute(ctx, []string{"SOCKET_ADDRESS=" + address}, "healthcheck"); code != exitOK {
		t.Errorf("address of the environment: %d %s", code, stderr)
	}
	status = http.StatusTeapot
	if code, _, stderr := execute(ctx, nil, "healthcheck", address); code != exitFailed || stderr != "kvnode: "+address+" answers with HTTP status 418\n" {
		t.Errorf("%d %s", code, stderr)
	}
	server.Close()
	if code, _, stderr := execute(ctx, nil, "healthcheck", address); code != exitFailed || !strings.Contains(stderr, address+" does not answer: connection refused") {
		t.Errorf("%d %s", code, stderr)
	}
}

func TestHealthAddress(t *testing.T) {
	for _, test := range []struct{ variables, want string }{
		{"", "127.0.0.1:8085"},
		{"SOCKET_ADDRESS=10.10.0.2:9000", "127.0.0.1:9000"},
		{"SOCKET_ADDRESS=127.0.0.7:9000", "127.0.0.7:9000"},
		{"SOCKET_ADDRESS=[fd00::2]:9000", "[::1]:9000"},
		{"SOCKET_ADDRESS=10.10.0.2:9000 LISTEN_ADDRESS=10.1.1.1:80", "10.1.1.1:80"},
		{"LISTEN_ADDRESS=:80", "127.0.0.1:80"},
	} {
		s := source{newRootCommand(environment{}), func(name string) string {
			for _, v := range strings.Fields(test.variables) {
				if value, ok := strings.CutPrefix(v, name+"="); ok {
					return value
				}
			}
			return ""
		}}
		if got, err := healthAddress(s, nil); got != test.want || err != nil {
			t.Errorf("%q: %s, %v, want %s", test.variables, got, err, test.want)
		}
	}
}

func TestPortInUse(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	address := listener.Addr().String()
	code, _, stderr := execute(context.Background(), []string{"SOCKET_ADDRESS=" + address, "LOG_LEVEL=error", "IN_MEMORY=true"})
	if code != exitFailed || !strings.Contains(stderr, "cannot listen on "+address) {
		t.Errorf("%d %s", code, stderr)
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	code, _, stderr = execute(context.Background(), nil, "--local", "2", "--port", port)
	if code != exitFailed || !strings.Contains(stderr, "try another --port") {
		t.Errorf("%d %s", code, stderr)
	}
}

// TestDemo runs the demonstration.
func TestDemo(t *testing.T) {
	code, stdout, stderr := execute(context.Background(), nil, "demo")
	if code != exitOK || !strings.HasSuffix(stdout, "\nEvery answer was as expected.\n") {
		t.Errorf("exit code %d\n%s\n%s", code, stdout, stderr)
	}
}

// TestDemoFails shows the demonstration a store that answers everything with 418.
func TestDemoFails(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		if _, err := w.Write([]byte(`{"message":"Added successfully"}`)); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	var out bytes.Buffer
	address := server.Listener.Addr().String()
	tour := newTour(context.Background(), &out, []string{address, address, address, address, address, address})
	defer tour.close()
	tour.walk(nil)
	if !tour.failed || !strings.Contains(out.String(), "UNEXPECTED: want status 201\n") || strings.Count(out.String(), "curl") != 1 {
		t.Errorf("failed %v\n%s", tour.failed, &out)
	}
}

// lines passes on what is written, for tests that wait for a line.
type lines struct{ text chan string }

func (l lines) Write(p []byte) (int, error) {
	l.text <- string(p)
	return len(p), nil
}

// TestLocal starts a store in this process, uses the lines it prints, and stops it.
func TestLocal(t *testing.T) {
	addresses, err := freeAddresses(6)
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(addresses[0])
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	out := lines{make(chan string, 100)}
	var stderr bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"--local", "6", "--shard-count", "2", "--port", port}, environment{func(string) string { return "" }, out, &stderr})
	}()
	var text string
	for !strings.Contains(text, "curl http://") {
		select {
		case more := <-out.text:
			text += more
		case <-time.After(20 * time.Second):
			t.Fatalf("it printed only %q", text)
		}
	}
	for _, want := range []string{
		"6 nodes, 2 shards, in memory, ready in ",
		"  shard 1   " + strings.Join(addresses[:3], "  ") + "\n",
		"  shard 2   " + strings.Join(addresses[3:], "  ") + "\n",
		"try:\n  curl -X PUT -d '{\"value\":\"hello\",\"causal-metadata\":\"\"}' http://" + addresses[0] + "/key-value-store/greeting\n",
		"  curl http://" + addresses[4] + "/key-value-store/greeting\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not print %q:\n%s", want, text)
		}
	}
	begin := time.Now()
	stop()
	if code := <-ended; code != exitOK || time.Since(begin) > 2*time.Second {
		t.Errorf("exit code %d after %v: %s", code, time.Since(begin), &stderr)
	}
}
