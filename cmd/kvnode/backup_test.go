//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/httpnode/backup"
	"github.com/sequitur-kv/sequitur/httpnode/disk"
	"github.com/sequitur-kv/sequitur/internal/apitest"
)

// command runs a command line in this process.
func command(t *testing.T, code int, args ...string) (stdout, stderr string) {
	t.Helper()
	return commandIn(t.Context(), t, code, args...)
}

func commandIn(ctx context.Context, t *testing.T, code int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	got := run(ctx, args, environment{getenv: func(string) string { return "" }, stdout: &out, stderr: &errs})
	if got != code {
		t.Errorf("kvnode %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, &out, &errs)
	}
	return out.String(), errs.String()
}

// savedIn is what backups hold of each key, the newest.
func savedIn(t *testing.T, paths ...string) map[string]core.Saved {
	t.Helper()
	all := map[string]core.Saved{}
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		r, err := backup.NewReader(file)
		for err == nil {
			var s core.Saved
			if s, err = r.Next(); err == nil && s.Time > all[s.Key].Time {
				all[s.Key] = s
			}
		}
		if !errors.Is(err, io.EOF) {
			t.Fatal(path, err)
		}
	}
	return all
}

const backedUpKeys = 1200

// deletedKey tells which of the keys of TestBackup are deleted before the backup.
func deletedKey(i int) bool { return i%7 == 3 }

// restoreAll ends all nodes, and starts them with directories that hold the given backups or nothing.
func (c *cluster) restoreAll(t *testing.T, shards int, backups map[int][]string) {
	t.Helper()
	for i, p := range c.processes {
		p.kill()
		if err := os.RemoveAll(c.dataDir(i)); err != nil {
			t.Fatal(err)
		}
	}
	for i, files := range backups {
		if out, _ := command(t, exitOK, append([]string{"restore", "--data-dir", c.dataDir(i)}, files...)...); !strings.Contains(out, c.dataDir(i)+" is ready") {
			t.Errorf("restore says %q", out)
		}
	}
	for i := range c.addresses {
		c.start(t, i, fmt.Sprint("SHARD_COUNT=", shards))
	}
	for i := range c.addresses {
		c.until(t, 60*time.Second, i, "/readyz", func(a apitest.Answer) bool { return a.Status == 200 })
	}
}

// wantSaved wants every node to count the keys of backups, and to have them as they are there.
func (c *cluster) wantSaved(t *testing.T, shards int, saved map[string]core.Saved) {
	t.Helper()
	live := 0
	for _, s := range saved {
		if !s.Deleted {
			live++
		}
	}
	for i := range c.addresses {
		total, counts := 0, make([]int, shards)
		for deadline := time.Now().Add(20 * time.Second); total != live && time.Now().Before(deadline); {
			total = 0
			for shard := range shards {
				n, _ := c.ask(t, i, "GET", fmt.Sprintf("%sshard-id-key-count/%d", shardsPath, shard+1), "").Members["shard-id-key-count"].(float64)
				counts[shard], total = int(n), total+int(n)
			}
		}
		if total != live {
			t.Errorf("node %d counts %v keys, the backups have %d", i+1, counts, live)
		}
	}
	n := 0
	for key, s := range saved {
		n++
		for _, i := range []int{n % 6, (n + 2 + n%3) % 6} {
			a := c.ask(t, i, "GET", keysPath+key, "")
			if s.Deleted && a.Status != 404 || !s.Deleted && (a.Status != 200 || fmt.Sprint(a.Members["value"]) != string(s.Value)) {
				t.Fatalf("%s at node %d: %v, want %s %t", key, i+1, a, s.Value, s.Deleted)
			}
		}
	}
}

