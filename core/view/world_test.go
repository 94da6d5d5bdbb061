package view_test

import (
	"bytes"
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/view"
)

// A world is a log and the lives that follow it, each at its own pace: a model of the data plane that
// knows of every write only who holds it.
type world struct {
	t         *rapid.T
	head      *view.Configuration
	history   []*view.Configuration // head is the last
	flight    []view.Entry          // proposed; applied in any order, perhaps twice or never
	processes []*process
	lives     uint64 // so far
	requests  map[view.LifeID]uint64

	owners   map[causal.ReplicaID]view.LifeID // of every replica id ever
	retired  []debt                           // what all who serve must hold for ever
	orphaned shard.Set                        // slots that nobody served at some time: what was retired there may be lost
}

// A debt is what a retired replica id had written.
type debt struct {
	replica causal.ReplicaID
	slots   shard.Set
	finals  []view.Extent
}

// A process is a life.
type process struct {
	address string
	life    view.LifeID
	applied *view.Configuration // nil until it is a member
	have    causal.Coverage     // as it says of itself
	truth   causal.Coverage     // and with it what it holds of replica ids that have retired
	wrote   map[causal.ReplicaID]uint64
	copied  map[causal.ReplicaID]uint64 // epoch of its last full copy
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, requests: map[view.LifeID]uint64{}, owners: map[causal.ReplicaID]view.LifeID{}}
	nodes := 1 + below(6).Draw(t, "nodes")
	shards := 1
	if nodes >= 4 {
		shards = 1 + below(2).Draw(t, "shards")
	}
	f := view.Founding{ShardCount: shards}
	for i := range nodes {
		p := w.boot(string(rune('a' + i)))
		f.Founders = append(f.Founders, view.Founder{Address: p.address, Life: p.life})
	}
	w.head = view.Found(f)
	w.history = []*view.Configuration{w.head}
	for _, p := range w.processes {
		w.adopt(p, w.head)
	}
	w.check(nil)
	return w
}

// boot starts a life at an address, in the place of the one there.
func (w *world) boot(address string) *process {
	w.processes = slices.DeleteFunc(w.processes, func(p *process) bool { return p.address == address })
	w.lives++
	p := &process{
		address: address, life: view.LifeID(address[0])<<8 | view.LifeID(w.lives&0xff),
		wrote: map[causal.ReplicaID]uint64{}, copied: map[causal.ReplicaID]uint64{},
	}
	w.processes = append(w.processes, p)
	return p
}

// apply applies an entry to the log, and checks everything that can be said of it.
func (w *world) apply(e view.Entry) {
	before := w.head
	raw := view.AppendConfiguration(nil, before)
	index := before.Index + 1
	next, outcome := before.Apply(index, e)
	if !bytes.Equal(raw, view.AppendConfiguration(nil, before)) {
		w.t.Fatalf("%#v changed its receiver", e)
	}
	if (next == before) != bytes.Equal(raw, view.AppendConfiguration(nil, next)) {
		w.t.Fatalf("%#v: another configuration that is equal", e)
	}
	again, same := reread(w.t, before).Apply(index, w.reread(e))
	if !bytes.Equal(view.AppendConfiguration(nil, again), view.AppendConfiguration(nil, next)) || same != outcome {
		w.t.Fatalf("%#v: read from their encodings, the entry and the configuration lead to another: %v, %v", e, outcome, same)
	}
	w.t.Logf("%d: %s: %v, epoch %d", index, entryText(e), outcome.Result, next.Epoch)
	w.head = next
	if next != before {
		w.history = append(w.history, next)
	}
	w.check(before)
}

func reread(t *rapid.T, c *view.Configuration) *view.Configuration {
	r := codec.NewReader(view.AppendConfiguration(nil, c))
	read := view.ReadConfiguration(&r)
	if r.Close() != nil {
		t.Fatalf("not read again: %v", describe(c))
	}
	return read
}

func (w *world) reread(e view.Entry) view.Entry {
	r := codec.NewReader(view.AppendEntry(nil, e))
	read := view.ReadEntry(&r)
	if r.Close() != nil {
		w.t.Fatalf("%#v is not read again", e)
	}
	return read
}

func entryText(e view.Entry) string {
	switch e := e.(type) {
	case view.Request:
		return fmt.Sprintf("%s asks for %#v", lifeName(e.By), e.Operation)
	case view.Enter:
		return fmt.Sprintf("%s enters instead of %s", lifeName(e.Life), lifeName(e.Instead))
	case view.Report:
		return fmt.Sprintf("%s at epoch %d reports: sealed %v, ready %v, has %v", lifeName(e.Life), e.Epoch, e.Sealed, e.Ready, e.Have)
	}
	return ""
}

