//go:build linux

package main

import (
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/httpnode/disk"
	"github.com/sequitur-kv/sequitur/internal/apitest"
)

var kills = flag.Int("kills", 25, "how often TestKills kills a node")

// TestKills kills nodes at random moments, one at a time, several, or all at once, under load, and starts them again.
func TestKills(t *testing.T) {
	t.Parallel()
	const sessions = 8
	c := newClusterIn(t, t.TempDir(), 6, "SHARD_COUNT=2")
	lives := c.lives(t)
	ledgers := make([]*apitest.Ledger, sessions)
	acknowledged := make([]int, sessions)
	stop := make(chan struct{})
	var running sync.WaitGroup
	for i := range ledgers {
		ledgers[i] = apitest.NewLedger(i, 0)
		running.Go(func() {
			var err error
			if acknowledged[i], err = ledgers[i].Play(c.client, c.urls(), stop); err != nil {
				t.Error(err)
			}
		})
	}
	random := rand.New(rand.NewPCG(1, 2))
	for done := 0; done < *kills; {
		victims := random.Perm(6)[:1]
		switch random.IntN(6) {
		case 0:
			victims = random.Perm(6)
		case 1:
			victims = random.Perm(6)[:3]
		}
		for _, i := range victims {
			c.processes[i].kill()
			done++
		}
		pause(time.Duration(random.IntN(300)) * time.Millisecond)
		for _, i := range victims {
			c.start(t, i)
		}
		pause(time.Duration(random.IntN(1000)) * time.Millisecond)
	}
	c.waitServing(t)
	close(stop)
	running.Wait()
	total := 0
	for i, l := range ledgers {
		if err := l.Audit(c.client, c.urls()); err != nil {
			t.Error(err)
		}
		total += acknowledged[i]
	}
	t.Logf("%d writes acknowledged, %d kills", total, *kills)
	if total < *kills { // how many depends on the machine
		t.Errorf("only %d writes were acknowledged", total)
	}
	if now := c.lives(t); strings.Join(now, " ") != strings.Join(lives, " ") {
		t.Errorf("lives were %v, are %v: a restart is no loss of memory", lives, now)
	}
}

// pause lets things happen to processes.
func pause(d time.Duration) { <-time.After(d) }

// lives are the lives of all nodes, as they say.
func (c *cluster) lives(t *testing.T) (lives []string) {
	t.Helper()
	for i := range c.addresses {
		life, _ := c.ask(t, i, "GET", "/sequitur/status", "").Members["life"].(string)
		lives = append(lives, life)
	}
	return lives
}

// refused starts node i, which must end with a code and say something.
func (c *cluster) refused(t *testing.T, i, code int, say string, variables ...string) {
	t.Helper()
	c.start(t, i, variables...)
	p := c.processes[i]
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		p.kill()
		t.Errorf("node %d runs", i+1)
	}
	if text := p.stderr.String(); p.command.ProcessState.ExitCode() != code || !strings.Contains(text, say) {
		t.Errorf("exit code %d, want %d, and %q in:\n%s", p.command.ProcessState.ExitCode(), code, say, text)
	}
}