// TestBackup saves a node of each shard under load, and forms the store anew from what was saved: with as many shards,
// and with more; then it brings the backups into a store that lives.
func TestBackup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := newClusterIn(t, dir, 6, "SHARD_COUNT=2")
	token := ""
	for i := range backedUpKeys {
		a := c.ask(t, i%6, "PUT", fmt.Sprintf("%skey%d", keysPath, i), fmt.Sprintf(`{"value":%d}`, i), apitest.TokenHeader, token)
		if token = a.Token(); deletedKey(i) {
			token = c.ask(t, (i+1)%6, "DELETE", fmt.Sprintf("%skey%d", keysPath, i), "", apitest.TokenHeader, token).Token()
		}
	}
	for i := range c.addresses { // every node has all of it
		c.ask(t, i, "GET", keysPath+"key0", "", apitest.TokenHeader, token)
		c.until(t, 20*time.Second, i, "/sequitur/status", func(a apitest.Answer) bool { return a.Members["copying"] == false })
	}
	l := c.load(t, "meanwhile", false, 0, 1, 2, 3, 4, 5)
	first, second := filepath.Join(dir, "first.backup"), filepath.Join(dir, "second.backup")
	files := []string{first, second}
	if out, _ := command(t, exitOK, "backup", c.addresses[0], first); !strings.Contains(out, "shard 1 of store") {
		t.Errorf("backup says %q", out)
	}
	if out, _ := command(t, exitOK, "backup", "--json", c.addresses[4], second); !strings.Contains(out, `"shard-id": "2"`) {
		t.Errorf("backup says %q", out)
	}
	l.end(t)
	if left, err := filepath.Glob(filepath.Join(dir, "*"+partSuffix)); err != nil || len(left) > 0 {
		t.Errorf("%v %v", left, err)
	}
	saved := savedIn(t, files...)
	for i := range backedUpKeys {
		if s, ok := saved[fmt.Sprint("key", i)]; !ok || s.Deleted != deletedKey(i) || !s.Deleted && string(s.Value) != fmt.Sprint(i) {
			t.Fatalf("key%d is saved as %+v", i, s)
		}
	}

	c.restoreAll(t, 2, map[int][]string{1: {first}, 3: {second}})
	c.wantSaved(t, 2, saved)
	c.want(t, 0, "GET", keysPath+"key0", `{"causal-metadata":"`+token+`"}`, 400, apitest.Refused("causal-metadata comes from another store; drop it", "GET"))
	c.restoreAll(t, 3, map[int][]string{5: files})
	c.wantSaved(t, 3, saved)

	// Into the store that lives: node 6 comes back as another one, with both backups and what they bring of each other.
	put := c.ask(t, 0, "PUT", keysPath+"key0", `{"value":"newer"}`)
	gone := c.ask(t, 1, "DELETE", keysPath+"key1", "")
	l = c.load(t, "living", true, 0, 1, 2, 3, 4)
	c.processes[5].kill()
	if err := os.RemoveAll(c.dataDir(5)); err != nil {
		t.Fatal(err)
	}
	command(t, exitOK, append([]string{"restore", "--data-dir", c.dataDir(5)}, files...)...)
	c.start(t, 5)
	c.until(t, 60*time.Second, 5, "/readyz", func(a apitest.Answer) bool { return a.Status == 200 })
	l.end(t)
	for i := range c.addresses {
		if a := c.ask(t, i, "GET", keysPath+"key0", "", apitest.TokenHeader, put.Token()); a.Members["value"] != "newer" {
			t.Errorf("key0 at node %d: %v", i+1, a)
		}
		if a := c.ask(t, i, "GET", keysPath+"key1", "", apitest.TokenHeader, gone.Token()); a.Status != 404 {
			t.Errorf("key1 at node %d: %v", i+1, a)
		}
	}
	testBadBackups(t, c, first)
}

// testBadBackups wants what cannot be done refused, and nothing written.
func testBadBackups(t *testing.T, c *cluster, good string) {
	dir := t.TempDir()
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	damaged := slices.Clone(text)
	damaged[len(damaged)/2] ^= 1
	target := filepath.Join(dir, "target")
	for name, text := range map[string][]byte{"damaged": damaged, "cut": text[:len(text)-9], "half": text[:len(text)/2], "empty": nil, "other": []byte("something else")} {
		path := write(name, text)
		if _, say := command(t, exitFailed, "restore", "--data-dir", target, good, path); !strings.Contains(say, path+": ") || strings.Contains(say, "backup: ") {
			t.Errorf("%s: %s", name, say)
		}
		if _, err := os.Stat(target); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: something is in the directory: %v", name, err)
		}
	}
	command(t, exitFailed, "restore", "--data-dir", target, filepath.Join(dir, "missing"))
	if _, say := command(t, exitUsage, "restore", "--data-dir", dir, good); !strings.Contains(say, "is not empty") {
		t.Error(say)
	}
	command(t, exitUsage, "restore", "--data-dir", target)
	testOddNames(t, c.addresses[0], good)
	testHalfRestore(t, good)
	elsewhere := httptest.NewServer(http.RedirectHandler("http://"+c.addresses[0]+"/sequitur/backup", http.StatusFound))
	defer elsewhere.Close()
	if _, say := command(t, exitFailed, "backup", elsewhere.Listener.Addr().String(), filepath.Join(dir, "new")); !strings.Contains(say, "name the node itself") {
		t.Error(say)
	}
	command(t, exitUsage, "backup", c.addresses[0])
	command(t, exitUsage, "backup", "nowhere", filepath.Join(dir, "new"))
	if _, say := command(t, exitUsage, "backup", c.addresses[0], good); !strings.Contains(say, "exists") {
		t.Error(say)
	}
	command(t, exitOK, "backup", "--overwrite", c.addresses[0], filepath.Join(dir, "damaged"))
	c.processes[1].kill()
	if _, say := command(t, exitFailed, "backup", c.addresses[1], filepath.Join(dir, "new")); !strings.Contains(say, "connection refused") {
		t.Error(say)
	}
	alone := loopbackAddresses(t, 1)[0]
	start(t, alone, "SOCKET_ADDRESS="+alone)
	c.client.Until(t, 20*time.Second, "http://"+alone, "/readyz", func(a apitest.Answer) bool { return a.Status == 200 })
	if _, say := command(t, exitFailed, "backup", alone, filepath.Join(dir, "new")); !strings.Contains(say, "This node keeps nothing on disk") {
		t.Error(say)
	}
	if _, err := os.Stat(filepath.Join(dir, "new"+partSuffix)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half a backup is left: %v", err)
	}
}

