package core_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/internal/archtest/testdata/clean/core"
)

func TestClock(t *testing.T) {
	rapid.Check(t, func(*rapid.T) { core.New(uint64(time.Now().Unix())) })
}
