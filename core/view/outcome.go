package view

import (
	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/codec"
)

// Result is how an entry of the log ended.
type Result uint8

// The results. All but Done change nothing of who belongs to the store and who owns what.
const (
	Ignored    Result = iota // of no effect any more: it was overtaken
	Done                     // took effect; what follows from it may take a while
	Exists                   // Invite: of a member
	NotFound                 // Remove, AddMember: not a member
	NoShard                  // AddMember: to an unknown shard
	NotSeen                  // AddMember: of a member that never showed up
	Down                     // AddMember: of a member that is not reachable
	LastMember               // Remove: of the only one that holds a shard, or the only one of these that is reachable
	Already                  // AddMember: is in that shard
	Elsewhere                // AddMember: is in another shard
	Leaving                  // AddMember: is on its way out
	Busy                     // Remove, AddMember, Reshard: a reshard copies
	TooFew                   // Reshard: a shard would have fewer than two nodes
	Over                     // Abort: that reshard does not copy any more
	Refused                  // Enter: of a life that is over, or is a member elsewhere
	results
)

// String is a sentence for the client that asked.
func (r Result) String() string {
	switch r {
	case Done:
		return "Done"
	case Exists:
		return "Socket address already exists in the view"
	case NotFound:
		return "Socket address does not exist in the view"
	case NoShard:
		return "Shard ID does not exist"
	case NotSeen:
		return "The node has not been reached since it was added to the view; try again when it is up"
	case Down:
		return "Node is down; start it first"
	case LastMember:
		return "The node is the last one that holds the data of its shard"
	case Already:
		return "The node is a member of the shard already"
	case Elsewhere:
		return "The node is a member of another shard; reshard, or delete it from the view first"
	case Leaving:
		return "The node is being deleted from the view"
	case Busy:
		return "A reshard is under way; try again when it is done"
	case TooFew:
		return "Not enough nodes to provide fault-tolerance with the given shard count!"
	case Over:
		return "The reshard is over"
	case Refused:
		return "This life of the node is over; it returns with an empty memory"
	case Ignored, results:
	}
	return "The request was overtaken by a later one"
}

// Outcome is what an entry of the log led to. The zero value: to nothing.
type Outcome struct {
	Result  Result
	Index   uint64           // of the entry, unless it was Ignored. A reshard is known by it (Reshard.Started)
	Epoch   uint64           // in force after the entry: whoever has applied it knows of the change
	Replica causal.ReplicaID // AddMember: the replica id that is to serve, Already included
}

func appendOutcome(buf []byte, o Outcome) []byte {
	buf = append(buf, byte(o.Result))
	buf = codec.AppendUint(buf, o.Index)
	buf = codec.AppendUint(buf, o.Epoch)
	return codec.AppendUint(buf, uint64(o.Replica))
}

func readOutcome(r *codec.Reader) Outcome {
	o := Outcome{Result: Result(r.Byte()), Index: r.Uint(), Epoch: r.Uint(), Replica: readReplica(r)}
	if o.Result >= results {
		r.Fail()
	}
	return o
}
