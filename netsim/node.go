package netsim

// Position is a number of records appended to a node's disk. Zero is the empty
// log, and the position that is always durable.
type Position uint64

// Node is one deterministic state machine of the world. The world calls it, one
// event at a time; it answers into the outbox and must not keep the outbox, read
// another clock or draw other randomness than what it got at boot.
type Node[M any] interface {
	// Start is called once per boot, before anything else.
	Start(now Clock, out *Outbox[M])
	// Receive handles a message. The node owns it from now on.
	Receive(now Clock, from NodeID, message M, out *Outbox[M])
	// Wake is called at the time last given to Outbox.WakeAt.
	Wake(now Clock, out *Outbox[M])
}

// Syncer is implemented by a node that wants to hear when its disk is durable.
type Syncer[M any] interface {
	// Synced is called after each sync; all records up to upTo survive a crash.
	// Messages that waited for them have been sent already.
	Synced(now Clock, upTo Position, out *Outbox[M])
}

// Stater is implemented by a node whose state should be part of the digest.
type Stater interface {
	// AppendState appends an encoding of the state to buf and returns it. Equal
	// states give equal bytes; nothing in the node changes.
	AppendState(buf []byte) []byte
}

// Boot is what a node finds when its process starts.
type Boot[M any] struct {
	ID NodeID
	// Count is 0 on the first boot and grows by one with each restart.
	Count int
	// Records is the log in the order of Append: all that was durable, and what a
	// crash left of the rest, which nobody was shown. Nil on the first boot and after
	// a wipe. The node owns it.
	Records [][]byte
	// Position is the number of Records.
	Position Position
	// Synced is how far the log was durable by the word of the disk when the process
	// before died: beyond Position only if a FalseSync was part of it.
	Synced Position
	// Torn is what a crash left of the record after the last one: some of its bytes,
	// from the front. A log that checks what it reads takes no notice.
	Torn []byte
	// Wiped: the disk was lost since the previous process ran.
	Wiped bool
	// Crashed is the previous process as it was when it died, unsynced changes
	// included; nil on the first boot and after a wipe. A world without disks
	// can decide here how much of a memory survives.
	Crashed Node[M]
	// Random is fresh for every boot; derive all randomness of the node from it.
	Random uint64
}
