//go:build !js && !wasip1

package archtest

import (
	"go/ast"
	"go/token"
	"go/types"
)

// globals judges the package variables of a file: state that two machines in
// one process would share.
func (w *walker) globals(file *ast.File) {
	if ast.IsGenerated(file) {
		return
	}
	for _, declaration := range file.Decls {
		group, ok := declaration.(*ast.GenDecl)
		if !ok || group.Tok != token.VAR {
			continue
		}
		for _, s := range group.Specs {
			value := s.(*ast.ValueSpec)
			if !w.isSentinel(value) && !w.isAssertion(value) {
				w.add(value.Pos(), "global", "package variable %s: only error sentinels and interface assertions are allowed", value.Names[0].Name)
			}
		}
	}
}

// isSentinel accepts var ErrX = errors.New(…) and fmt.Errorf(…).
func (w *walker) isSentinel(s *ast.ValueSpec) bool {
	if len(s.Values) != len(s.Names) {
		return false
	}
	for _, value := range s.Values {
		call, ok := value.(*ast.CallExpr)
		if !ok || !w.calls(call, "errors", "New") && !w.calls(call, "fmt", "Errorf") {
			return false
		}
	}
	return true
}

func (w *walker) calls(call *ast.CallExpr, path, name string) bool {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	object := w.info.Uses[selector.Sel]
	return object != nil && object.Pkg() != nil && object.Pkg().Path() == path && object.Name() == name
}

// isAssertion accepts var _ I = value where I is an interface and value calls
// no function.
func (w *walker) isAssertion(s *ast.ValueSpec) bool {
	if s.Type == nil || len(s.Names) != 1 || s.Names[0].Name != "_" || len(s.Values) != 1 {
		return false
	}
	if !types.IsInterface(w.info.TypeOf(s.Type)) {
		return false
	}
	quiet := true
	ast.Inspect(s.Values[0], func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			fun := w.info.Types[call.Fun]
			quiet = quiet && (fun.IsType() || fun.IsBuiltin())
		}
		return true
	})
	return quiet
}

// mutation reports that a package variable, of this or another package, is
// written or has its address taken.
func (w *walker) mutation(target ast.Expr) {
	var id *ast.Ident
	switch e := ast.Unparen(target).(type) {
	case *ast.Ident:
		id = e
	case *ast.SelectorExpr:
		id = e.Sel
	default:
		return
	}
	v, ok := w.info.Uses[id].(*types.Var)
	if ok && !v.IsField() && v.Pkg() != nil && v.Parent() == v.Pkg().Scope() {
		w.add(target.Pos(), "global", "package variable %s is shared; it must not change", v.Name())
	}
}
