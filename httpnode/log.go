package httpnode

import "github.com/sequitur-kv/sequitur/core"

// Log makes the records of a machine durable. The node calls it from one goroutine at a time.
type Log interface {
	// Restore returns what was durable when the last boot ended. It is called first, once.
	Restore() ([]core.Record, core.Position, error)

	// Start tells whom to call when more became durable (never with a lower position than before), or when
	// a write failed, which halts the node for good. It is called second, once. advanced must not
	// be called from within Append: that returns what it knows.
	Start(advanced func(core.Position, error))

	// Append queues records as one atomic unit with the number position, and returns up to where
	// everything is durable by now. With forget, the same unit voids all records before it. Positions
	// ascend, across a forget too. It must not block on IO, because every request waits for it, nor keep
	// the slice records; what the records point to may be kept.
	Append(forget bool, records []core.Record, position core.Position) core.Position

	// Close makes durable what was appended and frees everything. advanced is not called after it.
	Close() error
}

// Replaceable is a Log that can go on without what it holds.
type Replaceable interface {
	Log
	// Replace is called instead of Start if what Restore returned is damaged. It sets that aside, so that the node starts without
	// memory, if it was made to do so; else it says what can be done.
	Replace(damage error) error
}

// memoryLog is the log of a node that keeps nothing: whatever it is given is as durable as it gets.
type memoryLog struct{}

func (memoryLog) Restore() ([]core.Record, core.Position, error) { return nil, 0, nil }

func (memoryLog) Start(func(core.Position, error)) {}

func (memoryLog) Append(_ bool, _ []core.Record, position core.Position) core.Position {
	return position
}

func (memoryLog) Close() error { return nil }