// testHalfRestore wants no node to start where a restore was interrupted, and the next restore to begin anew there.
func testHalfRestore(t *testing.T, good string) {
	dir := filepath.Join(t.TempDir(), "half")
	half, err := disk.Fill(dir, disk.Options{})
	if err == nil {
		err = errors.Join(half.Add(core.ImportRecord(1, &core.Saved{Key: "other", Deleted: true, Time: 1})), half.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--data-dir", dir}, {"--data-dir", dir, "--replace-corrupt"}} {
		if _, say := command(t, exitUsage, args...); !strings.HasPrefix(say, "kvnode: half a restore: ") || !strings.Contains(say, dir) ||
			!strings.Contains(say, "run kvnode restore again") {
			t.Errorf("%v: %s", args, say)
		}
	}
	command(t, exitOK, "restore", "--data-dir", dir, good)
	if _, say := command(t, exitUsage, "restore", "--data-dir", dir, good); !strings.Contains(say, "is not empty") {
		t.Error(say)
	}
	log, err := disk.Open(dir, disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	}()
	saved := savedIn(t, good)
	records, _, err := log.Restore()
	for _, r := range records {
		if s, ok, broken := core.SavedOf(r); broken != nil || ok && saved[s.Key].Time != s.Time {
			t.Errorf("%s is there, of %v: %v", s.Key, s.Time, broken)
		} else if ok {
			delete(saved, s.Key)
		}
	}
	if len(saved) > 0 || err != nil {
		t.Errorf("%d keys are not there: %v", len(saved), err)
	}
}

// testOddNames wants nothing replaced but a backup, whatever the name says, and nothing followed that is in the way.
func testOddNames(t *testing.T, address, good string) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	precious := in("precious")
	err := errors.Join(os.WriteFile(precious, []byte("precious"), 0o600), os.Mkdir(in("directory"), 0o700), syscall.Mkfifo(in("pipe"), 0o600),
		os.Symlink(precious, in("link")), os.Symlink(in("nothing"), in("dangling")), os.Symlink(precious, in("new"+partSuffix)))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"directory", "pipe", "link", "dangling"} {
		if _, say := command(t, exitUsage, "backup", "--overwrite", address, in(name)); !strings.Contains(say, "no regular file") {
			t.Errorf("%s: %s", name, say)
		}
	}
	for _, name := range []string{"", in("missing") + "/"} {
		if _, say := command(t, exitUsage, "backup", address, name); !strings.Contains(say, "no name of a file") {
			t.Errorf("%q: %s", name, say)
		}
	}
	command(t, exitOK, "backup", address, in("new"))
	if text, err := os.ReadFile(precious); err != nil || string(text) != "precious" {
		t.Errorf("what half a backup linked to has become %q %v", text, err)
	}
	if info, err := os.Lstat(in("new")); err != nil || info.Mode() != 0o600 {
		t.Errorf("the backup is %v %v", info, err)
	}
	for _, name := range []string{"directory", "pipe"} {
		if _, say := command(t, exitUsage, "restore", "--data-dir", in("target"), good, in(name)); !strings.Contains(say, "no regular file") {
			t.Errorf("%s: %s", name, say)
		}
	}
	command(t, exitUsage, "restore", "--socket-address", "../nowhere", good)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, say := commandIn(ctx, t, exitFailed, "restore", "--data-dir", in("target"), good); !strings.Contains(say, good+": interrupted") {
		t.Error(say)
	}
	if _, err := os.Stat(in("target")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something is in the directory: %v", err)
	}
}
