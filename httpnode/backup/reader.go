package backup

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/codec"
)

// Reader reads a backup. Make one with NewReader.
type Reader struct {
	Header  Header
	Summary Summary // of the entries that were read

	from  *bufio.Reader
	sum   *xxhash.Digest
	block bytes.Buffer
	rest  codec.Reader // of a block of entries
}

// NewReader reads the header. Errors: ErrForeign, ErrNewer, ErrDamaged, or those of from.
func NewReader(from io.Reader) (*Reader, error) {
	r := &Reader{from: bufio.NewReaderSize(from, 64<<10), sum: xxhash.New()}
	line, err := r.from.Peek(len(title))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if string(line) != title {
		return nil, fmt.Errorf("%w: it begins with %q", ErrForeign, line)
	}
	first, err := r.from.ReadSlice('\n')
	if err != nil {
		return nil, r.short(err)
	}
	_, _ = r.sum.Write(first)
	format, err := strconv.Atoi(strings.TrimSpace(string(first[len(title):])))
	switch {
	case err != nil || format < 1:
		return nil, fmt.Errorf("%w: its first line is %q", ErrForeign, first)
	case format > Format:
		return nil, fmt.Errorf("%w: it has format %d, this release reads format %d", ErrNewer, format, Format)
	}
	kind, payload, err := r.next()
	if err == nil && (kind != headerBlock || json.Unmarshal(payload, &r.Header) != nil) {
		err = damaged("it has no header")
	}
	return r, err
}

// Next returns the next entry, and io.EOF after the last one of a backup that is whole. Other errors: ErrDamaged, or those
// of what it reads from.
func (r *Reader) Next() (core.Saved, error) {
	for r.rest.Remaining() == 0 {
		kind, payload, err := r.next()
		switch {
		case err != nil:
			return core.Saved{}, err
		case kind == entriesBlock:
			r.rest = codec.NewReader(payload)
		case kind == summaryBlock:
			return core.Saved{}, r.end(payload)
		default:
			return core.Saved{}, damaged("it has a block of kind %q in its middle", kind)
		}
	}
	s := core.ReadSaved(&r.rest)
	if r.rest.Err() != nil {
		return core.Saved{}, damaged("an entry cannot be read")
	}
	if s.Deleted {
		r.Summary.Deletions++
	} else {
		r.Summary.Keys++
	}
	return s, nil
}

// end compares what was read with the summary; nothing may follow.
func (r *Reader) end(payload []byte) error {
	var told Summary
	if json.Unmarshal(payload, &told) != nil || told != r.Summary {
		return damaged("it says that it has %s, and has %+v", payload, r.Summary)
	}
	_, err := r.from.ReadByte()
	if err == nil {
		return damaged("something follows its end")
	}
	return err
}

// next reads a block; what it returns is valid until the next call.
func (r *Reader) next() (kind byte, payload []byte, err error) {
	var length [4]byte
	if _, err := io.ReadFull(r.from, length[:]); err != nil {
		return 0, nil, r.short(err)
	}
	size := binary.BigEndian.Uint32(length[:])
	if size == 0 || size > maxBlockSize {
		return 0, nil, damaged("a block has %d bytes", size)
	}
	r.block.Reset()
	if _, err := io.CopyN(&r.block, r.from, int64(size)+8); err != nil {
		return 0, nil, r.short(err)
	}
	text := r.block.Bytes()
	_, _ = r.sum.Write(length[:])
	_, _ = r.sum.Write(text[:size])
	if r.sum.Sum64() != binary.BigEndian.Uint64(text[size:]) {
		return 0, nil, damaged("a checksum is wrong")
	}
	_, _ = r.sum.Write(text[size:])
	return text[0], text[1:size], nil
}

// short says what it means that nothing more can be read.
func (r *Reader) short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return damaged("it ends after %d entries", r.Summary.Keys+r.Summary.Deletions)
	}
	return err
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}
