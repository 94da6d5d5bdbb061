// Package forming decides, once for ever, who founds a store.
//
// Every founder learns by challenge and response which life answers at each address of VIEW, so that
// what it knows of a peer only moves forward. When it knows all, it pledges the list, durably, before
// it says so. The store is formed when every life of a list has pledged that same list: a life that
// ended in between cannot have, and a list that was left never comes back. A founder that hears of a
// store that is formed joins it, and founds none.
package forming

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// Former is the part of one founder. Make one with New.
type Former struct {
	self       int
	view       []string // sorted
	shardCount int      // as given to this node; 0: not given
	peers      []peer   // by index in view; self included
	pledged    view.Founding
}

type peer struct {
	challenge  uint64 // of the question under way; zero: none
	founder    view.Founder
	known      bool
	view       []string
	shardCount int
	formed     bool          // the peer belongs to a store
	decides    bool          // a majority of that store seems to be up, as the peer sees it
	missing    string        // who is not up there
	pledged    view.Founding // by founder.Life
}

// New makes the founder at self.Address, which addresses (sorted, without duplicates) contain.
// pledged is what this life pledged before a restart, or the zero value.
func New(self view.Founder, addresses []string, shardCount int, pledged view.Founding) *Former {
	f := &Former{view: addresses, shardCount: shardCount, peers: make([]peer, len(addresses)), pledged: pledged}
	f.self = slices.Index(addresses, self.Address)
	for _, p := range pledged.Founders {
		// A restart on the same memory resumes with the lives of its pledge, or its knowledge would move back.
		if i := slices.Index(addresses, p.Address); i >= 0 {
			f.peers[i] = peer{founder: p, known: true, view: addresses, shardCount: pledged.ShardCount}
		}
	}
	f.peers[f.self] = peer{founder: self, known: true, view: addresses, shardCount: shardCount}
	return f
}

// Peers are the addresses to ask, own included, sorted.
func (f *Former) Peers() []string { return f.view }

// Ask notes that the peer at an index is asked with a fresh challenge, not zero; the answer to an
// earlier one no longer counts.
func (f *Former) Ask(index int, challenge uint64) *wire.Hello {
	f.peers[index].challenge = challenge
	return &wire.Hello{Address: f.view[f.self], Challenge: challenge, View: f.view, ShardCount: f.shardCount}
}

// Answer answers a question of a peer, of a node that belongs to no store.
func Answer(h *wire.Hello, self view.Founder, addresses []string, shardCount int) *wire.Welcome {
	return &wire.Welcome{Address: self.Address, Challenge: h.Challenge, Key: self.Key, View: addresses, ShardCount: shardCount}
}

// Welcomed takes the answer of a life, and tells whether it answers the last question.
func (f *Former) Welcomed(life view.LifeID, w *wire.Welcome) bool {
	i := slices.Index(f.view, w.Address)
	if i < 0 || i == f.self || f.peers[i].challenge != w.Challenge || w.Challenge == 0 {
		return false
	}
	p := &f.peers[i]
	if p.founder.Life != life {
		p.pledged = view.Founding{}
	}
	p.challenge = 0
	p.founder = view.Founder{Address: w.Address, Life: life, Key: w.Key}
	p.known = true
	p.view, p.shardCount = w.View, w.ShardCount
	p.formed, p.decides, p.missing = w.Formed, w.Decides, w.Missing
	return true
}

// AddressOf is the address at which a life has answered, "" for none.
func (f *Former) AddressOf(life view.LifeID) string {
	for i := range f.peers {
		if f.peers[i].known && f.peers[i].founder.Life == life {
			return f.view[i]
		}
	}
	return ""
}

// Pledged takes the pledge of a life.
func (f *Former) Pledged(life view.LifeID, founding view.Founding) {
	for i := range f.peers {
		if p := &f.peers[i]; p.known && p.founder.Life == life {
			p.pledged = founding
		}
	}
}

// Pledge returns the list that this node pledges at this moment; fresh tells that it is another
// than before and must be made durable before it is sent, and replaced that there was one before. ok
// is false while something stands in the way.
func (f *Former) Pledge() (founding view.Founding, fresh, replaced, ok bool) {
	if f.Obstacle() != "" {
		return view.Founding{}, false, false, false
	}
	founding = view.Founding{ShardCount: f.count(), Founders: make([]view.Founder, len(f.peers))}
	for i := range f.peers {
		founding.Founders[i] = f.peers[i].founder
	}
	replaced = len(f.pledged.Founders) > 0
	fresh = !f.pledged.Equal(founding)
	f.pledged = founding
	return founding, fresh, fresh && replaced, true
}

// Formed returns the founding when every founder has pledged what this one pledges.
func (f *Former) Formed() (founding view.Founding, ok bool) {
	if len(f.pledged.Founders) == 0 {
		return view.Founding{}, false
	}
	for i := range f.peers {
		if i != f.self && !f.peers[i].pledged.Equal(f.pledged) {
			return view.Founding{}, false
		}
	}
	return f.pledged, true
}

// count is the number of shards that the founders ask for, one if none of them says.
func (f *Former) count() int {
	count := 0
	for i := range f.peers {
		count = max(count, f.peers[i].shardCount)
	}
	return max(count, 1)
}

// Joining says in a sentence that a peer belongs to a store, which this node is to join, and what is in the way;
// "" if no peer does. A peer that sees a majority is believed rather than others, then one that knows who is missing.
func (f *Former) Joining() string {
	text, named := "", false
	for i := range f.peers {
		p := &f.peers[i]
		if !p.formed {
			continue
		}
		joining := fmt.Sprintf("%s is joining the store that %s belongs to", f.view[f.self], f.view[i])
		switch {
		case p.decides:
			return joining
		case p.missing != "":
			text, named = joining+"; that takes a majority of its voting members, of which are missing "+p.missing, true
		case !named:
			text = fmt.Sprintf("%s; that takes a majority of its voting members, and %s has not been told yet who they are", joining, f.view[i])
		}
	}
	return text
}

// Obstacle says in a sentence what keeps this node from pledging, "" for nothing.
func (f *Former) Obstacle() string {
	if joining := f.Joining(); joining != "" {
		return joining
	}
	own := &f.peers[f.self]
	var missing []string
	for i := range f.peers {
		p := &f.peers[i]
		switch {
		case !p.known:
			missing = append(missing, f.view[i])
		case !slices.Equal(p.view, own.view):
			return fmt.Sprintf("Cluster cannot form: VIEW of %s is %s, VIEW of %s is %s; start all nodes with the same VIEW",
				f.view[i], strings.Join(p.view, ","), f.view[f.self], strings.Join(own.view, ","))
		case p.shardCount != 0 && p.shardCount != f.count():
			return fmt.Sprintf("Cluster cannot form: SHARD_COUNT of %s is %d, another node has %d; start all nodes with the same SHARD_COUNT",
				f.view[i], p.shardCount, f.count())
		}
	}
	if len(missing) > 0 {
		return fmt.Sprintf("Cluster is forming: %d of %d nodes seen; missing %s", len(f.peers)-len(missing), len(f.peers), strings.Join(missing, ", "))
	}
	return ""
}

// Waiting says in a sentence what this node waits for once nothing stands in its way.
func (f *Former) Waiting() string {
	var missing []string
	for i := range f.peers {
		if i != f.self && !f.peers[i].pledged.Equal(f.pledged) {
			missing = append(missing, f.view[i])
		}
	}
	return fmt.Sprintf("Cluster is forming: %d of %d nodes seen; waiting for the agreement of %s", len(f.peers), len(f.peers), strings.Join(missing, ", "))
}
