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

// goList lists packages and all their dependencies. Errors within packages are
// left to who reads them. platform is a GOOS with GOARCH=wasm, "" the host.
func goList(dir, platform string, args ...string) ([]*listed, error) {
	cmd := exec.Command("go", append([]string{"list", "-e", "-deps", "-json"}, args...)...)
	cmd.Dir = dir
	// Without PWD the go command would resolve links in the path of dir.
	cmd.Env = append(os.Environ(), "PWD="+dir)
	if platform != "" {
		cmd.Env = append(cmd.Env, "GOOS="+platform, "GOARCH=wasm")
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
