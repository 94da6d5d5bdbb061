package view_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/view"
)

// TestLog runs lives that write, copy, forget, and follow the log at their own pace, while members come
// and go and the shards change. After every entry it checks what must never be otherwise; at the end
// everything heals, and all that was begun must come to its end.
func TestLog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range rapid.IntRange(300, 500).Draw(t, "steps") {
			w.step()
		}
		w.heal()
	})
}

// below draws a number from 0 to n-1, with even odds: those of IntRange favour the small.
func below(n int) *rapid.Generator[int] {
	return rapid.Custom(func(t *rapid.T) int {
		bits := 0
		for range 10 {
			bits <<= 1
			if rapid.Bool().Draw(t, "bit") {
				bits++
			}
		}
		return bits % n
	})
}

// oneOf draws one of some names, with even odds.
func oneOf(t *rapid.T, label string, names ...string) string {
	return names[below(len(names)).Draw(t, label)]
}

// step is one thing that happens.
func (w *world) step() {
	p := w.processes[below(len(w.processes)).Draw(w.t, "process")]
	other := w.processes[below(len(w.processes)).Draw(w.t, "other")]
	action := oneOf(w.t, "action",
		"write", "write", "write", "stream", "stream", "stream", "pull", "pull", "pull", "adopt", "adopt", "adopt", "adopt", "adopt", "adopt some",
		"copy", "copy", "copy", "report", "report", "report", "report", "log", "log", "log", "log", "log", "log", "log",
		"request", "rarely")
	if action == "rarely" {
		action = oneOf(w.t, "rare", "forget", "garble", "pull")
	}
	if p.applied == nil && action != "log" {
		action = "enter"
	}
	switch action {
	case "write":
		w.write(p)
	case "stream":
		slots := w.someSlots()
		w.stream(p, other, &slots)
	case "pull":
		slots := w.someSlots()
		w.pull(other, p, &slots)
	case "adopt":
		w.adopt(p, w.head)
	case "adopt some":
		w.adopt(p, w.history[below(len(w.history)).Draw(w.t, "configuration")])
	case "copy":
		w.copyFully(p)
	case "report":
		w.report(p)
	case "log":
		w.deliver()
	case "request":
		w.request(p)
	case "forget":
		w.boot(p.address)
	case "enter":
		w.enter(p)
		w.adopt(p, w.head)
	case "garble":
		w.garble(p)
	}
	if len(w.processes) == 0 { // everybody was removed but those who never came
		w.boot("a")
	}
}

func (w *world) someSlots() shard.Set {
	count := 1 + below(3).Draw(w.t, "parts")
	if count == 1 {
		return shard.All()
	}
	return shard.Initial(count).SlotsOf(shard.ID(1 + below(count).Draw(w.t, "part")))
}

// deliver applies something that was proposed, and perhaps keeps it for later.
func (w *world) deliver() {
	if len(w.flight) == 0 {
		return
	}
	i := below(len(w.flight)).Draw(w.t, "entry")
	e := w.flight[i]
	if below(5).Draw(w.t, "keep") > 0 {
		w.flight = slices.Delete(w.flight, i, i+1)
	}
	w.apply(e)
}

// enter proposes a life in the place of whoever is at its address.
func (w *world) enter(p *process) {
	e := view.Enter{Address: p.address, Life: p.life}
	if i := w.head.MemberAt(p.address); i >= 0 {
		e.Instead = w.head.Members[i].Life
	}
	w.flight = append(w.flight, e)
}

// down draws lives that somebody takes for down: that of the member with an address, and few others.
func (w *world) down(address string) (lives []view.LifeID) {
	for i := range w.head.Members {
		if m := &w.head.Members[i]; m.Life != 0 && (m.Address == address || below(10).Draw(w.t, "down") == 0) {
			lives = append(lives, m.Life)
		}
	}
	slices.Sort(lives)
	return lives
}

