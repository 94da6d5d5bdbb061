//go:build linux

package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/internal/apitest"
)

var kills = flag.Int("kills", 25, "how often TestKills kills a node")

// ledger is what one session knows of its own keys. Nobody else writes them.
type ledger struct {
	session   int
	token     string
	sent      []int // by key: the last value that was sent
	confirmed []int // by key: the last value that was acknowledged, or read
}

const ledgerKeys = 8

func newLedger(session int) *ledger {
	return &ledger{session: session, sent: make([]int, ledgerKeys), confirmed: make([]int, ledgerKeys)}
}

func (l *ledger) path(key int) string { return fmt.Sprintf("%sledger-%d-%d", keysPath, l.session, key) }

// write sends the next value of a key to a node, which may be down, or lose the answer.
func (l *ledger) write(c *cluster, node, key int) (acknowledged bool) {
	l.sent[key]++
	a, err := c.try(node, "PUT", l.path(key), fmt.Sprintf(`{"value":%d,"causal-metadata":"%s"}`, l.sent[key], l.token))
	if err != nil || a.Status != 200 && a.Status != 201 {
		return false
	}
	l.confirmed[key], l.token = l.sent[key], a.Token()
	return true
}

// read judges what a node says of a key. The value may be one whose answer was lost.
func (l *ledger) read(a apitest.Answer, key int) error {
	value, _ := a.Members["value"].(float64)
	switch {
	case a.Status == 404 && l.confirmed[key] == 0:
		return nil
	case a.Status != 200 || int(value) < l.confirmed[key] || int(value) > l.sent[key]:
		return fmt.Errorf("%s is %v; %d was acknowledged, %d sent", l.path(key), a, l.confirmed[key], l.sent[key])
	}
	l.confirmed[key], l.token = int(value), a.Token()
	return nil
}

// run writes and reads until stop is closed.
func (l *ledger) run(t *testing.T, c *cluster, stop <-chan struct{}) (acknowledged int) {
	random := rand.New(rand.NewPCG(uint64(l.session), 2))
	for {
		select {
		case <-stop:
			return acknowledged
		default:
		}
		node, key := random.IntN(len(c.addresses)), random.IntN(ledgerKeys)
		if random.IntN(2) == 0 {
			if l.write(c, node, key) {
				acknowledged++
			}
			continue
		}
		a, err := c.try(node, "GET", l.path(key), "", apitest.TokenHeader, l.token)
		if err != nil || a.Status == 503 {
			continue
		}
		if err := l.read(a, key); err != nil {
			t.Errorf("node %d: %v", node+1, err)
			return acknowledged
		}
	}
}

// audit reads every key at every node, with the session's token; nothing may be refused.
func (l *ledger) audit(t *testing.T, c *cluster) {
	t.Helper()
	for node := range c.addresses {
		for key := range ledgerKeys {
			if err := l.read(c.ask(t, node, "GET", l.path(key), "", apitest.TokenHeader, l.token), key); err != nil {
				t.Errorf("in the end, node %d: %v", node+1, err)
			}
		}
	}
}

// TestKills kills nodes at random moments, one at a time, several, or all at once, under load, and starts them again.
func TestKills(t *testing.T) {
	t.Parallel()
	const sessions = 8
	c := newClusterIn(t, t.TempDir(), 6, "SHARD_COUNT=2")
	lives := c.lives(t)
	ledgers := make([]*ledger, sessions)
	acknowledged := make([]int, sessions)
	stop := make(chan struct{})
	var running sync.WaitGroup
	for i := range ledgers {
		ledgers[i] = newLedger(i)
		running.Go(func() { acknowledged[i] = ledgers[i].run(t, c, stop) })
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
		l.audit(t, c)
		total += acknowledged[i]
	}
	t.Logf("%d writes acknowledged, %d kills", total, *kills)
	if total < 10**kills {
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
