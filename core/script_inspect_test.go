package core_test

import (
	"slices"
	"strings"

	"github.com/sequitur-kv/sequitur/core/store"
)

// have [NODE…]: what the replicas have applied; all that run, by default.
func (s *script) cmdHave(d directive) {
	for _, name := range s.chosen(d) {
		s.print("%s: %s\n", name, s.nodes[name].machine.Have())
	}
}

// store [NODE…] [clocks]: the current versions.
func (s *script) cmdStore(d directive) {
	for _, name := range s.chosen(d) {
		s.print("%s:", name)
		for _, line := range s.versions(name, d.has("clocks")) {
			s.print(" %s;", line)
		}
		s.print(" %d live\n", s.nodes[name].machine.LiveKeys())
	}
}

// versions lists what a node holds, by key.
func (s *script) versions(name string, clocks bool) (lines []string) {
	s.nodes[name].machine.Versions(func(v *store.Version) bool {
		line := describeVersion(v)
		if clocks {
			line += " at " + clockText(v.Clock())
		}
		lines = append(lines, line)
		return true
	})
	slices.Sort(lines)
	return lines
}

// equal: tells for each shard whether its running members hold the same versions and vectors.
func (s *script) cmdEqual(directive) {
	configuration := s.configuration()
	for _, sh := range configuration.Shards {
		var first string
		verdict := "equal"
		for _, i := range sh.Members {
			name := configuration.Members[i].Address
			if s.nodes[name].machine == nil {
				continue
			}
			state := strings.Join(s.versions(name, true), ";") + s.nodes[name].machine.Have().String()
			if first == "" {
				first = state
			}
			if state != first {
				verdict = "different"
			}
		}
		s.print("shard %s: %s\n", sh.ID, verdict)
	}
}

// token LABEL…: everything in the token of an answer.
func (s *script) cmdToken(d directive) {
	for _, label := range d.words() {
		text := s.tokens[s.ids[label]]
		if text == "" {
			s.print("%s: empty\n", label)
			continue
		}
		c := s.context(text)
		same := ""
		for _, other := range d.words() {
			if other != label && s.tokens[s.ids[other]] == text {
				same = ", same bytes as " + other
				break
			}
		}
		s.print("%s: epoch %d, clock %s, writes %s%s\n", label, c.Epoch, clockText(c.Clock), c.Vector, same)
	}
}

// obstacle [NODE…]: why requests are refused.
func (s *script) cmdObstacle(d directive) {
	for _, name := range s.chosen(d) {
		text := s.nodes[name].machine.Obstacle()
		if text == "" {
			text = "serves"
		}
		s.print("%s: %s\n", name, text)
	}
}

// chosen are the nodes that a directive names, or all that run.
func (s *script) chosen(d directive) (names []string) {
	for _, word := range d.words() {
		if s.nodes[word] != nil {
			names = append(names, word)
		}
	}
	if len(names) > 0 {
		return names
	}
	for _, name := range s.names {
		if s.nodes[name].machine != nil {
			names = append(names, name)
		}
	}
	return names
}
