package httpnode

import "sync/atomic"

// budget bounds the memory that requests under way hold together, in bytes. A small request needs
// none of it, so that large ones cannot keep it out.
type budget struct {
	limit int64
	used  atomic.Int64
}

// freeOfCharge is the size up to which nothing is taken from a budget.
const freeOfCharge = 4 << 10

// take raises what its caller holds to at least size; false when there is not enough, and then
// nothing has changed.
func (b *budget) take(held *int64, size int64) bool {
	if size <= freeOfCharge || size <= *held {
		return true
	}
	more := size - *held
	if b.used.Add(more) > b.limit {
		b.used.Add(-more)
		return false
	}
	*held = size
	return true
}

// give returns everything that its caller holds.
func (b *budget) give(held *int64) {
	if *held > 0 {
		b.used.Add(-*held)
		*held = 0
	}
}
