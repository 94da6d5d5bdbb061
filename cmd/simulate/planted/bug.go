package planted

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Bug is a planted bug: a change, and where it shows.
type Bug struct {
	Name     string // of its file, without the ending
	File     string
	Sentence string // what is wrong
	Scenario string // that finds it; "standard" unless the file has a line "scenario NAME"
	// Script is the golden script, below the root, that finds what no scenario reaches: a line "script PATH".
	Script string
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
		switch word, value, _ := strings.Cut(strings.TrimSpace(line), " "); word {
		case "scenario":
			bug.Scenario = value
		case "script":
			bug.Script = value
		default:
			return bug, fmt.Errorf("planted: %s: %q is unknown; known are scenario and script", file, word)
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

// ScriptFails runs the golden script of a bug with the bug planted, and without it: it tells whether it fails
// with it only.
func (b *Bug) ScriptFails(ctx context.Context, root, dir string) (bool, error) {
	overlay, err := Overlay(root, b.File, dir)
	if err != nil {
		return false, err
	}
	if _, err := os.Stat(filepath.Join(root, b.Script)); err != nil {
		return false, err
	}
	test := "^TestScripts$/^" + strings.TrimSuffix(filepath.Base(b.Script), ".txt") + "$"
	run := func(args ...string) error {
		args = append([]string{"test", "-count=1", "-run", test}, args...)
		command := exec.CommandContext(ctx, "go", append(args, "./core")...)
		command.Dir = root
		return command.Run()
	}
	return run() == nil && run("-overlay", overlay) != nil, nil
}
