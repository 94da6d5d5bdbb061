package view_test

import (
	"fmt"
	"strings"

	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/view"
)

// describe is a configuration in lines, each about one subject, which stands before the colon.
func describe(c *view.Configuration) (lines []string) {
	line := func(format string, arguments ...any) { lines = append(lines, fmt.Sprintf(format, arguments...)) }
	line("epoch: %d", c.Epoch)
	for i := range c.Members {
		m := &c.Members[i]
		text := "invited"
		if m.Life != 0 {
			text = lifeName(m.Life)
		}
		if m.Leaving {
			text += ", leaving"
			if m.Unseated {
				text += " without a vote"
			}
		}
		line("member %s: %s", m.Address, text)
	}
	if len(c.Ended) > 0 {
		names := make([]string, len(c.Ended))
		for i, l := range c.Ended {
			names[i] = lifeName(l)
		}
		line("ended: %s", strings.Join(names, " "))
	}
	for i := range c.Shards {
		s := &c.Shards[i]
		text := "served by"
		for _, m := range s.Serving {
			text += " " + c.Members[m].Address
		}
		if len(s.Serving) == 0 {
			text = "served by nobody"
		}
		if len(s.Members) > len(s.Serving) {
			text += ", learnt by"
			for _, m := range s.Members {
				if c.Assignment(c.Members[m].Replica).Stage == view.Learning {
					text += " " + c.Members[m].Address
				}
			}
		}
		line("shard %v: %d slots, %s", s.ID, s.Slots.Len(), text)
	}
	if r := c.Reshard; r.Phase != view.NoReshard {
		phase := []string{"", "copying", "switched", "aborted"}[r.Phase]
		line("reshard: %s, to %d shards, %d slots move, waits for %v", phase, r.Count, r.Moves, r.Require)
	}
	for i := range c.Assignments {
		line("%s", describeAssignment(&c.Assignments[i]))
	}
	for _, r := range c.Retirements {
		line("replica %d: retired at epoch %d", r.Replica, r.Epoch)
	}
	return lines
}

func describeAssignment(a *view.Assignment) string {
	text := fmt.Sprintf("replica %d: %s in shard %v, ", a.Replica, lifeName(a.Life), a.Shard)
	if a.Target {
		text = fmt.Sprintf("replica %d: %s in shard %v to be, ", a.Replica, lifeName(a.Life), a.Shard)
	}
	text += []string{"learning", "prepared", "serving", "closed"}[a.Stage]
	if a.Stage == view.Learning {
		text += fmt.Sprintf(", copies of epoch %d count", a.Since)
	}
	if a.Dead {
		text += ", dead"
	}
	switch {
	case a.Stage != view.Closed:
	case !a.Fixed && a.Dead:
		text += fmt.Sprintf(", reports of epoch %d tell its final", a.Round)
	case !a.Fixed:
		text += ", not sealed"
	case len(a.Finals) == 0:
		text += ", final 0"
	case len(a.Finals) == 1 && a.Finals[0].Slots == a.Slots:
		text += fmt.Sprintf(", final %d", a.Finals[0].Seq)
	default:
		covered := shard.Set{}
		text += ", finals"
		for i := range a.Finals {
			text += fmt.Sprintf(" %d (%d slots)", a.Finals[i].Seq, a.Finals[i].Slots.Len())
			covered = covered.Union(&a.Finals[i].Slots)
		}
		if rest := a.Slots.Minus(&covered); !rest.IsEmpty() {
			text += fmt.Sprintf(" 0 (%d slots)", rest.Len())
		}
	}
	return text
}
