// Package planted builds the tree with one deliberate change, without touching it: bugs that the
// simulator has to find, and constants that have to show in its digests.
//
// A change is a text file: a sentence, then "file" with a path from the root of the module, then the
// text "old" that occurs there exactly once, then the text "new" that takes its place.
package planted

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Overlay writes into dir what the go command needs to build the tree at root with the change in a
// file, and returns the argument for its -overlay flag. The error says what no longer fits.
func Overlay(root, change, dir string) (string, error) {
	text, err := os.ReadFile(change)
	if err != nil {
		return "", err
	}
	_, rest, ok1 := strings.Cut(string(text), "\nfile ")
	target, rest, ok2 := strings.Cut(rest, "\nold\n")
	old, replacement, ok3 := strings.Cut(rest, "new\n")
	if !ok1 || !ok2 || !ok3 {
		return "", fmt.Errorf("planted: %s lacks file, old or new", change)
	}
	if target, err = filepath.Abs(filepath.Join(root, target)); err != nil {
		return "", err
	}
	source, err := os.ReadFile(target)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(source), old); n != 1 {
		return "", fmt.Errorf("planted: the old text of %s occurs %d times in %s, want once; make it follow the code", change, n, target)
	}
	changed := filepath.Join(dir, "changed.go")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(source), old, replacement, 1)), 0o600); err != nil {
		return "", err
	}
	data, err := json.Marshal(map[string]map[string]string{"Replace": {target: changed}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, data, 0o600)
}
