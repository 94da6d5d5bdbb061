package planted

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// Bug is a planted bug: a change, and where it shows.
type Bug struct {
	Name     string // of its file, without the ending
	File     string
	Sentence string // what is wrong
	Rule     string // that it breaks, and where SPEC.md has it: a line "rule SECTION: TEXT"; "" for most of the data plane
	Scenario string // that finds it; "standard" unless the file has a line "scenario NAME"
	// Script is the golden script, below the root, that finds what no scenario reaches: a line "script PATH".
	Script string
	// Test is the test that does, of a layer below the scripts: a line "test PACKAGE NAME".
	Test string
	// Configuration tells whether the bug is in the layer that decides who owns what: a line "layer configuration".
	Configuration bool
}

// Capsule is the file of the stored capsule that shows the bug.
func (b *Bug) Capsule() string { return strings.TrimSuffix(b.File, ".txt") + ".capsule" }

// constantPrefix begins the names of changes that are no bugs.
const constantPrefix = "constant-"

// List reads the changes in a folder.
func List(dir string) (bugs []Bug, constants []string, err error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		if strings.HasPrefix(filepath.Base(name), constantPrefix) {
			constants = append(constants, name)
			continue
		}
		bug, err := Read(name)
		if err != nil {
			return nil, nil, err
		}
		bugs = append(bugs, bug)
	}
	return bugs, constants, nil
}

// Read reads what the head of a change says.
func Read(file string) (Bug, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Bug{}, err
	}
	head, _, _ := strings.Cut(string(text), "\nfile ")
	sentence, rest, _ := strings.Cut(head, "\n")
	bug := Bug{Name: strings.TrimSuffix(filepath.Base(file), ".txt"), File: file, Sentence: sentence, Scenario: "standard"}
	for line := range strings.Lines(rest) {
		switch word, value, _ := strings.Cut(strings.TrimSpace(line), " "); {
		case word == "rule":
			bug.Rule = value
		case word == "scenario":
			bug.Scenario = value
		case word == "script":
			bug.Script = value
		case word == "test":
			bug.Test = value
		case word == "layer" && value == "configuration":
			bug.Configuration = true
		default:
			return bug, fmt.Errorf("planted: %s: %q is unknown; known are rule, scenario, script, test and layer configuration", file, line)
		}
	}
	return bug, nil
}

// Build makes the simulator of the tree at root with a change, "" for none, in dir, and returns its file.
func Build(ctx context.Context, root, change, dir string) (string, error) {
	binary, err := filepath.Abs(filepath.Join(dir, "simulate.exe"))
	if err != nil {
		return "", err
	}
	args := []string{"build", "-o", binary}
	if change != "" {
		overlay, err := Overlay(root, change, dir)
		if err != nil {
			return "", err
		}
		args = append(args, "-overlay", overlay)
	}
	command := exec.CommandContext(ctx, "go", append(args, "./cmd/simulate")...)
	command.Dir = root
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("planted: %s does not compile: %w\n%s", change, err, output)
	}
	return binary, nil
}

// Aimed tells whether the bug is looked for by a script or a test, and by which.
func (b *Bug) Aimed() (what string, ok bool) {
	switch {
	case b.Script != "":
		return "script " + strings.TrimPrefix(b.Script, "core/"), true
	case b.Test != "":
		return "test " + strings.TrimPrefix(b.Test, "core/"), true
	}
	return "", false
}

// AimedFails runs the script or test of a bug with the bug planted, and without it: it tells whether it fails
// with it only. An error is also that the tree with the bug cannot be tested.
func (b *Bug) AimedFails(ctx context.Context, root, dir string) (bool, error) {
	overlay, err := Overlay(root, b.File, dir)
	if err != nil {
		return false, err
	}
	folder, name, pattern := "", "", ""
	if b.Script != "" {
		folder, name = path.Dir(path.Dir(b.Script)), "TestScripts/"+strings.TrimSuffix(path.Base(b.Script), ".txt")
		pattern = "^" + strings.Replace(name, "/", "$/^", 1) + "$"
	} else {
		folder, name, _ = strings.Cut(b.Test, " ")
		pattern = "^" + name + "$"
	}
	run := func(args ...string) ([]byte, error) {
		args = append([]string{"test", "-v", "-run", pattern}, args...)
		command := exec.CommandContext(ctx, "go", append(args, "./"+folder)...)
		command.Dir = root
		return command.CombinedOutput()
	}
	output, err := run()
	if err != nil || !bytes.Contains(output, []byte("--- PASS: "+name+" ")) {
		return false, fmt.Errorf("planted: %s does not pass without the bug: %w\n%s", name, err, output)
	}
	output, err = run("-overlay", overlay)
	if err != nil && !bytes.Contains(output, []byte("--- FAIL: "+name+" ")) {
		return false, fmt.Errorf("planted: %s cannot be tested: %w\n%s", b.File, err, output)
	}
	return err != nil, nil
}
