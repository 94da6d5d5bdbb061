package core_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/hlc"
	"github.com/sequitur-kv/sequitur/core/store"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// hidden are the kinds of messages that are printed only when traced.
var hidden = map[string]bool{"heartbeat": true, "hello": true, "welcome": true, "pledge": true, "raft": true}

// describe tells a message in words.
func (s *script) describe(m *wire.Message) string {
	switch b := m.Body.(type) {
	case *wire.Hello:
		return fmt.Sprintf("hello: VIEW %s, SHARD_COUNT %d", strings.Join(b.View, ","), b.ShardCount)
	case *wire.Welcome:
		text := fmt.Sprintf("welcome of life %s", s.life(m.From))
		if b.Formed {
			r := codec.NewReader(b.Store)
			text += ", formed " + s.members(view.ReadConfiguration(&r))
		}
		return text
	case *wire.Pledge:
		return "pledge " + s.founding(b.Founding)
	case *wire.Heartbeat:
		if b.Full {
			return "heartbeat: disk full, have " + b.Have.String()
		}
		return "heartbeat: have " + b.Have.String()
	case *wire.Batch:
		return fmt.Sprintf("batch %d.(%d,%d]: %s", b.Replica, b.From, b.To, describeVersions(b.Writes))
	case *wire.Pull:
		text := fmt.Sprintf("pull #%d beyond %s", s.transfer(m.From, b.Transfer), b.Have)
		if b.Cursor != 0 {
			text += fmt.Sprintf(", from slot %d, %d on", b.Cursor>>48, b.Cursor&(1<<48-1))
		}
		return text
	case *wire.State:
		return fmt.Sprintf("state #%d%s", s.transfer(m.To, b.Transfer), describeState(b))
	case *wire.Enter:
		return fmt.Sprintf("enter %s instead of %s", b.Address, s.life(b.Instead))
	case *wire.Configuration:
		r := codec.NewReader(b.Encoded)
		return "configuration " + s.members(view.ReadConfiguration(&r))
	case *wire.Raft:
		return "raft"
	case *wire.Forward:
		return describeForward(b)
	case *wire.Reply:
		return describeReply(b)
	default:
		return fmt.Sprintf("%T", b)
	}
}

// transfer numbers the copies that a life asks for from 1; their ids proper are random.
func (s *script) transfer(requester view.LifeID, id uint64) int {
	i := slices.Index(s.transfers[requester], id)
	if i < 0 {
		i = len(s.transfers[requester])
		s.transfers[requester] = append(s.transfers[requester], id)
	}
	return i + 1
}

func describeState(b *wire.State) string {
	text := ""
	if b.First {
		text = " up to " + b.To.String()
	}
	text += ": " + describeVersions(b.Versions)
	if !b.Last {
		text += ", to be continued"
	}
	return text
}

func describeForward(b *wire.Forward) string {
	text := fmt.Sprintf("forward #%s: %s", counterText(b.Counter), b.Op)
	if b.Op.OnKey() {
		text += " " + keyName(b.Key)
	}
	if b.Op == wire.OpPut {
		text += "=" + string(b.Value)
	}
	if len(b.Context.Vector) > 0 {
		text += " after " + b.Context.Vector.String()
	}
	if b.Final {
		text += ", from what is there"
	}
	if b.Time != 0 {
		text += " at " + clockText(b.Time)
	}
	return text
}

// counterText is the number of a forward, without those that were never reserved: they are random.
func counterText(counter uint64) string {
	if counter>>63 != 0 {
		return "…"
	}
	return strconv.FormatUint(counter, 10)
}

func describeReply(b *wire.Reply) string {
	text := fmt.Sprintf("reply #%s: %s", counterText(b.Counter), b.Status)
	if len(b.Value) > 0 {
		text += " " + string(b.Value)
	}
	if b.Dot.Seq > 0 {
		text += " " + b.Dot.String()
	}
	if b.Count > 0 {
		text += " " + strconv.FormatUint(b.Count, 10)
	}
	return text
}

func describeVersions(versions []store.Version) string {
	if len(versions) == 0 {
		return "nothing"
	}
	parts := make([]string, len(versions))
	for i := range versions {
		parts[i] = describeVersion(&versions[i])
	}
	return strings.Join(parts, ", ")
}

