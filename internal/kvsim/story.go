package kvsim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
	"github.com/sequitur-kv/sequitur/netsim"
)

// Sentence is one event of a story.
type Sentence struct {
	At   netsim.Time
	Text string
	Mark string // what is wrong here; "" nearly everywhere
}

// arrival is the moment at which a server came to cover a write.
type arrival struct {
	dot    causal.Dot
	slots  shard.Set
	server int
	at     netsim.Time
}

// story tells what the sessions did, what the faults did and where it went wrong, in the order of time.
func (r *run) story(result *Result) []Sentence {
	var told []Sentence
	for i := range result.Faults {
		if f := &result.Faults[i]; f.Effect.Kind != 0 {
			told = append(told, Sentence{At: f.Effect.At, Text: reportInWords(f, r.names)})
		}
	}
	culprit := int32(-1)
	r.matters = r.scenario.Settled
	if failure := result.Failure; failure != nil {
		if culprit = failure.read - 1; culprit >= 0 {
			r.matters = r.fates[culprit].invoked
		} else if failure.At != 0 {
			r.matters = failure.At
		}
	}
	for number := range r.fates {
		f := &r.fates[number]
		if !f.asked || r.isAudit(int32(number)) && int32(number) != culprit {
			continue
		}
		s := Sentence{At: f.invoked, Text: r.operationInWords(int32(number))}
		if int32(number) == culprit {
			s.At, s.Mark = f.returned, "violates "+result.Failure.Rule()
		}
		told = append(told, s)
	}
	slices.SortStableFunc(told, func(a, b Sentence) int {
		if (a.Mark != "") != (b.Mark != "") && a.At == b.At {
			return len(a.Mark) - len(b.Mark)
		}
		return cmp.Compare(a.At, b.At)
	})
	if culprit < 0 && result.Failure != nil {
		told = append(told, r.lastSentence(result.Failure))
	}
	return told
}

// lastSentence is where a rule broke that no client saw breaking.
func (r *run) lastSentence(f *Failure) Sentence {
	first, _, _ := strings.Cut(f.Explanation, "\n")
	s := Sentence{At: f.At, Text: first, Mark: "violates " + f.Rule()}
	if f.At == 0 {
		s.At = r.world.Now()
	}
	if f.Kind == KindPanic {
		s.Text, s.Mark = "panic: "+first, "must not happen"
	}
	if f.Kind == KindPromise {
		s.Text += ", long after the world has healed"
	}
	return s
}

func (r *run) operationInWords(number int32) string {
	plan, f := &r.plan[number], &r.fates[number]
	who, node := clientName(plan.Client), r.names[f.asks]
	if plan.Fresh && f.need.IsZero() {
		who += " begins a new session and"
	}
	switch plan.Op {
	case wire.OpGet:
		token := "without a token"
		if len(f.need.Vector) > 0 {
			token = "with its token"
		}
		return fmt.Sprintf("%s reads %s at %s %s: %s", who, plan.Key, node, token, r.readInWords(f))
	case wire.OpPut:
		return fmt.Sprintf("%s puts %s = %s at %s%s", who, plan.Key, plan.Value, node, r.writeInWords(number))
	case wire.OpDelete:
		return fmt.Sprintf("%s deletes %s at %s%s", who, plan.Key, node, r.writeInWords(number))
	case wire.OpInvite, wire.OpRemove, wire.OpAddMember, wire.OpReshard:
		return fmt.Sprintf("%s asks %s to %s: %s", who, node, r.administrationInWords(number), answerInWords(f))
	default: // of the audit
		return fmt.Sprintf("%s asks %s for %s", who, node, questionInWords(plan))
	}
}

// administrationInWords is what somebody asks for who runs the store.
func (r *run) administrationInWords(number int32) string {
	plan, f := &r.plan[number], &r.fates[number]
	switch plan.Op {
	case wire.OpInvite:
		return "add " + f.about + " to the view"
	case wire.OpRemove:
		return "delete " + f.about + " from the view"
	case wire.OpAddMember:
		return fmt.Sprintf("put %s into shard %s", f.about, plan.Shard)
	default:
		return "reshard to " + counted(plan.Count, "shard")
	}
}

// answerInWords is how an administrative request ended.
func answerInWords(f *fate) string {
	switch {
	case f.ending == succeeded && f.result == view.Already:
		return "it is there already"
	case f.ending == succeeded:
		return "done"
	case f.status == wire.StatusDeclined:
		return "declined (" + f.result.String() + ")"
	case f.status == wire.StatusUnfinished:
		return "it goes on"
	}
	return endingInWords(f)
}

func (r *run) readInWords(f *fate) string {
	switch f.status {
	case wire.StatusFound:
		if w := r.ghost.lookup(f.dot); w != nil {
			return r.plan[w.operation].Value
		}
		return "what nobody wrote"
	case wire.StatusNotFound:
		return "nothing there"
	default:
		return endingInWords(f)
	}
}

// writeInWords tells what became of a write, and where it was by the time that matters.
func (r *run) writeInWords(number int32) string {
	f := &r.fates[number]
	text := ""
	if f.ending != succeeded {
		text = ": " + endingInWords(f)
	} else if f.status == wire.StatusNotFound {
		return ": nothing there"
	}
	dot := r.ghost.dotOf[number]
	if dot == (causal.Dot{}) {
		return text
	}
	var at, elsewhere []string
	slot := shard.SlotOf(r.plan[number].Key)
	for i := range r.arrivals {
		a := &r.arrivals[i]
		if !a.slots.Has(slot) || a.dot.Replica != dot.Replica || a.dot.Seq < dot.Seq || a.at > r.matters {
			continue
		}
		name := r.names[a.server]
		if r.ghost.replicas[dot.Replica].server == a.server {
			at = []string{name}
		} else if !slices.Contains(elsewhere, name) {
			elsewhere = append(elsewhere, name)
		}
	}
	slices.Sort(elsewhere)
	reaches := "no other"
	if len(elsewhere) > 0 {
		reaches = enumerate(elsewhere)
	}
	if len(at) > 0 && at[0] != r.names[f.asks] {
		return fmt.Sprintf("%s; %s takes it, it reaches %s", text, at[0], reaches)
	}
	return text + "; it reaches " + reaches
}

func endingInWords(f *fate) string {
	switch f.ending {
	case refused:
		return "refused (" + f.status.String() + ")"
	case unknown:
		return "outcome unknown"
	case expired:
		return "no answer within " + seconds(f.returned-f.invoked)
	case pending, succeeded, withheld:
	}
	return "no answer yet"
}

// noteArrivals notes what a step came to cover.
func (r *run) noteArrivals(server int, before, now causal.Coverage) {
	for i := range now {
		p := &now[i]
		for _, dot := range p.Vector {
			if leastBefore(before, &p.Slots, dot.Replica) < dot.Seq {
				r.arrivals = append(r.arrivals, arrival{dot: dot, slots: p.Slots, server: server, at: r.world.Now()})
			}
		}
	}
}
