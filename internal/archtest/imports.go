//go:build !js && !wasip1

package archtest

import (
	"slices"
	"strings"
)

// local writes an import path of the tree as "./rel", and leaves any other.
func (t *tree) local(path string) string {
	if path == t.path {
		return "."
	}
	if rel, ok := strings.CutPrefix(path, t.path+"/"); ok {
		return "./" + rel
	}
	return path
}

// lawFor returns the row that decides for a local path, nil if there is none.
func lawFor(local string) *row {
	for i := range table {
		if match(table[i].packages, local) {
			return &table[i]
		}
	}
	return nil
}

func match(pattern, path string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == prefix || strings.HasPrefix(path, prefix+"/")
	}
	return path == pattern
}

func matchAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(p, path) })
}

// isStd reports whether path belongs to the standard library, whose first
// element never has a dot.
func isStd(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// checkImports judges every import declaration of every file.
func (t *tree) checkImports(r *report) {
	for _, m := range t.packages {
		law := lawFor(t.local(m.path))
		if law == nil {
			r.add(m.dir, 0, "policy", "no row of the table in policy.go covers this package")
			continue
		}
		for _, file := range m.files {
			for _, s := range file.imports {
				if why := t.refusal(law, m, s.path, file.test); why != "" {
					r.add(file.name, s.line, "import", "%s may not import %s: %s", t.local(m.path), t.local(s.path), why)
				}
			}
		}
	}
}

// refusal says why a file may not import path; "" means that it may.
func (t *tree) refusal(law *row, m *member, path string, test bool) string {
	local := t.local(path)
	if isStd(path) && local == path {
		return stdRefusal(law, path, test)
	}
	if test && (path == m.path || matchAny(testLibraries, local) || matchAny(law.testAllow, local)) {
		return ""
	}
	if matchAny(law.except, local) {
		return "the row " + law.packages + " excepts it"
	}
	if !matchAny(law.allow, local) {
		return "it is not in the allowlist of " + law.packages
	}
	return ""
}

func stdRefusal(law *row, path string, test bool) string {
	switch {
	case !law.pure:
		return ""
	case test && matchAny(pureTestNever, path):
		return "the tests of a pure package also run as WebAssembly"
	case !test && !matchAny(pureStd, path) && !matchAny(law.std, path):
		return "it is not in the pure part of the standard library"
	}
	return ""
}

// checkReach judges what packages reach through others, in every build.
func (t *tree) checkReach(r *report) {
	for _, m := range t.packages {
		law := lawFor(t.local(m.path))
		if law == nil {
			continue
		}
		for _, g := range t.graphs {
			for _, pattern := range law.never {
				if chain := t.chain(g, m.path, pattern); chain != nil {
					t.reportChain(r, m, chain)
				}
			}
		}
	}
}

// chain returns the shortest path of imports from a package to one that
// matches pattern, nil if there is none.
func (t *tree) chain(g graph, from, pattern string) []string {
	parent := map[string]string{from: ""}
	queue := []string{from}
	for len(queue) > 0 {
		path := queue[0]
		queue = queue[1:]
		if path != from && match(pattern, t.local(path)) {
			var chain []string
			for ; path != ""; path = parent[path] {
				chain = append(chain, path)
			}
			slices.Reverse(chain)
			return chain
		}
		for _, next := range g.importsOf(path) {
			if _, seen := parent[next]; !seen {
				parent[next] = path
				queue = append(queue, next)
			}
		}
	}
	return nil
}

// importsOf is sorted, as go list leaves it, so that the same tree always gives
// the same chain.
func (g graph) importsOf(path string) []string {
	if p := g[path]; p != nil {
		return p.Imports
	}
	return nil
}

// reportChain blames the import declaration that opens the chain.
func (t *tree) reportChain(r *report, m *member, chain []string) {
	names := make([]string, len(chain))
	for i, path := range chain {
		names[i] = t.local(path)
	}
	text := strings.Join(names, " → ")
	for _, file := range m.files {
		for _, s := range file.imports {
			if s.path == chain[1] && !file.test {
				r.add(file.name, s.line, "reach", "%s must not reach %s: %s", names[0], names[len(names)-1], text)
				return
			}
		}
	}
	r.add(m.dir, 0, "reach", "%s must not reach %s: %s", names[0], names[len(names)-1], text)
}
