//go:build !js && !wasip1

package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
)

// A tree is a directory of packages that the law applies to.
type tree struct {
	dir  string // absolute path of the root
	path string // import path of the root

	packages []*member
	graphs   []graph // the import graph of every build
}

// A graph holds packages and all that they import, keyed by import path.
type graph map[string]*listed

// A member is one package of the tree, its files read whatever their build
// constraints say.
type member struct {
	path    string // import path
	dir     string
	skipped []string // names of files that the zero build leaves out
	files   []source
}

type source struct {
	name    string
	test    bool
	imports []spec
}

// A spec is one import declaration.
type spec struct {
	path string
	line int
}

// builds are those whose import graphs must obey. A package whose files all
// carry a build tag is seen only if a build sets the tag.
var builds = []build{{}, {platform: "js"}, {platform: "wasip1"}, {tags: "docker,planted"}}

// load reads the packages below dir, whose import path is path.
func load(dir, path string) (*tree, error) {
	t := &tree{dir: dir, path: path}
	known := map[string]bool{}
	for _, b := range builds {
		list, err := goList(dir, b, "./...")
		if err != nil {
			return nil, err
		}
		g := graph{}
		for _, p := range list {
			g[p.ImportPath] = p
			if p.DepOnly || known[p.ImportPath] {
				continue
			}
			known[p.ImportPath] = true
			m := &member{path: p.ImportPath, dir: p.Dir, skipped: p.skipped()}
			if b != (build{}) {
				m.skipped = append(m.skipped, p.GoFiles...)
			}
			if err := m.parse(); err != nil {
				return nil, err
			}
			t.packages = append(t.packages, m)
		}
		t.graphs = append(t.graphs, g)
	}
	return t, nil
}

func (m *member) parse() error {
	names, err := filepath.Glob(filepath.Join(m.dir, "*.go"))
	if err != nil {
		return err
	}
	for _, name := range names {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, parser.ImportsOnly)
		if err != nil {
			return fmt.Errorf("archtest: %w", err)
		}
		m.files = append(m.files, source{
			name:    name,
			test:    strings.HasSuffix(name, "_test.go"),
			imports: specs(fset, file),
		})
	}
	return nil
}

func specs(fset *token.FileSet, file *ast.File) []spec {
	var list []spec
	for _, s := range file.Imports {
		path, err := strconv.Unquote(s.Path.Value)
		if err != nil {
			path = s.Path.Value // the parser has refused it already
		}
		list = append(list, spec{path, fset.Position(s.Pos()).Line})
	}
	return list
}
