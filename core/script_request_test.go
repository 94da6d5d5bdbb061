package core_test

import (
	"strings"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// put NODE KEY=VALUE as=LABEL [after=LABEL,…]
func (s *script) cmdPut(d directive) {
	for _, arg := range d.data.CmdArgs {
		if len(arg.Vals) > 0 && arg.Key != "as" && arg.Key != "after" {
			s.ask(d, core.Request{Op: wire.OpPut, Key: s.key(arg.Key), Value: []byte(arg.Vals[0])})
			return
		}
	}
	d.fail("no KEY=VALUE")
}

// get NODE KEY as=LABEL [after=LABEL,…]
func (s *script) cmdGet(d directive) { s.ask(d, core.Request{Op: wire.OpGet, Key: s.key(d.word(1))}) }

// delete NODE KEY as=LABEL [after=LABEL,…]
func (s *script) cmdDelete(d directive) {
	s.ask(d, core.Request{Op: wire.OpDelete, Key: s.key(d.word(1))})
}

// count NODE SHARD: how many keys the shard holds.
func (s *script) cmdCount(d directive) {
	s.ask(d, core.Request{Op: wire.OpKeyCount, Shard: d.shard(1)})
}

// view NODE: who is up.
func (s *script) cmdView(d directive) { s.ask(d, core.Request{Op: wire.OpView}) }

// shards NODE: all shards.
func (s *script) cmdShards(d directive) { s.ask(d, core.Request{Op: wire.OpShardIDs}) }

// node-shard NODE: the shard of the node.
func (s *script) cmdNodeShard(d directive) { s.ask(d, core.Request{Op: wire.OpNodeShard}) }

// members NODE SHARD: who is assigned to the shard.
func (s *script) cmdMembers(d directive) {
	s.ask(d, core.Request{Op: wire.OpShardMembers, Shard: d.shard(1)})
}

func (d directive) shard(i int) shard.ID {
	id, ok := shard.ParseID(d.word(i))
	if !ok {
		d.fail("%q is no shard", d.word(i))
	}
	return id
}

// ask sends a request to the node that the first word names, with the tokens of earlier answers.
func (s *script) ask(d directive, r core.Request) {
	var tokens []string
	for _, label := range strings.Split(d.option("after"), ",") {
		if text, ok := s.spoiled[label]; ok {
			tokens = append(tokens, text)
		} else if id, ok := s.ids[label]; ok {
			tokens = append(tokens, s.tokens[id])
		} else if label != "" {
			d.fail("nothing is called %s", label)
		}
	}
	r.Tokens = strings.Join(tokens, ",")
	label := d.option("as")
	if label == "" {
		label = "answer"
	}
	id := s.request + 1
	s.ids[label], s.labels[id] = id, label
	s.do(d.word(0), r)
	s.settle()
	if _, ok := s.replies[id]; !ok {
		s.print("%s: waiting\n", label)
	}
}

// cancel NODE LABEL: the client of a request is gone.
func (s *script) cmdCancel(d directive) {
	s.step(d.word(0), core.Input{Kind: core.InputCancel, Request: core.Request{ID: s.ids[d.word(1)]}})
}

// spoil LABEL as=LABEL how=flip|cut|mix|text [with=LABEL]: makes a token that no node gave out of one that was given.
func (s *script) cmdSpoil(d directive) {
	text := s.tokens[s.ids[d.word(0)]]
	switch how := d.option("how"); how {
	case "flip":
		middle := len(text) / 2
		flipped := byte('A')
		if text[middle] == 'A' {
			flipped = 'B'
		}
		text = text[:middle] + string(flipped) + text[middle+1:]
	case "cut":
		text = text[:len(text)-4]
	case "mix":
		other := s.tokens[s.ids[d.option("with")]]
		text = text[:len(text)/2] + other[len(text)/2:]
	case "text":
		text = "v1:1.1"
	default:
		d.fail("unknown way %q", how)
	}
	s.spoiled[d.option("as")] = text
}
