//go:build !js && !wasip1

package archtest

import (
	"go/ast"
	"go/token"
	"go/types"
)

// mutations looks at every node that can write to a variable, or that hands
// out a way to write to it.
func (w *walker) mutations(node ast.Node) {
	switch n := node.(type) {
	case *ast.AssignStmt:
		for _, target := range n.Lhs {
			w.mutation(target)
		}
	case *ast.IncDecStmt:
		w.mutation(n.X)
	case *ast.RangeStmt:
		w.mutation(n.Key)
		w.mutation(n.Value)
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			w.mutation(n.X)
		}
	case *ast.SliceExpr:
		if _, ok := underlying(w.info.TypeOf(n.X)).(*types.Array); ok {
			w.mutation(n.X)
		}
	case *ast.SelectorExpr:
		if w.takesAddress(n) {
			w.mutation(n.X)
		}
	case *ast.CallExpr:
		if w.writesArgument(n) {
			w.mutation(n.Args[0])
		}
	}
}

// takesAddress reports whether a method with a pointer receiver is selected
// from a value, which passes the address of the value.
func (w *walker) takesAddress(n *ast.SelectorExpr) bool {
	selection := w.info.Selections[n]
	if selection == nil || selection.Kind() != types.MethodVal {
		return false
	}
	receiver := selection.Obj().(*types.Func).Signature().Recv()
	if receiver == nil {
		return false
	}
	_, byPointer := underlying(receiver.Type()).(*types.Pointer)
	_, isPointer := underlying(selection.Recv()).(*types.Pointer)
	return byPointer && !isPointer
}

// writesArgument reports whether a call is of a builtin that writes through its
// first argument. append does where the capacity suffices.
func (w *walker) writesArgument(n *ast.CallExpr) bool {
	id, ok := ast.Unparen(n.Fun).(*ast.Ident)
	if !ok || len(n.Args) == 0 {
		return false
	}
	builtin, ok := w.info.Uses[id].(*types.Builtin)
	if !ok {
		return false
	}
	switch builtin.Name() {
	case "append", "clear", "copy", "delete":
		return true
	}
	return false
}

// mutation reports that target is, or lies within, or is reached through, a
// package variable of this or another package.
func (w *walker) mutation(target ast.Expr) {
	for expr := target; expr != nil; {
		if v := w.packageVar(expr); v != nil {
			w.add(target.Pos(), "global", "package variable %s is shared; it must not change", v.Name())
			return
		}
		expr = container(expr)
	}
}

// container returns the operand whose value expr is a part of or is reached
// through, nil if there is none.
func container(expr ast.Expr) ast.Expr {
	switch e := expr.(type) {
	case *ast.ParenExpr:
		return e.X
	case *ast.SelectorExpr:
		return e.X
	case *ast.IndexExpr:
		return e.X
	case *ast.SliceExpr:
		return e.X
	case *ast.StarExpr:
		return e.X
	case *ast.TypeAssertExpr:
		return e.X
	}
	return nil
}

// packageVar returns the package variable that expr names, nil if it names
// something else.
func (w *walker) packageVar(expr ast.Expr) *types.Var {
	var id *ast.Ident
	switch e := ast.Unparen(expr).(type) {
	case *ast.Ident:
		id = e
	case *ast.SelectorExpr:
		id = e.Sel
	default:
		return nil
	}
	v, ok := w.info.Uses[id].(*types.Var)
	if !ok || v.IsField() || v.Pkg() == nil || v.Parent() != v.Pkg().Scope() {
		return nil
	}
	return v
}

func underlying(t types.Type) types.Type {
	if t == nil {
		return nil
	}
	return t.Underlying()
}
