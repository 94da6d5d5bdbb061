//go:build !js && !wasip1

package archtest

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"
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

// isSentinel accepts var ErrX = errors.New("…"), and fmt.Errorf with a constant
// format if it wraps nothing but other sentinels: an error that holds anything
// else could hold state.
func (w *walker) isSentinel(s *ast.ValueSpec) bool {
	if len(s.Values) != len(s.Names) {
		return false
	}
	for _, value := range s.Values {
		call, ok := value.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 || !w.isPlainConstant(call.Args[0]) {
			return false
		}
		if w.calls(call, "errors", "New") {
			continue
		}
		if !w.calls(call, "fmt", "Errorf") {
			return false
		}
		for _, arg := range call.Args[1:] {
			if !w.isPlainConstant(arg) && !w.namesSentinel(arg) {
				return false
			}
		}
	}
	return true
}

// isPlainConstant accepts constants of predeclared types, which have no methods.
func (w *walker) isPlainConstant(expr ast.Expr) bool {
	value := w.info.Types[expr]
	if value.Value == nil {
		return false
	}
	_, plain := types.Unalias(value.Type).(*types.Basic)
	return plain
}

// namesSentinel accepts an error variable of a package, this or another. Those
// of this package are judged where they are declared.
func (w *walker) namesSentinel(expr ast.Expr) bool {
	v := w.packageVar(expr)
	if v == nil || !types.Identical(v.Type(), types.Universe.Lookup("error").Type()) {
		return false
	}
	return strings.HasPrefix(v.Name(), "Err") || strings.HasPrefix(v.Name(), "err")
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
