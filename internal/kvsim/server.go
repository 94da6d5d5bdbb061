package kvsim

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/codec"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
	"github.com/sequitur-kv/sequitur/netsim"
)

// server is one boot of a store node: the shell around a core.Machine, as httpnode is in the real
// world, and the place where the harness watches it.
type server struct {
	run         *run
	index       int // of the node; also its netsim.NodeID
	machine     *core.Machine
	durable     core.Position   // told to the machine
	position    core.Position   // of the disk
	have        causal.Coverage // what the machine covered after the latest step
	unsynced    bool            // the process before this one had applied what its disk lost
	betrayed    bool            // it had been told that what the disk lost was durable
	more        bool            // it had not known that all of this was durable
	stepped     bool
	life        view.LifeID         // after the latest step
	adopted     *view.Configuration // in force after the latest step, nil for none
	former      *view.Configuration // in force before it
	synced      causal.Coverage     // of what the machine covers, that surely is on the disk
	syncedUnder *view.Configuration // in force then
	deleted     bool                // it has said that it was deleted from the view
	leads       bool                // the configuration log
	ledger      ledger
}

var (
	_ netsim.Node[Packet]   = (*server)(nil)
	_ netsim.Syncer[Packet] = (*server)(nil)
	_ netsim.Stater         = (*server)(nil)
)

// bootServer makes the process of a store node from what its disk kept.
func (r *run) bootServer(boot netsim.Boot[Packet]) netsim.Node[Packet] {
	config := r.scenario.Core
	config.Address = r.names[boot.ID]
	config.View, config.ShardCount = r.names[:r.scenario.founders()], r.scenario.Shards
	if int(boot.ID) >= r.scenario.founders() {
		config.View, config.ShardCount = r.names[:boot.ID+1], 0
	}
	for i := range 4 {
		word := netsim.Seed(boot.Random).At(uint64(i))
		binary.BigEndian.PutUint64(config.Entropy[8*i:], word)
	}
	var records []core.Record
	for _, step := range boot.Records {
		records = readRecords(step, records)
	}
	machine, err := core.New(config, records, core.Position(boot.Position))
	if err != nil {
		panic(fmt.Errorf("core.New: %w", err))
	}
	s := &server{
		run: r, index: int(boot.ID), machine: machine, life: machine.Life(),
		durable: core.Position(boot.Position), position: core.Position(boot.Position),
	}
	wiped := false
	if old := r.servers[s.index]; old != nil {
		s.betrayed = boot.Synced > boot.Position
		s.unsynced, s.more = old.position > s.position, old.durable < s.position
		wiped = boot.Wiped && old.durable > 0 // else nothing had become durable: an early crash
	}
	s.ledger.hold(machine.Have())
	r.servers[s.index] = s
	r.booted(s, wiped)
	return s
}

// Start implements netsim.Node.
func (s *server) Start(now netsim.Clock, out *netsim.Outbox[Packet]) {
	if s.unsynced {
		out.Probe(ProbeCrashUnsynced)
	}
	if s.betrayed {
		out.Probe(ProbeBetrayed)
	}
	if s.more {
		out.Probe(ProbeTailKept)
	}
	s.step(now, core.Input{Kind: core.InputWake}, out)
}

// Wake implements netsim.Node.
func (s *server) Wake(now netsim.Clock, out *netsim.Outbox[Packet]) {
	s.step(now, core.Input{Kind: core.InputWake}, out)
}

// Synced implements netsim.Syncer.
func (s *server) Synced(now netsim.Clock, upTo netsim.Position, out *netsim.Outbox[Packet]) {
	s.durable = core.Position(upTo)
	s.ledger.synced(s.durable)
	if s.durable == s.position {
		s.noteSynced()
	}
	s.step(now, core.Input{Kind: core.InputWake}, out)
}

// Receive implements netsim.Node.
func (s *server) Receive(now netsim.Clock, from netsim.NodeID, packet Packet, out *netsim.Outbox[Packet]) {
	if packet.ask != nil {
		s.receiveAsk(now, packet.ask, out)
		return
	}
	message, err := wire.Decode(packet.frame)
	if err != nil {
		panic(fmt.Errorf("a peer sent what does not decode: %w", err))
	}
	s.run.ghost.overhear(int(from), message)
	s.run.received = message
	s.step(now, core.Input{Kind: core.InputMessage, Message: message}, out)
	s.run.received = nil
}

// receiveAsk takes a client's request. It came over a connection of its own, so a copy of it is an
// artefact of the simulated network and not delivered.
func (s *server) receiveAsk(now netsim.Clock, ask *ask, out *netsim.Outbox[Packet]) {
	f := &s.run.fates[ask.request.ID-1]
	if f.delivered {
		return
	}
	f.delivered, f.server, f.life = true, s.index, s.machine.Life()
	waiting := s.machine.Waiting()
	s.step(now, core.Input{Kind: core.InputRequest, Request: ask.request}, out)
	f.waited = f.replies == 0 && !f.forwarded && s.machine.Waiting() > waiting
}

