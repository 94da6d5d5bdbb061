//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/internal/apitest"
)

// boundProgram is the variable that has a process of this test become that program, bound to the permissions of files
// even if its user is root.
const boundProgram = "BOUND_PROGRAM"

func init() {
	const dropFromBoundingSet, overridePermissions = 24, 1 // PR_CAPBSET_DROP, CAP_DAC_OVERRIDE
	program, bound := os.LookupEnv(boundProgram)
	if !bound {
		return
	}
	if os.Getuid() == 0 { // of this thread only, which is the one that executes the program
		if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, dropFromBoundingSet, overridePermissions, 0); errno != 0 {
			panic(fmt.Sprintf("root cannot give up the capability to override permissions: %v", errno))
		}
	}
	panic(syscall.Exec(program, os.Args, os.Environ()))
}

// launchBound starts a command by way of this program. A thread of the tests that gives something up would have to end
// afterwards, and with it whatever was started from it before.
func launchBound(command *exec.Cmd) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	command.Env = append(command.Env, boundProgram+"="+command.Path)
	command.Path = self
	return command.Start()
}

// TestPermissionLost takes from a node of three the permission to make files in its data directory, while it runs.
// It ends when it needs one; the others serve. With the permission it comes back with everything.
func TestPermissionLost(t *testing.T) {
	t.Parallel()
	const victim = 2
	c := newClusterIn(t, t.TempDir(), 3, "SHARD_COUNT=1")
	c.processes[victim].kill()
	c.launch = launchBound
	c.start(t, victim)
	c.waitServing(t)
	token := c.fill(t)
	lives := c.lives(t)
	store := filepath.Join(c.dataDir(victim), "store")
	if err := os.Chmod(store, 0o500); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Chmod(store, 0o700) }() // or it could not be removed

	// It goes on with the file that is open, up to 16 MiB.
	large := strings.Repeat("v", 1_000_000)
	for i := range 24 {
		a := c.ask(t, 0, "PUT", fmt.Sprintf("%slarge%d", keysPath, i), fmt.Sprintf(`{"value":"%s","causal-metadata":"%s"}`, large, token))
		if a.Status != 201 {
			t.Fatalf("write %d: %v", i, a)
		}
		token = a.Token()
	}
	p := c.processes[victim]
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		t.Fatal("it runs")
	}
	if code, text := p.command.ProcessState.ExitCode(), p.stderr.String(); code != exitFailed || !strings.Contains(text, "the data directory "+c.dataDir(victim)+" cannot be written by user ") {
		t.Errorf("exit code %d, want %d:\n%s", code, exitFailed, text)
	}
	for _, i := range []int{0, 1} {
		c.wantKeys(t, i, token)
	}
	c.refused(t, victim, exitFailed, "the data directory "+c.dataDir(victim)+" cannot be written by user ")

	if err := os.Chmod(store, 0o700); err != nil {
		t.Fatal(err)
	}
	c.start(t, victim)
	c.waitServing(t)
	c.wantKeys(t, victim, token)
	for i := range 24 {
		if a := c.ask(t, victim, "GET", fmt.Sprintf("%slarge%d", keysPath, i), "", apitest.TokenHeader, token); a.Members["value"] != large {
			t.Errorf("key large%d has status %d", i, a.Status)
		}
	}
	if now := c.lives(t); strings.Join(now, " ") != strings.Join(lives, " ") {
		t.Errorf("lives were %v, are %v", lives, now)
	}
}
