//go:build docker

package dockertest

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/internal/apitest"
)

// user is the number that the image runs as.
const user = 65532

// TestImage looks at what was built.
func TestImage(t *testing.T) {
	size, err := strconv.Atoi(rig.docker(t, "image", "inspect", "--format", "{{.Size}}", rig.image))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the image has %.1f MB", float64(size)/1e6)
	if size > 20e6 {
		t.Errorf("the image has %d bytes", size)
	}
	for format, want := range map[string]string{
		"{{.Config.User}}":                  fmt.Sprintf("%d:%d", user, user),
		"{{json .Config.ExposedPorts}}":     `{"8085/tcp":{}}`,
		"{{json .Config.Entrypoint}}":       `["/kvnode"]`,
		"{{json .Config.Healthcheck.Test}}": `["CMD","/kvnode","healthcheck"]`,
	} {
		if got := rig.docker(t, "image", "inspect", "--format", format, rig.image); got != want {
			t.Errorf("%s is %s, want %s", format, got, want)
		}
	}
	if got := rig.docker(t, "run", "--rm", rig.image, "version"); !strings.HasPrefix(got, "kvnode ") {
		t.Errorf("version prints %q", got)
	}
}

// TestFiles reads the file system of a container: what is not the engine's is
// the program and its data directory.
func TestFiles(t *testing.T) {
	name := rig.name("files")
	rig.containers = append(rig.containers, name)
	t.Cleanup(func() {
		if err := rig.removeContainer(name); err != nil {
			t.Error(err)
		}
	})
	rig.docker(t, "create", "--name="+name, rig.image)
	text, err := command(rig.ctx, "docker", "export", name)
	if err != nil {
		t.Fatal(err)
	}
	engines := []string{".dockerenv", "dev", "etc", "proc", "sys"}
	var ours []string
	for files := tar.NewReader(strings.NewReader(text)); ; {
		file, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if first, _, _ := strings.Cut(file.Name, "/"); !slices.Contains(engines, first) {
			ours = append(ours, file.Name)
		}
		if file.Name == "data/" && (file.Uid != user || file.Gid != user) {
			t.Errorf("/data belongs to %d:%d", file.Uid, file.Gid)
		}
	}
	if slices.Sort(ours); !slices.Equal(ours, []string{"data/", "kvnode"}) {
		t.Errorf("the image has the files %q", ours)
	}
}

// TestOneNode runs a container without any setting, and without what it does
// not need: a writable file system beside its data, privileges. Then it is killed and started again.
func TestOneNode(t *testing.T) {
	port := strconv.Itoa(freePort(t))
	rig.run(t, t, "one", "-p", port+":8085", "--read-only", "-v", "/data", "--cap-drop=ALL", "--security-opt=no-new-privileges", rig.image)
	c, url := newClient(rig.ctx), "http://127.0.0.1:"+port
	c.Until(t, 20*time.Second, url, apitest.ViewPath, func(a apitest.Answer) bool { return a.Members["view"] == "localhost:8085" })
	const key = apitest.KeysPath + "x"
	apitest.Play(t, c, []string{url}, nil, []apitest.Row{
		{Method: "PUT", Path: key, Body: `{"value":"1"}`, Status: 201, Want: apitest.Added, Save: "a"},
		{Method: "GET", Path: key, Status: 200, Want: apitest.Found("{a}", `"1"`, "1")},
	})
	// A line of titles, and one process.
	processes := strings.Fields(rig.docker(t, "top", rig.name("one"), "-o", "pid,uid,gid,comm"))
	if want := []string{strconv.Itoa(user), strconv.Itoa(user), "kvnode"}; !slices.Equal(processes[min(5, len(processes)):], want) {
		t.Errorf("processes: %q", processes)
	}
	rig.docker(t, "exec", rig.name("one"), "/kvnode", "healthcheck")
	rig.docker(t, "kill", rig.name("one"))
	rig.docker(t, "start", rig.name("one"))
	c.Until(t, viewTime, url, key, func(a apitest.Answer) bool { return a.Members["value"] == "1" })
	rig.stop(t, rig.name("one"))
}

// TestFullDisk writes to a node until its disk is full: it goes on with reading.
func TestFullDisk(t *testing.T) {
	const room, reserve = 128 << 20, 48 << 20
	port := strconv.Itoa(freePort(t))
	rig.run(t, t, "full", "-p", port+":8085", "-e", fmt.Sprintf("MIN_FREE=%d", reserve), "--tmpfs", fmt.Sprintf("/data:size=%d,uid=%d,gid=%d", room, user, user), rig.image)
	c, url := newClient(rig.ctx), "http://127.0.0.1:"+port
	c.Until(t, 20*time.Second, url, apitest.ViewPath, func(a apitest.Answer) bool { return a.Members["view"] == "localhost:8085" })
	value := `{"value":"` + strings.Repeat("x", 64<<10) + `"}`
	path := func(i int) string { return fmt.Sprintf("%s%d", apitest.KeysPath, i) }
	written, refused := 0, ""
	for ; refused == "" && written < 10*room>>16; written++ {
		a, err := c.Try(url, "PUT", path(written), value)
		if err != nil {
			t.Fatalf("after %d values: %v", written, err)
		}
		if a.Status != 201 {
			refused, _ = a.Members["error"].(string)
			break
		}
	}
	if want := "The disk of localhost:8085 is full; nothing was written."; !strings.HasPrefix(refused, want) {
		t.Errorf("after %d values: %q, want %q", written, refused, want)
	}
	for i := range written {
		if a, err := c.Try(url, "GET", path(i), ""); err != nil || a.Status != 200 {
			t.Fatalf("value %d of %d: %v %v", i, written, a, err)
		}
	}
	t.Logf("%d values of 64 KiB fit", written)
}

// TestWrongSettings wants exit code 2 and a sentence.
func TestWrongSettings(t *testing.T) {
	for _, test := range []struct{ variable, want string }{
		{"SHARD_COUNT=2", "2 shards need at least 4 nodes"},
		{"VIEW=10.10.0.2:8085,10.10.0.3:8085", "VIEW is given without SOCKET_ADDRESS"},
		{"SOCKET_ADDRESS=10.10.0.2", "an address is host:port"},
	} {
		_, err := command(rig.ctx, "docker", "run", "--rm", "-e", test.variable, rig.image)
		if err == nil || !strings.Contains(err.Error(), "exit status 2\n") || !strings.Contains(err.Error(), "kvnode: "+test.want) {
			t.Errorf("%s: %v", test.variable, err)
		}
	}
}
