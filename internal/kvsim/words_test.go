package kvsim

import (
	"regexp"
	"testing"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/netsim"
)

// notPlain matches what a program says and no person: values of Go, figures without a noun, one of many.
var notPlain = regexp.MustCompile(`[^"]\b(true|false|nil)\b|%!|\[\]|map\[|[ :]""|\b(stage|request|operation) \d|(^| )1 (write|key|slot|shard|request|event)s\b|\d(s|ms)\b`)

func plainWords(t *testing.T, text string) {
	t.Helper()
	if found := notPlain.FindString(text); found != "" {
		t.Errorf("%q is not for people: %s", found, text)
	}
}

// TestWhatIsLeftInWords: what keeps a store from being at rest.
func TestWhatIsLeftInWords(t *testing.T) {
	r := finished(t)
	c := r.ghost.newest
	a, m := c.Assignments[0], c.Members[0]
	says := func(what, text, want string) {
		t.Helper()
		if plainWords(t, text); text != want {
			t.Errorf("%s: %s\nwant %s", what, text, want)
		}
	}
	for _, test := range []struct {
		stage  view.Stage
		target bool
		fixed  bool
		want   string
	}{
		{view.Serving, true, false, "still takes part in a reshard"},
		{view.Learning, false, false, "still copies what it is to serve"},
		{view.Prepared, false, false, "has copied everything and still does not serve"},
		{view.Closed, false, false, "does not write any more, and nobody has settled yet which of its writes count"},
		{view.Closed, false, true, "does not write any more, and has not retired yet, though everybody knows which of its writes count"},
	} {
		a.Stage, a.Target, a.Fixed = test.stage, test.target, test.fixed
		says("assignment", r.assignmentInWords(&a), "n1, as replica 1 of shard 1, "+test.want)
	}
	m.Leaving = true
	says("leaving", r.memberInWords(&m), "n1 is still a member, though it was deleted")
	m.Life++
	says("amnesiac", r.memberInWords(&m), "n1 is still a member, with the life that ended when it lost its memory, and not with the one that it has begun since")
	m.Life = 0
	says("invited", r.memberInWords(&m), "n1 is still a member, of which the store has heard nothing yet, though it was added to the view")

	coverage := causal.Coverage{{Vector: causal.Vector{{Replica: 1, Seq: 4}, {Replica: 2, Seq: 1}}}}
	says("coverage", inWords(coverage), "1.4 and 2.1")
	says("no coverage", inWords(nil), "nothing")
	says("parts", inWords(append(coverage, causal.Part{})), "1.4 and 2.1 in 0 slots, nothing in 0 slots")

	one := succession{count: 1}
	one.nodes[0], one.nodes[1] = place{present: true, shard: 1}, place{present: true}
	says("state", one.inWords(r.names), "1 shard, n1 in shard 1, n2 in no shard")

	killed := NewRunner(Standard())
	ruined(t, killed, 1, "at 40s kill n1..n3")
	says("dead", killed.run.memberInWords(&killed.run.ghost.newest.Members[0]), "n1 is still a member, though it never comes back")
	says("quiet", seconds(1500*netsim.Millisecond), "1.5 s")
}
