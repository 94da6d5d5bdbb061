// Package backup is the file that a backup of a node is: what was in force of each key there at one moment.
//
//	Sequitur backup, format 1⏎
//	block…
//
// A block is a length (4 bytes, most significant first), a payload of so many bytes, and the XXH64 of everything in the
// file before it (8 bytes). A payload is a letter and what it stands for: h, the header, first and once; e, entries; t, the
// summary, last and once. So a file that is cut short, damaged, or put together from two is recognized.
package backup

import (
	"errors"
	"time"
)

// Format is the version of the file.
const Format = 1

const title = "Sequitur backup, format "

// Kinds of blocks.
const (
	headerBlock  = 'h' // JSON
	entriesBlock = 'e' // core.AppendSaved, one after the other
	summaryBlock = 't' // JSON
)

// Sizes of blocks, in bytes. An entry is never divided.
const (
	blockSize    = 256 << 10 // that is aimed at
	maxBlockSize = 64 << 20  // no key with its value takes more
)

// Errors of reading. The text that wraps them says more.
var (
	ErrForeign = errors.New("backup: not a backup of a node")
	ErrNewer   = errors.New("backup: written by a newer release")
	ErrDamaged = errors.New("backup: damaged or cut short")
)

// Header says where a backup comes from.
type Header struct {
	Cluster  string    `json:"cluster"`      // of the store; "": the node belonged to none
	Address  string    `json:"address"`      // of the node
	Shard    string    `json:"shard-id"`     // that it served; "": none
	Epoch    uint64    `json:"epoch"`        // of its configuration
	Position uint64    `json:"log-position"` // of what is in the file, all of it
	Time     time.Time `json:"time"`         // when it was begun, by the clock of the node
	Expected uint64    `json:"expected"`     // about so many entries follow
}

// Summary says how much a backup holds.
type Summary struct {
	Keys      uint64 `json:"keys"`
	Deletions uint64 `json:"deletions"` // of other keys, or of the same ones at another time
}
