//go:build !js && !wasip1

package archtest

import "go/types"

// forbiddenType returns the rule that a value of type t breaks, "" if none.
func forbiddenType(t types.Type) (rule, why string) {
	if tuple, ok := t.(*types.Tuple); ok {
		for v := range tuple.Variables() {
			if rule, why := forbiddenType(v.Type()); rule != "" {
				return rule, why
			}
		}
		return "", ""
	}
	if t == nil {
		return "", ""
	}
	switch u := t.Underlying().(type) {
	case *types.Basic:
		if u.Info()&(types.IsFloat|types.IsComplex) != 0 {
			return "float", t.String() + ": rounding may differ between platforms; use integers"
		}
	case *types.Chan:
		return "channel", t.String() + ": the order of its values depends on the scheduler"
	}
	return "", ""
}

func isMap(t types.Type) bool  { _, ok := t.Underlying().(*types.Map); return ok }
func isChan(t types.Type) bool { _, ok := t.Underlying().(*types.Chan); return ok }

// anyTerm reports whether t, or for a type parameter any type in its
// constraint, satisfies the predicate.
func anyTerm(t types.Type, is func(types.Type) bool) bool {
	if t == nil {
		return false
	}
	param, ok := types.Unalias(t).(*types.TypeParam)
	if !ok {
		return is(t)
	}
	return anyInConstraint(param.Constraint(), is, map[types.Type]bool{})
}

func anyInConstraint(t types.Type, is func(types.Type) bool, seen map[types.Type]bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	switch u := t.Underlying().(type) {
	case *types.Interface:
		for embedded := range u.EmbeddedTypes() {
			if anyInConstraint(embedded, is, seen) {
				return true
			}
		}
		return false
	}
	if union, ok := t.(*types.Union); ok {
		for term := range union.Terms() {
			if anyInConstraint(term.Type(), is, seen) {
				return true
			}
		}
		return false
	}
	return is(t)
}
