package httpnode

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/sequitur-kv/sequitur/core/store"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// A body of the peer transport is a sequence of frames: the length of a message in four bytes, most
// significant first, and the message.
const (
	frameHeader = 4
	maxFrame    = 64 << 20 // bytes; far above what a machine puts into one message
	batchBytes  = 1 << 20  // a body is closed once it has this size
)

var (
	errFrame      = errors.New("httpnode: malformed frame from a peer")
	errFramesBusy = errors.New("httpnode: too many large frames are under way; try again later")
)

// appendFrame appends message as one frame. ok is false, and buf unchanged, when the message is too
// large to be sent.
func appendFrame(buf []byte, message *wire.Message) (_ []byte, ok bool) {
	start := len(buf)
	buf = wire.Append(append(buf, 0, 0, 0, 0), message)
	size := len(buf) - start - frameHeader
	if size > maxFrame {
		return buf[:start], false
	}
	binary.BigEndian.PutUint32(buf[start:], uint32(size))
	return buf, true
}

// readFrame reads one frame into buf, whose bytes are valid until it is used again. The error is
// io.EOF at the end, errFrame for anything malformed or cut off, errFramesBusy when allow does not
// grant a frame its size.
func readFrame(r io.Reader, buf *bytes.Buffer, allow func(size int64) bool) ([]byte, error) {
	var header [frameHeader]byte
	if _, err := io.ReadFull(r, header[:]); err == io.EOF {
		return nil, io.EOF
	} else if err != nil {
		return nil, errFrame
	}
	size := int64(binary.BigEndian.Uint32(header[:]))
	if size > maxFrame {
		return nil, errFrame
	}
	if !allow(size) {
		return nil, errFramesBusy
	}
	buf.Reset()
	// Copying grows the buffer as bytes arrive: a length alone makes nobody allocate.
	if _, err := io.CopyN(buf, r, size); err != nil {
		return nil, errFrame
	}
	return buf.Bytes(), nil
}

// weight estimates the memory that a message keeps alive, in bytes, without encoding it.
func weight(message *wire.Message) int {
	const overhead = 128
	switch b := message.Body.(type) {
	case *wire.Batch:
		return overhead + weightOf(b.Writes)
	case *wire.State:
		return overhead + weightOf(b.Versions)
	case *wire.Forward:
		return overhead + len(b.Key) + len(b.Value)
	case *wire.Reply:
		return overhead + len(b.Value)
	default:
		return overhead
	}
}

func weightOf(versions []store.Version) int {
	const perVersion = 64
	n := 0
	for i := range versions {
		n += perVersion + len(versions[i].Key) + len(versions[i].Value)
	}
	return n
}
