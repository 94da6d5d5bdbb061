// Package consensus is a replicated log: the Raft of go.etcd.io/raft/v3 as a part of a deterministic
// state machine. Messages, proposals and readings of a monotonic clock go in; messages, records and
// committed entries come out; it does no IO and has no randomness but the generator that it is given.
//
// # Durability
//
// Raft lets a node send some messages before it has written its log, and wants others held back.
// Here all of them wait: whoever runs a Log must not let anything that a call produced leave the node
// before the records of that call, and of all calls before it, are durable. A Log counts its records
// as written at once, and so a leader counts an entry towards the majority that its own disk lacks
// still. That is safe, because whatever reveals the commitment (messages, answers, a commit index on
// record) comes from the same call or a later one and so waits for the entry itself to be durable
// here. Should this node crash before that, the entry may be lost, and nobody ever learned that it
// was committed.
//
// # What was made pure
//
// The library draws election timeouts from crypto/rand and counts them in ticks. Its ticks never
// reach that timeout here: a Log has its own timers, starts elections itself, and checks its quorum
// itself, so that a leader cut off from the majority steps down. Nor are leadership transfer, joint
// consensus and read indexes used. Messages and records have an encoding of their own, canonical,
// which protocol buffers do not promise to be.
//
// # Identity
//
// The ID of a node is that of a life: a node that lost its memory takes part under a new one, as a
// learner at first, and never votes twice in a term.
//
// # When half of the voters forget
//
// A majority has to let a new life in, and there is none when half of an even number of voters lost their
// memory: in a cluster of two, when one did. A Log that is told for certain that these lives are over
// (Bury) then counts them as agreeing to whatever all other voters agree to, each of them: it steps their
// answers into the library. With their votes the dead are removed and new lives promoted, and majorities
// are usual ones again. More than half is beyond help (Status.Lost).
//
// It is safe as long as nobody is buried alive, or only by a committed entry of this very log. Call the
// other half the rest.
//   - A majority and the rest have a voter in common, and one that remembers. So whoever is elected by
//     the rest holds all that a majority committed, and whoever is elected by a majority all that the rest
//     committed; and no term has two leaders, since that voter votes once.
//   - Two different halves that act as the rest, each of which takes the other for dead, would each have
//     died before the other acted. So that cannot be.
//   - Neighbours of an even number of voters are odd. A majority of theirs may be disjoint from the rest:
//     voters 1 and 2 become 1, 2 and 3; nodes 2 and 3 decide, and node 2 forgets; node 1 has the change, and
//     does not know that it was committed. So voters after a change that is in the log must agree too, all
//     that are not buried, and at most half of them may be (halves, canvass).
//   - The other way round, a leader that does not know yet that the voters have changed may decide by the
//     majority before it what the rest after it knows nothing of: node 1 alone, before it learns that it
//     let node 2 vote. So a leader appends nothing on top of a change that is not committed (unsteady), but
//     the first entry of its term, which is beyond its power; and the rest acts only when there is a
//     committed entry after the last change of voters that is not the first of its term: its leader knew of
//     the change, and leaders that do not cannot be elected any more, nor commit anything (Status.Settled).
//     Leaders append such an entry after each change (settle). In between, for as long as it takes to
//     commit an entry, half of the voters is too many to lose.
//   - A life that the log itself ended may be buried though it still runs and does not know. Whoever buries
//     it has the entry that ended it, all of the rest will have what the rest decides, and a majority with
//     such lives in it needs somebody of the rest, who votes for nobody that lacks it. Only if all of the
//     rest lose their memory, too, may those lives decide as if nothing had happened since.
package consensus
