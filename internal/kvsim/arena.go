package kvsim

// arena hands out memory that lives until the end of a run: frames and disk records are many, small
// and all die together, so they cost no garbage collection. The zero value is ready to use.
type arena struct {
	blocks [][]byte
	used   int // blocks that are full or being filled
	rest   []byte
}

const blockSize = 64 << 10

// keep returns a copy of data that stays valid until release.
func (a *arena) keep(data []byte) []byte {
	if len(data) > len(a.rest) {
		if len(data) > blockSize/4 {
			return append([]byte(nil), data...)
		}
		if a.used == len(a.blocks) {
			a.blocks = append(a.blocks, make([]byte, blockSize))
		}
		a.rest = a.blocks[a.used]
		a.used++
	}
	kept := a.rest[:len(data):len(data)]
	a.rest = a.rest[len(data):]
	copy(kept, data)
	return kept
}

// release takes everything back.
func (a *arena) release() { a.used, a.rest = 0, nil }
