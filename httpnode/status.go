package httpnode

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/julienschmidt/httprouter"
)

// Status is what a node says of itself at GET /sequitur/status. Members before the store has formed: none.
type Status struct {
	Message  string  `json:"message"`
	Address  string  `json:"address"`
	Uptime   float64 `json:"uptime-seconds"`
	Serving  bool    `json:"serving"`
	Obstacle string  `json:"obstacle"` // why it does not serve
	Volatile bool    `json:"in-memory"`

	Cluster string            `json:"cluster"` // 16 hexadecimal digits, "" until the store has formed
	Epoch   uint64            `json:"epoch"`
	Leader  string            `json:"leader"`   // address of the voting member that leads the others; "" for nobody known
	Voters  int               `json:"voters"`   // members that vote on who belongs to the store, and who owns what
	Shard   string            `json:"shard-id"` // "" for none
	Shards  int               `json:"shard-count"`
	Reshard ReshardStatus     `json:"reshard"`
	Life    string            `json:"life"`
	Replica uint32            `json:"replica"`
	Have    map[string]uint64 `json:"have"` // by replica id: so many of its writes are applied here
	Members []MemberStatus    `json:"members"`

	Keys       uint64 `json:"keys"`
	Tombstones uint64 `json:"tombstones"`
	Waiting    int    `json:"waiting"`         // requests, for dependencies or other nodes
	Parked     int    `json:"parked"`          // of these, for dependencies
	Forwarded  int    `json:"forwarded"`       // of these, at other nodes
	Copying    bool   `json:"copying"`         // from a sibling
	Restored   uint64 `json:"keys-restored"`   // of those that are to be restored: in the store
	ToRestore  uint64 `json:"keys-to-restore"` // from a backup; 0 when all are
	Position   uint64 `json:"log-position"`
	Durable    uint64 `json:"log-durable"`
	Full       bool   `json:"disk-full"`        // it goes on with reading alone
	Free       uint64 `json:"disk-free-bytes"`  // as of the last look; 0 in memory
	Least      uint64 `json:"disk-least-bytes"` // free, for writing; 0 in memory
}

// ReshardStatus is how far the last reshard has come, in the whole store.
type ReshardStatus struct {
	Phase  string `json:"phase"` // idle, copying, switched
	Moved  uint64 `json:"keys-moved"`
	ToMove uint64 `json:"keys-to-move"`
}

// MemberStatus is what a node knows of a member.
type MemberStatus struct {
	Address     string `json:"address"`
	State       string `json:"state"` // invited (never seen), unassigned, learning (copies its shard), serving, leaving
	Shard       string `json:"shard-id"`
	Replica     uint32 `json:"replica"`
	Up          bool   `json:"up"`
	Silent      uint64 `json:"silent-seconds"` // since it was last heard of
	Full        bool   `json:"disk-full"`      // it takes no writes
	Unconfirmed uint64 `json:"unconfirmed"`    // writes of the node that answers which the member has not told it holds
}

// Status looks at the node.
func (n *Node) Status() Status {
	s := n.engine.snapshot()
	status := Status{
		Message: "Status retrieved successfully", Address: n.Address(), Uptime: time.Since(n.made).Seconds(),
		Serving: s.obstacle == "", Obstacle: s.obstacle, Volatile: n.config.Machine.Volatile,
		Epoch: s.epoch, Leader: s.Leader, Voters: s.Voters, Shards: s.shards, Replica: uint32(s.replica), Keys: s.Keys, Tombstones: s.Tombstones,
		Waiting: s.Waiting, Parked: s.Parked, Forwarded: s.Outstanding, Copying: s.Copying, Restored: s.Restored, ToRestore: s.ToRestore,
		Position: uint64(s.position), Durable: uint64(s.durable), Full: s.room.full, Free: s.room.free, Least: s.room.least,
		Have: make(map[string]uint64, len(s.have)), Members: make([]MemberStatus, len(s.members)),
	}
	status.Reshard = ReshardStatus{Phase: s.Progress.Phase.String(), Moved: s.Progress.Moved, ToMove: s.Progress.ToMove}
	if s.life != 0 {
		status.Life = s.life.String()
	}
	if s.cluster != 0 {
		status.Cluster = hex16(uint64(s.cluster))
	}
	if s.shard != 0 {
		status.Shard = s.shard.String()
	}
	for _, dot := range s.have {
		status.Have[strconv.FormatUint(uint64(dot.Replica), 10)] = dot.Seq
	}
	for i, m := range s.members {
		status.Members[i] = MemberStatus{Address: m.Address, State: string(m.state), Replica: uint32(m.Replica), Up: m.up, Silent: uint64(m.silent / time.Second), Unconfirmed: m.unconfirmed, Full: m.full}
		if m.Shard != 0 {
			status.Members[i].Shard = m.Shard.String()
		}
	}
	return status
}

// hex16 writes 16 hexadecimal digits, as logs do.
func hex16(n uint64) string {
	text := strconv.FormatUint(n, 16)
	const zeros = "0000000000000000"
	return zeros[len(text):] + text
}

// status answers 200 in every state: what stands in the way is a member of the answer.
func (n *Node) status(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	text, err := json.Marshal(n.Status())
	if err != nil { // impossible: there is nothing but numbers and text
		unavailable(w, r, sentence(err))
		return
	}
	write(w, http.StatusOK, text)
}