// TestBadDirectories starts one node of three with data directories that it must not use. The others
// serve all the while.
func TestBadDirectories(t *testing.T) {
	t.Parallel()
	const victim = 2
	c := newClusterIn(t, t.TempDir(), 3, "SHARD_COUNT=1")
	token := c.fill(t)
	life := c.lives(t)[victim]
	c.processes[victim].kill()
	dir := c.dataDir(victim)
	whole := dir + "-whole"
	if err := os.CopyFS(whole, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	restore := func() {
		t.Helper()
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	c.refused(t, victim, exitUsage, c.dataDir(0)+"; each node needs a directory of its own", "DATA_DIR="+c.dataDir(0))
	write("SEQUITUR", "Data directory of a Sequitur node, format 9\n")
	c.refused(t, victim, exitUsage, "has format 9, this release reads format 1; start the newer release again")
	restore()
	logs, err := filepath.Glob(filepath.Join(dir, "store", "*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatal(logs, err)
	}
	for _, name := range logs {
		if err := os.Truncate(name, 100); err != nil {
			t.Fatal(err)
		}
	}
	c.refused(t, victim, exitFailed, "start with --replace-corrupt to set it aside and return without memory")
	for _, i := range []int{0, 1} {
		c.wantKeys(t, i, token)
	}

	// It returns without memory, and gets its copy back.
	c.start(t, victim, "REPLACE_CORRUPT=true")
	c.waitServing(t)
	c.wantKeys(t, victim, token)
	if aside, err := filepath.Glob(filepath.Join(dir, "set-aside-*", "*.log")); err != nil || len(aside) != len(logs) {
		t.Errorf("%v %v", aside, err)
	}
	if c.lives(t)[victim] == life {
		t.Error("its life goes on without its memory")
	}

	// What it wrote down before is another life's: that one has ended.
	c.processes[victim].kill()
	restore()
	c.start(t, victim)
	c.waitServing(t)
	c.wantKeys(t, victim, token)
}

// TestWrongRecords starts one node of three with records that no checksum finds fault with: those of a member at another
// address, and one that no node has written.
func TestWrongRecords(t *testing.T) {
	t.Parallel()
	const victim, other = 2, 1
	c := newClusterIn(t, t.TempDir(), 3, "SHARD_COUNT=1")
	token := c.fill(t)
	lives := c.lives(t)
	c.processes[victim].kill()
	c.processes[other].kill()
	c.refused(t, victim, exitFailed, "they are those of "+c.addresses[other]+" in store ", "DATA_DIR="+c.dataDir(other))
	c.refused(t, victim, exitFailed, "and this node is "+c.addresses[victim]+": give it a directory of its own", "DATA_DIR="+c.dataDir(other), "REPLACE_CORRUPT=true")
	c.start(t, other) // nothing was done to it
	c.until(t, 20*time.Second, other, "/readyz", func(a apitest.Answer) bool { return a.Status == 200 })
	c.wantKeys(t, other, token)

	c.append(t, victim, core.Record{Key: []byte("vkey"), Value: []byte("no version")})
	c.refused(t, victim, exitFailed, "malformed record of kind 'v'")
	c.refused(t, victim, exitFailed, "start with --replace-corrupt to set it aside and return without memory")
	c.start(t, victim, "REPLACE_CORRUPT=true")
	c.waitServing(t)
	c.wantKeys(t, victim, token)
	if aside, err := filepath.Glob(filepath.Join(c.dataDir(victim), "set-aside-*")); err != nil || len(aside) != 1 {
		t.Errorf("%v %v", aside, err)
	}
	if now := c.lives(t); now[victim] == lives[victim] || now[other] != lives[other] {
		t.Errorf("lives were %v, are %v", lives, now)
	}
}

// append puts a record into the data directory of a node that is down.
func (c *cluster) append(t *testing.T, i int, record core.Record) {
	t.Helper()
	log, err := disk.Open(c.dataDir(i), disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, position, err := log.Restore()
	if err != nil {
		t.Fatal(err)
	}
	log.Start(func(_ core.Position, err error) {
		if err != nil {
			t.Error(err)
		}
	})
	log.Append(false, []core.Record{record}, position+1)
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestFullDisk starts a node of three on a disk that has less room than it is told to leave: it reads what it has,
// says whose disk is full, and the others write. With room again it has what they wrote.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	const victim = 2
	c := newClusterIn(t, t.TempDir(), 3, "SHARD_COUNT=1")
	token := c.fill(t)
	lives := c.lives(t)
	c.processes[victim].kill()
	c.start(t, victim, "MIN_FREE=4000000000000000000")
	c.waitServing(t)
	c.wantKeys(t, victim, token)
	c.until(t, 5*time.Second, 0, "/sequitur/status", func(a apitest.Answer) bool {
		members, _ := a.Members["members"].([]any)
		for _, m := range members {
			if member, _ := m.(map[string]any); member["address"] == c.addresses[victim] {
				return member["disk-full"] == true
			}
		}
		return false
	})
	path, body := keysPath+"full", `{"value":1,"causal-metadata":""}`
	a := c.ask(t, victim, "PUT", path, body)
	if text, _ := a.Members["error"].(string); a.Status != 503 || a.Header.Get("Retry-After") == "" || !strings.HasPrefix(text, "The disk of "+c.addresses[victim]+" is full; nothing was written.") {
		t.Errorf("a write there: %v", a)
	}
	a = c.ask(t, 0, "PUT", path, body)
	if a.Status != 201 {
		t.Fatalf("a write elsewhere: %v", a)
	}
	if g := c.ask(t, victim, "GET", path, "", apitest.TokenHeader, a.Token()); g.Status != 200 || g.Members["value"] != 1.0 {
		t.Errorf("a read there with the token of that: %v", g)
	}

	c.processes[victim].kill()
	c.start(t, victim)
	c.waitServing(t)
	if p := c.ask(t, victim, "PUT", path, `{"value":2,"causal-metadata":"`+a.Token()+`"}`); p.Status != 200 {
		t.Errorf("a write there when there is room: %v", p)
	}
	c.wantKeys(t, victim, token)
	if now := c.lives(t); strings.Join(now, " ") != strings.Join(lives, " ") {
		t.Errorf("lives were %v, are %v", lives, now)
	}
}