// step feeds the machine, judges what it did and carries it out.
func (s *server) step(now netsim.Clock, input core.Input, outbox *netsim.Outbox[Packet]) {
	r, out := s.run, &s.run.output
	input.Wall = floorDivide(now.Wall, int64(netsim.Millisecond))
	input.Mono = now.Mono.Duration()
	input.Durable = s.durable
	input.Full = outbox.DiskFull()
	s.machine.Step(input, out)

	o := observation{server: s, position: s.position, full: input.Full}
	if s.ledger.before = s.position; len(out.Records) > 0 {
		r.scratch = r.scratch[:0]
		if out.Forget {
			r.scratch = appendRecords(r.scratch, []core.Record{{}})
			s.ledger = ledger{before: s.position} // what was before is void, and nobody tells of it any more
		}
		r.scratch = appendRecords(r.scratch, out.Records)
		s.position = core.Position(outbox.Append(r.scratch))
		s.ledger.append(s.position, readRecords(r.arena.keep(r.scratch), nil))
		o.position = s.position
	}
	if s.life != s.machine.Life() {
		r.reborn(s)
	}
	s.former = s.adopted
	if s.adopted = s.machine.Configuration(); s.adopted != s.former && s.adopted != nil {
		s.deleted = false
		s.leaveSlots()
		r.adopts(s, s.adopted, outbox)
	}
	if !s.stepped {
		s.stepped = true
		r.restored(s)
		s.have = s.machine.Have().CopyInto(s.have)
		s.noteSynced()
	}
	r.judge(atStep, o)
	for i := range out.Accepted {
		r.minted(s, out.Accepted[i])
	}
	if have := s.machine.Have(); !s.have.Equal(have) || s.adopted != s.former {
		if r.tells {
			r.noteArrivals(s.index, s.have, have)
		}
		r.judge(atCover, o)
		s.have = have.CopyInto(s.have)
	}
	r.judge(atSend, o)
	for i := range out.Sends {
		send := &out.Sends[i]
		r.scratch = wire.Append(r.scratch[:0], send.Message)
		outbox.Send(r.serverAt(send.To), Packet{frame: r.arena.keep(r.scratch)}, netsim.Position(send.After))
		r.noteRoute(s, send.Message)
	}
	for i := range out.Replies {
		s.reply(&out.Replies[i], outbox)
	}
	if r.scenario.Administration.Clients > 0 {
		if leads := s.machine.Figures().Leader == r.names[s.index]; leads != s.leads {
			if s.leads = leads; leads {
				outbox.Probe(ProbeLeads)
			}
		}
	}
	for _, probe := range out.Probes {
		s.deleted = s.deleted || probe == core.ProbeExcluded
		outbox.Probe(string(probe))
	}
	outbox.WakeAt(netsim.Time(out.WakeAt))
}

// reply sends an answer to the client that asked.
func (s *server) reply(response *core.Response, outbox *netsim.Outbox[Packet]) {
	r := s.run
	number := int32(response.ID) - 1
	if !r.judge(atReply, observation{server: s, response: response, number: number}) {
		return
	}
	f := &r.fates[number]
	f.replies++
	kept := &answer{response: *response, own: !f.forwarded && !f.proxied, life: s.life}
	if s.adopted != nil {
		kept.epoch = s.adopted.Epoch
	}
	kept.response.Token = r.arena.keep(response.Token)
	outbox.Send(r.clientNode(r.plan[number].Client), Packet{answer: kept}, netsim.Position(response.After))
}

// leaveSlots forgets what the server covered in slots that it was not in charge of all the time since the
// configuration before: it may have given them up and begun anew, within one step.
func (s *server) leaveSlots() {
	if s.former == nil {
		return
	}
	var left, kept shard.Set
	for _, a := range s.former.AssignmentsOf(s.life) {
		if s.adopted.Assignment(a.Replica) != nil {
			kept = kept.Union(&a.Slots)
		} else {
			left = left.Union(&a.Slots)
		}
	}
	if left = left.Minus(&kept); left.IsEmpty() {
		return
	}
	shown := &s.run.ghost.shown[s.index]
	s.have, s.synced, *shown = s.have.Drop(&left), s.synced.Drop(&left), shown.Drop(&left)
	g := &s.run.ghost
	g.left[s.index] = departure{slots: left.Union(&g.left[s.index].slots), epoch: s.adopted.Epoch}
	g.answers[s.index] = slices.DeleteFunc(g.answers[s.index], func(dot causal.Dot) bool {
		w := g.lookup(dot)
		return w == nil || left.Has(w.slot)
	})
}

// noteSynced notes that all of the state of the machine is on the disk.
func (s *server) noteSynced() {
	s.synced, s.syncedUnder = s.machine.Have().CopyInto(s.synced), s.machine.Configuration()
}

// id is the server as the world knows it.
func (s *server) id() netsim.NodeID { return netsim.NodeID(s.index) }

// wiped tells whether the disk was lost since the process last ran.
func (s *server) wiped() bool { return s.durable > 0 && s.run.world.Appended(s.id()) == 0 }

// AppendState implements netsim.Stater.
func (s *server) AppendState(buf []byte) []byte { return s.machine.AppendState(buf) }

func appendRecords(buf []byte, records []core.Record) []byte {
	for i := range records {
		r := &records[i]
		buf = codec.AppendBytes(buf, r.Key)
		buf = codec.AppendBytes(buf, r.Value)
	}
	return buf
}

// readRecords appends the records of one step as appendRecords wrote them. They share its memory.
func readRecords(step []byte, records []core.Record) []core.Record {
	for r := codec.NewReader(step); r.Remaining() > 0; {
		record := core.Record{Key: r.Bytes(), Value: r.Bytes()}
		if r.Err() != nil {
			panic("the disk returned what was never written")
		}
		if len(record.Key) == 0 { // see Output.Forget
			records = records[:0]
			continue
		}
		records = append(records, record)
	}
	return records
}

func sameVector(a, b causal.Vector) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func floorDivide(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
