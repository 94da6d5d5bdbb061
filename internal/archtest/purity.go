//go:build !js && !wasip1

package archtest

import (
	"go/ast"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
)

// checkPurity judges the code of the pure packages, tests excluded.
func (t *tree) checkPurity(r *report) error {
	var pure []*member
	for _, m := range t.packages {
		if law := lawFor(t.local(m.path)); law != nil && law.pure {
			pure = append(pure, m)
			checkSkipped(r, m)
		}
	}
	all, err := t.typeCheck(pure)
	if err != nil {
		return err
	}
	for _, c := range all {
		for _, e := range c.errs {
			at := c.fset.Position(e.Pos)
			r.add(at.Filename, at.Line, "load", "the guard cannot check this: %s", e.Msg)
		}
		for _, file := range c.files {
			w := walker{report: r, checked: c}
			ast.Inspect(file, w.visit)
			w.globals(file)
		}
		checkDefs(r, c)
	}
	return nil
}

// checkSkipped insists that the guard sees every file: one that the host leaves
// out could hide anything.
func checkSkipped(r *report, m *member) {
	for _, name := range m.skipped {
		if !strings.HasSuffix(name, "_test.go") {
			r.add(filepath.Join(m.dir, name), 1, "constraint", "%s is not part of the package on every platform", name)
		}
	}
}

// checkDefs finds variables of a forbidden type that no type expression
// names: those that := or range declare.
func checkDefs(r *report, c *checked) {
	for id, object := range c.info.Defs {
		if v, ok := object.(*types.Var); ok {
			if rule, why := forbiddenType(v.Type()); rule != "" {
				at := c.fset.Position(id.Pos())
				r.add(at.Filename, at.Line, rule, "%s", why)
			}
		}
	}
}

// A walker judges one file, node by node.
type walker struct {
	report *report
	*checked
}

func (w *walker) add(pos token.Pos, rule, format string, args ...any) {
	at := w.fset.Position(pos)
	w.report.add(at.Filename, at.Line, rule, format, args...)
}

func (w *walker) visit(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.GoStmt:
		w.add(n.Pos(), "go", "go statement: the scheduler decides the order")
	case *ast.SelectStmt:
		w.add(n.Pos(), "select", "select: the runtime chooses a ready case at random")
	case *ast.SendStmt:
		w.add(n.Pos(), "channel", "channel send")
	case *ast.UnaryExpr:
		w.unary(n)
	case *ast.RangeStmt:
		w.ranges(n)
	case *ast.BasicLit:
		if n.Kind == token.FLOAT || n.Kind == token.IMAG {
			w.add(n.Pos(), "float", "literal %s: use an integer or a ratio of integers", n.Value)
		}
	case *ast.Ident:
		w.ident(n)
	}
	w.mutations(node)
	if expr, ok := node.(ast.Expr); ok {
		w.expr(expr)
	}
	return true
}

func (w *walker) expr(expr ast.Expr) {
	value, ok := w.info.Types[expr]
	if !ok {
		return
	}
	if rule, why := forbiddenType(value.Type); rule != "" {
		w.add(expr.Pos(), rule, "%s", why)
	}
	w.address(expr, value)
}

func (w *walker) unary(n *ast.UnaryExpr) {
	if n.Op == token.ARROW {
		w.add(n.Pos(), "channel", "channel receive")
	}
}

func (w *walker) ranges(n *ast.RangeStmt) {
	t := w.info.TypeOf(n.X)
	if anyTerm(t, isMap) {
		w.add(n.Pos(), "maprange", "range over a map visits it in random order; keep a sorted slice beside the map")
	}
	if anyTerm(t, isChan) {
		w.add(n.Pos(), "channel", "range over a channel")
	}
}

func (w *walker) ident(id *ast.Ident) {
	switch object := w.info.Uses[id].(type) {
	case nil:
	case *types.Builtin:
		switch object.Name() {
		case "close":
			w.add(id.Pos(), "channel", "channel close")
		case "print", "println":
			w.add(id.Pos(), "io", "%s writes to standard error", object.Name())
		}
	default:
		if v, ok := vocabularyOf(object); ok && slices.Contains(v.names, object.Name()) != v.except {
			w.add(id.Pos(), v.rule, "%s.%s: %s", object.Pkg().Path(), object.Name(), v.why)
		}
	}
}

// vocabularyOf finds the vocabulary that a package-level name falls under.
func vocabularyOf(object types.Object) (vocabulary, bool) {
	if object.Pkg() == nil || object.Parent() != object.Pkg().Scope() {
		return vocabulary{}, false
	}
	v, ok := vocabularies[object.Pkg().Path()]
	return v, ok
}
