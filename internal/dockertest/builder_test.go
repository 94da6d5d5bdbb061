//go:build docker

package dockertest

import (
	"archive/tar"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// standInLabel marks a builder image that these tests have made.
const standInLabel = "sequitur.stand-in"

// provideBuilder makes sure that there is a builder image. One that is there
// is used, else it is pulled. Only where that is impossible, on a machine without a
// registry, a stand-in is made under its name: the Go toolchain of this
// machine, the modules that kvnode needs, and busybox as the shell.
func (e *engine) provideBuilder(name string) error {
	label, err := command(e.ctx, "docker", "image", "inspect", "--format", `{{index .Config.Labels "`+standInLabel+`"}}`, name)
	if err == nil && label == "" {
		return nil
	}
	if err == nil { // a stand-in that an interrupted run has left: it may be outdated
		if err := e.remove("docker", "rmi", name); err != nil {
			return err
		}
	}
	_, pullError := command(e.ctx, "docker", "pull", "--quiet", name)
	if pullError == nil {
		return nil // as after any build, it stays
	}
	begin := time.Now()
	if err := e.importStandIn(name); err != nil {
		return fmt.Errorf("%s cannot be pulled, and no stand-in can be made: %w\n%w", name, err, pullError)
	}
	fmt.Printf("%s cannot be pulled; made a stand-in from the Go toolchain of this machine in %.0f s\n", name, time.Since(begin).Seconds())
	return nil
}

// importStandIn pipes a file system into "docker import".
func (e *engine) importStandIn(name string) error {
	e.images = append(e.images, name)
	args := []string{"import"}
	for _, change := range []string{ // as in the official image, but for the last two
		"ENV PATH=/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"ENV GOPATH=/go", "ENV GOTOOLCHAIN=local", "WORKDIR /go", `CMD ["sh"]`,
		"ENV GOPROXY=off", "LABEL " + standInLabel + "=yes",
	} {
		args = append(args, "--change", change)
	}
	c := exec.CommandContext(e.ctx, "docker", append(args, "-", name)...)
	var stderr strings.Builder
	c.Stderr = &stderr
	in, err := c.StdinPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	fileSystem := standIn{tar: tar.NewWriter(in)}
	writeError := fileSystem.write(e)
	in.Close()
	if err := c.Wait(); err != nil {
		return errors.Join(writeError, fmt.Errorf("docker import: %w\n%s", err, stderr.String()))
	}
	return writeError
}

// standIn writes the file system of the stand-in.
type standIn struct{ tar *tar.Writer }

func (s *standIn) write(e *engine) error {
	for _, part := range []func(*engine) error{s.system, s.toolchain, s.modules} {
		if err := part(e); err != nil {
			return err
		}
	}
	return s.tar.Close()
}

// system writes a shell and the few files that programs expect.
func (s *standIn) system(*engine) error {
	shell, err := exec.LookPath("busybox")
	if err != nil || !isStatic(shell) {
		return errors.New("it needs a static busybox as the shell; install the package busybox-static")
	}
	if err := s.file("bin/busybox", shell, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"sh", "cat", "cp", "env", "ls", "mkdir", "mv", "rm"} {
		if err := s.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "busybox", Mode: 0o777}); err != nil {
			return err
		}
	}
	for name, mode := range map[string]int64{"tmp/": 0o1777, "root/": 0o700, "go/": 0o755} {
		if err := s.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: mode}); err != nil {
			return err
		}
	}
	const users = "root:x:0:0:root:/root:/bin/sh\n"
	if err := s.tar.WriteHeader(&tar.Header{Name: "etc/passwd", Size: int64(len(users)), Mode: 0o644}); err != nil {
		return err
	}
	_, err = io.WriteString(s.tar, users)
	return err
}

// isStatic tells whether a program runs without any library.
func isStatic(name string) bool {
	program, err := elf.Open(name)
	if err != nil {
		return false
	}
	interpreted := slices.ContainsFunc(program.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
	return program.Close() == nil && !interpreted
}

// toolchain writes the Go toolchain that runs this test, without its own tests
// and documentation.
func (s *standIn) toolchain(e *engine) error {
	root, err := command(e.ctx, "go", "env", "GOROOT")
	if err != nil {
		return err
	}
	without := []string{"api", "doc", "misc", "test"}
	return filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if slices.Contains(without, rel) || entry.Name() == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() || strings.HasSuffix(rel, "_test.go") {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return s.file(path.Join("usr/local/go", filepath.ToSlash(rel)), file, info.Mode().Perm())
	})
}

// modules writes the module cache, as far as kvnode needs it.
func (s *standIn) modules(e *engine) error {
	list, err := command(e.ctx, "go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}@{{.Version}}{{end}}{{end}}", "./cmd/kvnode")
	if err != nil {
		return err
	}
	needed := strings.Fields(list)
	slices.Sort(needed)
	text, err := command(e.ctx, "go", append([]string{"mod", "download", "-json"}, slices.Compact(needed)...)...)
	if err != nil {
		return err
	}
	cache, err := command(e.ctx, "go", "env", "GOMODCACHE")
	if err != nil {
		return err
	}
	for decoder := json.NewDecoder(strings.NewReader(text)); ; {
		var module struct{ Info, GoMod, Zip string }
		if err := decoder.Decode(&module); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		for _, file := range []string{module.Info, module.GoMod, module.Zip, module.Zip + "hash"} {
			rel, err := filepath.Rel(cache, file)
			if err != nil {
				return err
			}
			if err := s.file(path.Join("go/pkg/mod", filepath.ToSlash(rel)), file, 0o644); err != nil {
				return err
			}
		}
	}
}

func (s *standIn) file(name, source string, mode fs.FileMode) error {
	f, err := os.Open(source)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := s.tar.WriteHeader(&tar.Header{Name: name, Size: info.Size(), Mode: int64(mode.Perm())}); err != nil {
		return err
	}
	_, err = io.Copy(s.tar, f)
	return err
}
