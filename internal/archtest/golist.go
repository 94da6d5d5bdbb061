//go:build !js && !wasip1

package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
)

// listed is what go list says about a package.
type listed struct {
	ImportPath string
	Dir        string
	Export     string // file of its export data, with -export only
	DepOnly    bool
	Imports    []string
	GoFiles    []string

	IgnoredGoFiles, CgoFiles, SFiles, CFiles, SysoFiles []string
}

// skipped names the files that the type checker does not see.
func (p *listed) skipped() []string {
	return slices.Concat(p.IgnoredGoFiles, p.CgoFiles, p.SFiles, p.CFiles, p.SysoFiles)
}

// A build decides which files a package consists of. The zero value is the
// host without build tags.
type build struct {
	platform string // a GOOS, for which GOARCH is wasm
	tags     string // separated by commas
}

// goList lists packages and all their dependencies. Errors within packages are
// left to who reads them.
func goList(dir string, b build, args ...string) ([]*listed, error) {
	flags := []string{"list", "-e", "-deps", "-json", "-tags=" + b.tags}
	cmd := exec.Command("go", append(flags, args...)...)
	cmd.Dir = dir
	// Without PWD the go command would resolve links in the path of dir.
	cmd.Env = append(os.Environ(), "PWD="+dir)
	if b.platform != "" {
		cmd.Env = append(cmd.Env, "GOOS="+b.platform, "GOARCH=wasm")
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("archtest: go list %v: %w\n%s", args, err, stderr.Bytes())
	}
	var list []*listed
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		p := new(listed)
		if err := decoder.Decode(p); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, fmt.Errorf("archtest: go list %v: %w", args, err)
		}
		list = append(list, p)
	}
}
