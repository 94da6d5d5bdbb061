package shard_test

import (
	"testing"

	"github.com/sequitur-kv/sequitur/core/shard"
)

// The hash decides where data lives on disk and over the network: it never changes.
func TestSlotsAreForEver(t *testing.T) {
	for key, want := range map[string]shard.Slot{"": 957, "x": 370, "key0": 394, "key599": 426, "ключ": 645} {
		if got := shard.SlotOf(key); got != want {
			t.Errorf("slot of %q is %d, want %d", key, got, want)
		}
	}
}

func TestID(t *testing.T) {
	if shard.ID(0).String() != "none" || shard.ID(12).String() != "12" {
		t.Errorf("%v, %v", shard.ID(0), shard.ID(12))
	}
	for text, want := range map[string]shard.ID{
		"1": 1, "1024": 1024, "4294967295": 1<<32 - 1,
		"0": 0, "": 0, "01": 0, "+1": 0, "-1": 0, " 1": 0, "4294967296": 0, "none": 0, "1.0": 0,
	} {
		if id, ok := shard.ParseID(text); id != want || ok != (want != 0) {
			t.Errorf("%q is %v, %t", text, id, ok)
		}
	}
}
