// Package shard maps keys to slots and slots to shards.
package shard

import (
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// Slots is the fixed number of slots that keys are spread over.
const Slots = 1024

// MaxShards bounds the number of shards: each has at least one slot.
const MaxShards = Slots

// Slot is a number in [0, Slots).
type Slot uint16

// ID names a shard, counted from 1. Zero is none.
type ID uint32

// String prints the id as clients see it; zero prints as "none".
func (id ID) String() string {
	if id == 0 {
		return "none"
	}
	return strconv.FormatUint(uint64(id), 10)
}

// ParseID reads what String prints; ok is false for anything else.
func ParseID(text string) (id ID, ok bool) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != text {
		return 0, false
	}
	return ID(n), true
}

// SlotOf hashes a key (XXH64, its highest bits).
func SlotOf(key string) Slot { return Slot(xxhash.Sum64String(key) >> (64 - 10)) }
