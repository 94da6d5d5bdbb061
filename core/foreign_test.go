package core_test

import (
	"slices"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// A message of a life that is no member, or that names the receiver as its sender, changes nothing.
func TestStrangersAreIgnored(t *testing.T) {
	c := newCluster(t, 2, 1, nil)
	c.advance(time.Second)
	n1, n2 := c.nodes["n1"].machine, c.nodes["n2"].machine
	before := n1.AppendState(nil)
	for name, message := range map[string]wire.Message{
		"stranger": {From: 12345},
		"itself":   {From: n1.Life()},
	} {
		message.Cluster, message.Epoch, message.To = n1.Configuration().Cluster, 1, n1.Life()
		for _, body := range []wire.Body{
			&wire.Heartbeat{Have: causal.Coverage{{Slots: n1.Configuration().Shards[0].Slots, Vector: causal.Vector{{Replica: 1, Seq: 9}}}}},
			&wire.Forward{Counter: 1, Op: wire.OpPut, Key: "x", Value: []byte("1")},
			&wire.Pull{Slots: n1.Configuration().Shards[0].Slots},
		} {
			message.Body = body
			c.step("n1", core.Input{Kind: core.InputMessage, Message: &message})
			if !slices.Contains(c.output.Probes, core.ProbeForeignMessage) || len(c.output.Sends) != 0 {
				t.Errorf("%s: a %s is taken: %v", name, kindOf(body), c.output.Probes)
			}
		}
	}
	// The stream of a replica comes from its own node only.
	message := wire.Message{Cluster: n1.Configuration().Cluster, Epoch: 1, From: n2.Life(), To: n1.Life(), Body: &wire.Batch{
		Replica: 1, From: 0, To: 1, Slots: n1.Configuration().Shards[0].Slots,
	}}
	c.step("n1", core.Input{Kind: core.InputMessage, Message: &message})
	if !slices.Contains(c.output.Probes, core.ProbeForeignMessage) {
		t.Error("n1 takes a batch of its own stream from n2")
	}
	if !slices.Equal(n1.AppendState(nil), before) {
		t.Error("the state of n1 has changed")
	}
}
