//go:build docker

package dockertest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// buildImage builds the Dockerfile, exactly as a person would, unless the image
// to test is given.
func (e *engine) buildImage() error {
	if e.given {
		_, err := command(e.ctx, "docker", "image", "inspect", e.image)
		return err
	}
	builder, err := e.builderName()
	if err != nil {
		return err
	}
	if err := e.provideBuilder(builder); err != nil {
		return err
	}
	before, err := command(e.ctx, "docker", "images", "--all", "--quiet")
	if err != nil {
		return err
	}
	begin := time.Now()
	steps, err := command(e.ctx, "docker", "build", "--force-rm", "-t", e.image, ".")
	// Also when the build failed: what it made until then shall go. The tag goes
	// first, and what only it holds on to.
	e.images = append(append(e.images, madeIn(steps, imageLine, before)...), e.image)
	e.containers = append(e.containers, madeIn(steps, containerLine, "")...)
	if err != nil {
		return err
	}
	fmt.Printf("built the image in %.0f s\n", time.Since(begin).Seconds())
	return nil
}

// What the legacy builder prints of the things that it makes for its steps.
var (
	imageLine     = regexp.MustCompile(`(?m)^ ---> ([0-9a-f]{12})$`)
	containerLine = regexp.MustCompile(`(?m)^ ---> Running in ([0-9a-f]{12})$`)
)

// madeIn finds the ids of things that a build has made and that did not exist
// before.
func madeIn(steps string, line *regexp.Regexp, before string) []string {
	existed := strings.Fields(before)
	var ids []string
	for _, match := range line.FindAllStringSubmatch(steps, -1) {
		if !slices.Contains(existed, match[1]) && !slices.Contains(ids, match[1]) {
			ids = append(ids, match[1])
		}
	}
	return ids
}

var fromLine = regexp.MustCompile(`(?m)^FROM (\S+) AS build$`)

// builderName is the image that the Dockerfile builds with.
func (e *engine) builderName() (string, error) {
	text, err := os.ReadFile(filepath.Join(e.root, "Dockerfile"))
	if err != nil {
		return "", err
	}
	match := fromLine.FindSubmatch(text)
	if match == nil {
		return "", fmt.Errorf("the Dockerfile has no line %s", fromLine)
	}
	return string(match[1]), nil
}