func (w *world) request(p *process) {
	address := string(rune('a' + below(7).Draw(w.t, "address")))
	var o view.Operation
	switch oneOf(w.t, "operation", "invite", "remove", "down", "add", "reshard", "reshard", "reshard", "abort", "boot", "unseat", "expel") {
	case "expel": // whoever it is, and whenever it comes
		w.flight = append(w.flight, view.Expel{Life: p.life})
		return
	case "unseat":
		w.unseat()
		return
	case "invite":
		o = view.Invite{Address: address}
	case "remove":
		o = view.Remove{Address: address, Down: w.down("")}
	case "down":
		o = view.Remove{Address: address, Down: w.down(address)}
	case "add":
		o = view.AddMember{Address: address, Shard: shard.ID(below(4).Draw(w.t, "shard")), Down: w.down("")}
	case "reshard":
		r := view.StartReshard{Count: below(4).Draw(w.t, "count")}
		for i := range w.head.Members {
			if below(10).Draw(w.t, "up") > 0 {
				r.Up = append(r.Up, w.head.Members[i].Address)
			}
		}
		o = r
	case "abort":
		o = view.Abort{Started: w.head.Reshard.Started}
	case "boot":
		if !slices.ContainsFunc(w.processes, func(p *process) bool { return p.address == address }) {
			w.boot(address)
		}
		return
	}
	w.requests[p.life]++
	w.flight = append(w.flight, view.Request{By: p.life, Number: w.requests[p.life], Operation: o})
}

// garble proposes what no honest life would: claims of replica ids that are not its own, requests of
// number 0. None of it may have an effect.
func (w *world) garble(p *process) {
	e := view.Report{Life: p.life, Epoch: p.applied.Epoch, Have: p.have.Clone()}
	for i := range w.head.Assignments {
		if a := &w.head.Assignments[i]; a.Life != p.life || a.Stage == view.Serving {
			e.Sealed = append(e.Sealed, causal.Dot{Replica: a.Replica, Seq: 1})
			e.Ready = append(e.Ready, a.Replica)
		}
	}
	w.flight = append(w.flight, e, view.Request{By: p.life, Operation: view.Invite{Address: "z"}}, view.Enter{Address: "z"})
}

// heal lets everybody catch up, and say what the log waits for and nothing else.
func (w *world) heal() {
	w.flight = nil
	for range 60 {
		before := len(w.history)
		for i := range w.head.Members {
			if m := w.head.Members[i]; m.Life != 0 && w.process(m.Life) == nil {
				w.enter(w.boot(m.Address))
			}
		}
		for _, p := range slices.Clone(w.processes) {
			if w.head.MemberOf(p.life) < 0 && !w.head.HasEnded(p.life) {
				w.enter(p)
			}
			w.adopt(p, w.head)
		}
		w.catchUp()
		w.unseat()
		for len(w.flight) > 0 {
			w.apply(w.flight[0])
			w.flight = w.flight[1:]
		}
		if len(w.history) == before {
			break
		}
	}
	w.checkHealed()
}

// unseat tells the log who is leaving and has no vote any more.
func (w *world) unseat() {
	for _, m := range w.head.Members {
		if m.Leaving && !m.Unseated {
			w.apply(view.Unseat{Life: m.Life})
		}
	}
}

func (w *world) catchUp() {
	all := shard.All()
	for range 2 {
		for _, p := range w.processes {
			for _, other := range w.processes {
				w.pull(other, p, &all)
			}
		}
	}
	for _, p := range w.processes {
		if p.applied == nil {
			continue
		}
		w.copyFully(p)
		wanted := p.applied.Awaits(p.life, p.have)
		copied := slices.ContainsFunc(wanted.Copy, func(r causal.ReplicaID) bool { return p.copied[r] >= p.applied.Assignment(r).Since })
		if len(wanted.Seal) > 0 || copied || wanted.Report {
			w.report(p)
		}
	}
}

func (w *world) checkHealed() {
	for i := range w.head.Members {
		if m := &w.head.Members[i]; m.Leaving {
			w.t.Fatalf("member %s does not go: %v", m.Address, describe(w.head))
		}
	}
	for i := range w.head.Assignments {
		if a := &w.head.Assignments[i]; !serves(a) {
			w.t.Fatalf("%s stays so, epoch %d: %q", describeAssignment(a), w.head.Epoch, describe(w.head))
		}
	}
}
