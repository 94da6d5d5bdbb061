// Package planted builds the tree with one deliberate change, without touching it: bugs that the
// simulator has to find, and constants that have to show in its digests.
//
// A change is a text file: a sentence, then one or more of: "file" with a path from the root of the
// module, then the text "old" that occurs there exactly once, then the text "new" that takes its
// place. Several changes of one file apply one after the other.
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
	_, blocks, found := strings.Cut(string(text), "\nfile ")
	if !found {
		return "", fmt.Errorf("planted: %s names no file to change", change)
	}
	replace := make(map[string]string)
	for block := range strings.SplitSeq(blocks, "\nfile ") {
		if err := apply(root, change, dir, block, replace); err != nil {
			return "", err
		}
	}
	data, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, data, 0o600)
}

// apply makes one replacement; replace maps the files changed so far to their changed copies in dir.
func apply(root, change, dir, block string, replace map[string]string) error {
	name, rest, ok1 := strings.Cut(block, "\nold\n")
	old, replacement, ok2 := strings.Cut(rest, "new\n")
	if !ok1 || !ok2 || old == "" {
		return fmt.Errorf("planted: %s lacks file, old or new", change)
	}
	target, err := filepath.Abs(filepath.Join(root, name))
	if err != nil {
		return err
	}
	changed, again := replace[target]
	source := changed
	if !again {
		changed, source = filepath.Join(dir, fmt.Sprintf("changed%d.go", len(replace))), target
	}
	text, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	if n := strings.Count(string(text), old); n != 1 {
		return fmt.Errorf("planted: the old text of %s occurs %d times in %s, want once; make it follow the code", change, n, target)
	}
	if !strings.HasSuffix(replacement, "\n") && strings.HasSuffix(old, "\n") && replacement != "" {
		replacement += "\n" // the separator of the next block took it
	}
	replace[target] = changed
	return os.WriteFile(changed, []byte(strings.Replace(string(text), old, replacement, 1)), 0o600)
}
