//go:build !js && !wasip1

package archtest

// check applies the law to the packages below dir, whose import path is path.
// The findings are sorted by place; err means that the tree could not be read.
func check(dir, path string) (*tree, []finding, error) {
	t, err := load(dir, path)
	if err != nil {
		return nil, nil, err
	}
	r := &report{root: dir}
	t.checkImports(r)
	t.checkReach(r)
	if err := t.checkPurity(r); err != nil {
		return nil, nil, err
	}
	return t, r.sorted(), nil
}