// adopt makes a process follow the log to a later configuration.
func (w *world) adopt(p *process, c *view.Configuration) {
	if p.applied != nil && c.Index < p.applied.Index {
		return
	}
	if c.MemberOf(p.life) < 0 {
		if c.HasEnded(p.life) {
			w.processes = slices.DeleteFunc(w.processes, func(other *process) bool { return other == p })
		}
		return
	}
	since := c.Epoch
	if p.applied != nil {
		since = p.applied.Epoch
	}
	p.applied = c
	// It may have lost slots and got them anew meanwhile: what it held there is handed over.
	kept := slotsOf(c, p.life, func(a *view.Assignment) bool { return a.Born <= since })
	held := slotsOf(c, p.life, func(a *view.Assignment) bool { return true })
	p.have = p.have.Within(&kept).Hold(&held).Forget(func(r causal.ReplicaID) bool { return c.Assignment(r) == nil })
	p.truth = p.truth.Within(&kept).Hold(&held)
}

// slotsOf are the slots of the assignments of a life that are chosen.
func slotsOf(c *view.Configuration, life view.LifeID, chosen func(a *view.Assignment) bool) (slots shard.Set) {
	for _, a := range c.AssignmentsOf(life) {
		if chosen(a) {
			slots = slots.Union(&a.Slots)
		}
	}
	return slots
}

func open(a *view.Assignment) bool   { return a.Stage != view.Closed }
func serves(a *view.Assignment) bool { return a.Stage == view.Serving }

// write makes a write under every replica id that serves, as far as the process knows.
func (w *world) write(p *process) {
	for _, a := range p.applied.AssignmentsOf(p.life) {
		if serves(a) {
			p.wrote[a.Replica]++
			p.learn(&a.Slots, causal.Dot{Replica: a.Replica, Seq: p.wrote[a.Replica]})
		}
	}
}

// learn notes what a process holds now, in slots that it is in charge of and has not given up.
func (p *process) learn(slots *shard.Set, dot causal.Dot) {
	a := p.applied.Assignment(dot.Replica)
	if a == nil {
		return
	}
	growing := slotsOf(p.applied, p.life, open)
	growing = growing.Intersect(&a.Slots)
	growing = growing.Intersect(slots)
	p.have, _ = p.have.Raise(&growing, 0, dot)
	p.truth, _ = p.truth.Raise(&growing, 0, dot)
}

// stream sends writes of the process's own to another, which may be ahead or behind.
func (w *world) stream(from, to *process, slots *shard.Set) {
	if to.applied == nil || from.applied == nil || to.applied.HasEnded(from.life) {
		return
	}
	for _, a := range from.applied.AssignmentsOf(from.life) {
		if n := from.wrote[a.Replica]; n > 0 {
			upTo := n - min(n-1, uint64(below(3).Draw(w.t, "behind")))
			to.learn(slots, causal.Dot{Replica: a.Replica, Seq: upTo})
		}
	}
}

// pull fetches what another holds, between equal epochs.
func (w *world) pull(from, to *process, slots *shard.Set) {
	if to.applied == nil || from.applied == nil || from.applied.Epoch != to.applied.Epoch {
		return
	}
	for _, part := range from.have.Clone() {
		common := part.Slots.Intersect(slots)
		for _, dot := range part.Vector {
			to.learn(&common, dot)
		}
	}
}

// copyFully makes the full copies that a process needs, if it finds sources.
func (w *world) copyFully(p *process) {
	for _, a := range p.applied.AssignmentsOf(p.life) {
		if a.Stage != view.Learning || p.applied.Epoch < a.Since {
			continue
		}
		left := a.Slots
		for _, source := range w.processes {
			if source.applied == nil || source.applied.Epoch != p.applied.Epoch {
				continue
			}
			serving := slotsOf(source.applied, source.life, serves)
			part := left.Intersect(&serving)
			w.pull(source, p, &part)
			p.truth = p.truth.RaiseAll(source.truth.Within(&part))
			left = left.Minus(&part)
		}
		if p.holdsAll(&left) {
			p.copied[a.Replica] = p.applied.Epoch
		}
	}
}

// holdsAll tells whether nobody serves the slots, and the process holds all that is left there.
func (p *process) holdsAll(slots *shard.Set) bool {
	for i := range p.applied.Assignments {
		a := &p.applied.Assignments[i]
		if !a.Slots.Intersects(slots) {
			continue
		}
		if serves(a) || a.Stage == view.Closed && !a.Fixed {
			return false
		}
		for _, e := range a.Finals {
			part := e.Slots.Intersect(slots)
			if !holds(p.have, part, causal.Dot{Replica: a.Replica, Seq: e.Seq}) {
				return false
			}
		}
	}
	return true
}

// holds tells whether dot is covered in all of the slots.
func holds(have causal.Coverage, slots shard.Set, dot causal.Dot) bool {
	return dot.Seq == 0 || slots.IsEmpty() || have.Least(&slots).Covers(dot)
}

// report proposes what the process has to say.
func (w *world) report(p *process) {
	e := view.Report{Life: p.life, Epoch: p.applied.Epoch, Have: p.have.Clone()}
	for _, a := range p.applied.AssignmentsOf(p.life) {
		switch {
		case a.Stage == view.Closed:
			e.Sealed = append(e.Sealed, causal.Dot{Replica: a.Replica, Seq: p.wrote[a.Replica]})
		case a.Stage == view.Learning && p.copied[a.Replica] >= a.Since:
			e.Ready = append(e.Ready, a.Replica)
		}
	}
	w.flight = append(w.flight, e)
}
