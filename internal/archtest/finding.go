//go:build !js && !wasip1

package archtest

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
)

// A finding is one breach of the law. Line 0 stands for a whole directory.
type finding struct {
	file    string // slash-separated, relative to the root of the tree
	line    int
	rule    string
	message string
}

func (f finding) String() string {
	if f.line == 0 {
		return fmt.Sprintf("%s: %s: %s", f.file, f.rule, f.message)
	}
	return fmt.Sprintf("%s:%d: %s: %s", f.file, f.line, f.rule, f.message)
}

// report collects findings, at most one per line and rule.
type report struct {
	root     string // directory of the tree
	findings []finding
}

func (r *report) add(file string, line int, rule, format string, args ...any) {
	if rel, err := filepath.Rel(r.root, file); err == nil {
		file = filepath.ToSlash(rel)
	}
	known := func(f finding) bool { return f.file == file && f.line == line && f.rule == rule }
	if slices.ContainsFunc(r.findings, known) {
		return
	}
	r.findings = append(r.findings, finding{file, line, rule, fmt.Sprintf(format, args...)})
}

func (r *report) sorted() []finding {
	slices.SortFunc(r.findings, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line), cmp.Compare(a.rule, b.rule))
	})
	return r.findings
}