// describeVersion prints a version, its dot and the other writes it follows: x=1 (2.1 after 1.3).
func describeVersion(v *store.Version) string {
	text := keyName(v.Key) + "=" + string(v.Value)
	if v.Deleted {
		text = keyName(v.Key) + " deleted"
	}
	text += " (" + v.Dot.String()
	var others causal.Vector
	for dot := range v.Context.Dots {
		if dot.Replica != v.Dot.Replica {
			others = append(others, dot)
		}
	}
	if len(others) > 0 {
		text += " after " + others.String()
	}
	return text + ")"
}

// describeAnswer tells an answer in words, its token as the dots in it.
func (s *script) describeAnswer(r core.Response, token string) string {
	text := r.Status.String()
	if len(r.Value) > 0 {
		text += " " + string(r.Value)
	}
	if r.Dot.Seq > 0 {
		text += " " + r.Dot.String()
	}
	if r.Outcome.Result != 0 {
		text += " (" + r.Outcome.Result.String() + ")"
	}
	if r.Status == wire.StatusAnswered {
		switch {
		case r.Outcome.Result != 0:
		case r.Progress.Phase != core.PhaseIdle || r.Progress.ToMove > 0:
			text += fmt.Sprintf(" %s, %d of %d keys", r.Progress.Phase, r.Progress.Moved, r.Progress.ToMove)
		case len(r.Members) > 0:
			text += " " + strings.Join(r.Members, ",")
		case r.Shard != 0 && r.Count == 0:
			text += " shard " + r.Shard.String()
		default:
			text += fmt.Sprintf(" %d keys", r.Count)
		}
	}
	if token != "" {
		text += ", token " + s.context(token).Vector.String()
	}
	if r.Reason != "" {
		text += ": " + r.Reason
	}
	return text
}

// context decodes a token of any store that a node of the script belongs to.
func (s *script) context(text string) causal.Context {
	var c causal.Context
	err := fmt.Errorf("no node is formed")
	for _, name := range s.names {
		m := s.nodes[name].machine
		if m == nil || m.Configuration() == nil {
			continue
		}
		c = causal.Context{}
		if _, _, err = m.Configuration().Tokens.Merge(&c, text, nil, nil); err == nil {
			return c
		}
	}
	s.t.Fatalf("token %q: %v", text, err)
	return c
}

// configuration is that of the first node that has one.
func (s *script) configuration() *view.Configuration {
	for _, name := range s.names {
		if m := s.nodes[name].machine; m != nil && m.Configuration() != nil {
			return m.Configuration()
		}
	}
	s.t.Fatal("no node is formed")
	return nil
}

// life names a life by the node and the number of the boot in which it was born: n3#1.
func (s *script) life(id view.LifeID) string {
	if name, ok := s.lives[id]; ok {
		return name
	}
	return "unknown"
}

func (s *script) founding(f view.Founding) string {
	parts := make([]string, len(f.Founders))
	for i, founder := range f.Founders {
		parts[i] = s.life(founder.Life)
	}
	return fmt.Sprintf("[%s; %d shards]", strings.Join(parts, " "), f.ShardCount)
}

// members tells who belongs to a store, with their replica ids and stages, at an epoch.
func (s *script) members(c *view.Configuration) string {
	if c == nil {
		return "unreadable"
	}
	parts := make([]string, len(c.Members))
	for i := range c.Members {
		parts[i] = c.Members[i].Address
		if c.Members[i].Life != 0 {
			parts[i] = s.life(c.Members[i].Life)
		}
	}
	return fmt.Sprintf("[epoch %d: %s; %d shards]", c.Epoch, strings.Join(parts, " "), len(c.Shards))
}

// clockText prints a hybrid time relative to the start of the script: +1.5s, or +1.5s.2 for the
// second tick in a millisecond.
func clockText(t hlc.Time) string {
	millis := t.Millis() - epochMillis
	text := fmt.Sprintf("%+g", float64(millis)/1000) + "s"
	if tick := t - hlc.At(t.Millis()); tick > 0 {
		text += "." + strconv.FormatUint(uint64(tick), 10)
	}
	return text
}

// hideNumbers replaces random 16-digit numbers (stores, lives) by an ellipsis.
func hideNumbers(text string) string {
	words := strings.SplitAfter(text, " ")
	for i, word := range words {
		if number := strings.TrimRight(word, " ,.:"); len(number) == 16 && strings.Trim(number, "0123456789abcdef") == "" {
			words[i] = "…" + word[len(number):]
		}
	}
	return strings.Join(words, "")
}
