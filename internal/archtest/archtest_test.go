//go:build !js && !wasip1

package archtest

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const modulePath = "github.com/sequitur-kv/sequitur"

func TestModuleObeysTheLaw(t *testing.T) {
	tree, findings := mustCheck(t, filepath.Join("..", ".."), modulePath)
	for _, f := range findings {
		t.Errorf("%s", f)
	}
	if len(tree.packages) == 1 {
		t.Errorf("only %s was found: the guard sees nothing else of the module", tree.packages[0].path)
	}
}

// TestGuardCatchesPlantedViolations compares the findings in testdata/planted
// with its comments: // want "regexp" expects one finding "rule: message" on
// its line, and each finding must be expected.
func TestGuardCatchesPlantedViolations(t *testing.T) {
	tree, findings := mustCheck(t, filepath.Join("testdata", "planted"), fixturePath("planted"))
	want := wantedIn(t, tree)
	for _, f := range findings {
		if !take(want, f) {
			t.Errorf("unexpected finding: %s", f)
		}
	}
	for place, patterns := range want {
		for _, p := range patterns {
			t.Errorf("%s: the guard missed %q", place, p)
		}
	}
}

// TestEveryRuleHasAFixture keeps a rule from being switched off unnoticed.
func TestEveryRuleHasAFixture(t *testing.T) {
	_, findings := mustCheck(t, filepath.Join("testdata", "planted"), fixturePath("planted"))
	caught := map[string]bool{}
	for _, f := range findings {
		caught[f.rule] = true
	}
	rules := "address channel clock constraint float global go import io load maprange policy rand reach runtime select"
	for _, rule := range strings.Fields(rules) {
		if !caught[rule] {
			t.Errorf("no fixture breaks rule %q", rule)
		}
		delete(caught, rule)
	}
	for rule := range caught {
		t.Errorf("rule %q is missing from this list", rule)
	}
}

func TestGuardAcceptsTheCleanTree(t *testing.T) {
	tree, findings := mustCheck(t, filepath.Join("testdata", "clean"), fixturePath("clean"))
	for _, f := range findings {
		t.Errorf("%s", f)
	}
	covered := map[string]bool{}
	for _, m := range tree.packages {
		if law := lawFor(tree.local(m.path)); law != nil {
			covered[law.packages] = true
		}
	}
	for _, law := range table {
		if !covered[law.packages] && law.packages != "./internal/archtest" {
			t.Errorf("the clean tree has no package for row %s", law.packages)
		}
	}
}

func TestMatch(t *testing.T) {
	cases := []struct {
		pattern, path string
		want          bool
	}{
		{"./core", "./core", true},
		{"./core", "./core/shard", false},
		{"./core/...", "./core", true},
		{"./core/...", "./core/shard/ring", true},
		{"./core/...", "./corelib", false},
		{pebble, "github.com/cockroachdb/pebble/vfs", true},
		{pebble, "github.com/cockroachdb/pebble/v2", true},
		{"net/http", "net/http/httptest", false},
	}
	for _, c := range cases {
		if got := match(c.pattern, c.path); got != c.want {
			t.Errorf("match(%q, %q) = %v, want %v", c.pattern, c.path, got, c.want)
		}
	}
}

func fixturePath(name string) string {
	return modulePath + "/internal/archtest/testdata/" + name
}

func mustCheck(t *testing.T, dir, path string) (*tree, []finding) {
	t.Helper()
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	tree, findings, err := check(dir, path)
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.packages) == 0 {
		t.Fatalf("no packages below %s", dir)
	}
	return tree, findings
}

// wantComment holds patterns in double quotes. want-package expects findings
// about the directory, which have no line.
var (
	wantComment = regexp.MustCompile(`// want(-package)?((?: "[^"]*")+)$`)
	wantPattern = regexp.MustCompile(`"([^"]*)"`)
)

// wantedIn reads the expectations of all files of the tree, keyed by
// "file:line", or "dir:0".
func wantedIn(t *testing.T, tree *tree) map[string][]string {
	t.Helper()
	want := map[string][]string{}
	for _, m := range tree.packages {
		names, err := filepath.Glob(filepath.Join(m.dir, "*.*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if err := readWants(tree.dir, name, want); err != nil {
				t.Fatal(err)
			}
		}
	}
	return want
}

func readWants(root, name string, want map[string][]string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	rel, err := filepath.Rel(root, name)
	if err != nil {
		return err
	}
	rel = filepath.ToSlash(rel)
	lines := bufio.NewScanner(file)
	for line := 1; lines.Scan(); line++ {
		found := wantComment.FindStringSubmatch(lines.Text())
		if found == nil {
			continue
		}
		place := fmt.Sprintf("%s:%d", rel, line)
		if found[1] != "" {
			place = filepath.ToSlash(filepath.Dir(rel)) + ":0"
		}
		for _, p := range wantPattern.FindAllStringSubmatch(found[2], -1) {
			want[place] = append(want[place], p[1])
		}
	}
	return lines.Err()
}

// take removes the expectation that the finding meets.
func take(want map[string][]string, f finding) bool {
	place := fmt.Sprintf("%s:%d", f.file, f.line)
	for i, p := range want[place] {
		if regexp.MustCompile(p).MatchString(f.rule + ": " + f.message) {
			want[place] = append(want[place][:i:i], want[place][i+1:]...)
			return true
		}
	}
	return false
}
