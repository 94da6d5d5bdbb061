// Package shard stands alone.
package shard

func Of(hash uint64) int { return int(hash % 2) }
