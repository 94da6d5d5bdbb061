package kvsim

import (
	"slices"

	"github.com/sequitur-kv/sequitur/core/view"
)

// The log orders what happens to the administration of a store: an answer names the entry that decided its request,
// and every configuration says of each member which entry decided its last one. So the harness needs no moments to
// know what came before what, and a server that applies several entries in one step hides nothing.

// span is where in the log something happened: in an entry after from, and not after to.
type span struct{ from, to uint64 }

// ruling is an entry of the log that granted a request.
type ruling struct {
	by    view.LifeID // that was asked
	at    span
	exact bool // else it is not known whether there is one
}

// reshardSeen is what one step showed of the last reshard.
type reshardSeen struct {
	at      span
	started uint64 // the entry that started it
	copying bool
}

// observe notes what has happened between two configurations, one the newest after the other.
func (g *ghost) observe(before, now *view.Configuration) {
	at := span{before.Index, now.Index}
	for i := range now.Members {
		m := &now.Members[i]
		last := uint64(0)
		if was := before.MemberOf(m.Life); was >= 0 {
			last = before.Members[was].LastRequest
		}
		o := &m.LastOutcome
		if m.LastRequest == last {
			continue
		}
		if before.Index < o.Index-1 { // one that it gave up waiting for may have gone before
			g.rulings = append(g.rulings, ruling{by: m.Life, at: span{before.Index, o.Index - 1}})
		}
		if o.Result == view.Done {
			g.rulings = append(g.rulings, ruling{by: m.Life, at: span{o.Index - 1, o.Index}, exact: true})
		}
	}
	for i := range before.Members {
		if life := before.Members[i].Life; life != 0 && now.MemberOf(life) < 0 {
			g.rulings = append(g.rulings, ruling{by: life, at: at}) // nobody says what it asked for in the end
		}
	}
	if is, was := &now.Reshard, &before.Reshard; is.Started != was.Started || is.Phase != was.Phase {
		g.reshards = append(g.reshards, reshardSeen{at: at, started: is.Started, copying: is.Phase == view.Copying})
	}
	for i := range g.births {
		b := &g.births[i]
		if b.joined == (span{}) && before.MemberOf(b.life) < 0 && (now.MemberOf(b.life) >= 0 || now.HasEnded(b.life)) {
			b.joined, b.unseen = at, now.HasEnded(b.life)
		}
	}
}

// index is that of the newest configuration, zero if there is none.
func (g *ghost) index() uint64 {
	if g.newest == nil {
		return 0
	}
	return g.newest.Index
}

// mayBe tells where the log decided a request whose outcome its client does not know, and where the reshard ended
// that it may have started: in some entry that no answer names. The zero value: nowhere.
func (r *run) mayBe(f *fate) (at, ended span) {
	g := &r.ghost
	for _, d := range g.rulings {
		if d.by != f.life || d.at.to <= f.since || d.exact && r.answeredWith(d.at.to) {
			continue
		}
		at = at.with(span{max(d.at.from, f.since), d.at.to})
		if d.exact {
			if over, ok := g.over(d.at.to); ok {
				ended = ended.with(over)
			}
			continue
		}
		ended = ended.with(d.at) // within that step all may have begun and ended
		for _, seen := range g.reshards {
			if over, ok := g.over(seen.started); ok && seen.started > d.at.from && seen.started <= d.at.to {
				ended = ended.with(over)
			}
		}
	}
	return at, ended
}

// with is where both spans are.
func (s span) with(t span) span {
	if s == (span{}) {
		return t
	}
	return span{min(s.from, t.from), max(s.to, t.to)}
}

// answeredWith tells whether the answer to a request names an entry of the log.
func (r *run) answeredWith(index uint64) bool {
	return slices.ContainsFunc(r.fates, func(f fate) bool { return f.index == index })
}

// over tells where the reshard ended that an entry started. False: it goes on.
func (g *ghost) over(started uint64) (at span, ok bool) {
	i := slices.IndexFunc(g.reshards, func(r reshardSeen) bool {
		return r.at.to >= started && (r.started != started || !r.copying)
	})
	if i < 0 {
		return span{}, false
	}
	at = g.reshards[i].at
	at.from = max(at.from, started-1)
	return at, true
}
