//go:build !js && !wasip1

package archtest

import (
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// checked is a package after type-checking; errs are those of its code.
type checked struct {
	fset  *token.FileSet
	files []*ast.File
	info  *types.Info
	errs  []types.Error
}

// typeCheck checks packages of the tree for the host, without their tests.
// What they import comes from export data of the build cache.
func (t *tree) typeCheck(members []*member) ([]*checked, error) {
	if len(members) == 0 {
		return nil, nil
	}
	args := []string{"-export"}
	for _, m := range members {
		args = append(args, m.path)
	}
	list, err := goList(t.dir, build{}, args...)
	if err != nil {
		return nil, err
	}
	byPath := graph{}
	for _, p := range list {
		byPath[p.ImportPath] = p
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", byPath.openExport)
	var result []*checked
	for _, m := range members {
		c, err := checkOne(fset, imports, byPath[m.path])
		if err != nil {
			return nil, err
		}
		result = append(result, c)
	}
	return result, nil
}

func (g graph) openExport(path string) (io.ReadCloser, error) {
	p := g[path]
	if p == nil || p.Export == "" {
		return nil, fmt.Errorf("archtest: %s does not compile", path)
	}
	return os.Open(p.Export)
}

func checkOne(fset *token.FileSet, imports types.Importer, p *listed) (*checked, error) {
	c := &checked{fset: fset, info: &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{},
		Defs:  map[*ast.Ident]types.Object{},
		Uses:  map[*ast.Ident]types.Object{},

		Selections: map[*ast.SelectorExpr]*types.Selection{},
	}}
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("archtest: %w", err)
		}
		c.files = append(c.files, file)
	}
	config := types.Config{
		Importer: imports,
		Sizes:    types.SizesFor("gc", runtime.GOARCH),
		Error: func(err error) {
			var e types.Error
			if errors.As(err, &e) {
				c.errs = append(c.errs, e)
			}
		},
	}
	// The error is the first of those that were collected.
	_, _ = config.Check(p.ImportPath, fset, c.files, c.info)
	return c, nil
}
