// Package netsim runs deterministic state machines in a simulated world: one
// goroutine, virtual time, a network and disks that misbehave on purpose, and
// the same run for the same seed on every platform.
//
// # The world
//
// A World holds nodes, links between each two of them, one disk and one wall
// clock per node, and a queue of events ordered by time. An event is a start, a
// message, a timer, a sync of a disk, or the beginning or end of a fault. Each
// is handled to its end before the next; between two events no time passes
// inside a node.
//
// A Node is any machine that answers Start, Receive and Wake into an Outbox: it
// sends messages, appends records to its log, sets its one timer, and reports
// rare situations as probes. It must take time from the Clock and randomness
// from Boot.Random only. Clients are nodes too.
//
// # What may go wrong
//
// Faults are data: a Schedule is a list of them with a text form of one line per
// fault, see ParseSchedule. Swarm draws one from a seed. Faults reach messages
// that are under way already. At Config.ChaosEnd every fault ends: whatever the
// machine owes, it has to deliver until Config.End. Only a Kill is for good;
// World.Killed says whom not to wait for.
//
// Chance rarely hits the moment that matters. A fault can wait for a situation
// instead of a time: "when reshard.switch then pause all but met for 3s" begins as
// soon as a node reports that probe, and spares that node. Its beginning is the
// next event after the one that reported it, before all else that is due at that
// time. Config.StartAt lets nodes join late.
//
// # What a disk promises
//
// A log keeps its order: a restart finds a first part of it, whole records only
// (Boot.Records). All that Syncer.Synced told of is there, and so is the record that
// a message waited for before it left (Outbox.Send): a machine can promise only what
// it will remember.
//
// Nothing is promised of what comes behind. After a Crash it is gone. After a Tear,
// and when a FailDisk ends a process, some of what was being written is there, from
// nothing to all of it: a write that nobody was shown, a vote that was never cast.
// The record after the last one may be there in part (Boot.Torn). A FillDisk asks
// the machine to write nothing new for a while (Outbox.DiskFull). A FalseSync breaks
// the promise itself.
//
// A crash can come at each step of a disk's work, see DiskPoints: "when 17th
// disk.durable at n1 then crash met for 2s" is one after the end of a sync, before
// the process hears of it.
//
// # Every order
//
// A small world can be taken through every order instead of a drawn one: Choices
// lists what can happen next, Take lets one of it happen, Disturb begins a fault.
// Package explore keeps the books.
//
// # What is checked
//
// Config.Invariant is judged after every event; it sees all nodes at once. A
// panic of a node is a violation as well. Run returns the first as a *Violation.
// Judge liveness after Run: is everything answered, do all copies agree?
//
// # Randomness
//
// Draws are keyed instead of sequential, see Seed. The fate of a message is a
// function of the seed, its link and its number on that link. A fault that is
// removed from a schedule leaves the fates of all other messages as they were,
// which is what makes failing runs shrink well.
//
// Digest condenses a run into 64 bits; equal digests mean equal runs. Package
// netsimtest sweeps seeds in a go test, and example/gossip is a machine with its
// test to copy from.
package netsim
