package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fatih/color"

	"github.com/sequitur-kv/sequitur/core"
)

// colours tells whether output may be coloured: on a terminal, unless NO_COLOR is set.
func colours(env environment) bool {
	return isTerminal(env.stdout) && env.getenv("NO_COLOR") == "" && env.getenv("TERM") != "dumb"
}

// printStatus prints a store as a table for a person.
func printStatus(w io.Writer, s *storeStatus, coloured bool) error {
	alarm := color.New(color.FgRed)
	if alarm.DisableColor(); coloured {
		alarm.EnableColor()
	}
	if s.Cluster == "" {
		_, err := fmt.Fprintln(w, alarm.Sprint(s.Obstacle))
		return err
	}
	memory := ""
	if s.Volatile {
		memory = ", in memory"
	}
	leader := ", no leader"
	if s.Leader != "" {
		leader = ", leader " + s.Leader
	}
	if _, err := fmt.Fprintf(w, "cluster %s epoch %d, %s, %s%s%s        reshard: %s\n",
		s.Cluster, s.Epoch, plural(len(s.Nodes), "node"), plural(s.Shards, "shard"), memory, leader, s.progress()); err != nil {
		return err
	}
	rows := [][]string{{"shard", "node", "up", "keys", "replicas behind", "waiting", "note"}}
	for i := range s.Nodes {
		rows = append(rows, s.Nodes[i].row(s.Leader))
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for i, row := range rows {
		line := "  " + align(row, widths)
		if i > 0 && !s.Nodes[i-1].serves() {
			line = alarm.Sprint(line)
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// progress says how far the last reshard has come.
func (s *storeStatus) progress() string {
	if s.Reshard.Phase == core.PhaseIdle.String() {
		return s.Reshard.Phase
	}
	return fmt.Sprintf("%s, %s of %s keys", s.Reshard.Phase, thousands(s.Reshard.Moved), thousands(s.Reshard.ToMove))
}

// align pads all cells to their column, without blanks at the end.
func align(row []string, widths []int) string {
	var line strings.Builder
	for i, cell := range row {
		line.WriteString(cell)
		line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
	}
	return strings.TrimRight(line.String(), " ")
}

func (n *nodeStatus) row(leader string) []string {
	const unknown = "–"
	shard, up := n.Shard, "yes"
	if shard == "" {
		shard = unknown
	}
	if !n.Up {
		up = "no"
	}
	if n.Status == nil {
		return []string{shard, n.Address, up, unknown, unknown, unknown, n.note(leader)}
	}
	behind := 0
	for _, member := range n.Status.Members {
		if member.Unconfirmed > 0 {
			behind++
		}
	}
	return []string{shard, n.Address, up, thousands(n.Status.Keys), strconv.Itoa(behind), strconv.Itoa(n.Status.Waiting), n.note(leader)}
}

// note says what is wrong with a node, or remarkable.
func (n *nodeStatus) note(leader string) string {
	var notes []string
	if n.Address == leader && n.Up { // of one that fell silent, others think so until they have elected another
		notes = append(notes, "leader")
	}
	if n.State == "learning" || n.State == "leaving" {
		notes = append(notes, n.State)
	}
	switch {
	case n.State == "invited":
		notes = append(notes, "was never seen")
	case !n.Up:
		notes = append(notes, "down "+ago(n.Silent))
		if n.Missing > 0 {
			notes = append(notes, waitForIt(n.Missing))
		}
	case n.Status == nil:
		notes = append(notes, n.Error)
	}
	if n.Status != nil {
		if n.Status.Obstacle != "" {
			notes = append(notes, n.Status.Obstacle)
		}
		if n.Status.ToRestore > 0 {
			notes = append(notes, fmt.Sprintf("restoring, %s of %s keys", thousands(n.Status.Restored), thousands(n.Status.ToRestore)))
		}
		if n.Status.Full {
			notes = append(notes, "disk full: reads only")
		}
		if n.Status.Copying {
			notes = append(notes, "catching up")
		}
	}
	return strings.Join(notes, "; ")
}

// waitForIt says how many writes a node has not confirmed.
func waitForIt(writes uint64) string {
	if writes == 1 {
		return "1 write of one sibling waits for it"
	}
	return thousands(writes) + " writes of one sibling wait for it"
}

// thousands writes a number with commas.
func thousands(n uint64) string {
	text := strconv.FormatUint(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// ago writes seconds in the unit that suits them.
func ago(seconds uint64) string {
	switch d := time.Duration(seconds) * time.Second; {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", seconds)
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", seconds/60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", seconds/3600)
	default:
		return fmt.Sprintf("%d d", seconds/86400)
	}
}
