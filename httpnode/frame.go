package httpnode

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"

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

// frames reads frames of a body.
type frames struct {
	reader *bufio.Reader
	large  *bytes.Buffer // of a frame that was not in the reader's buffer as a whole; nil: none
	held   int64         // of the budget for frames
}

// frameBuffer is small, for each request has one as long as it lasts.
const frameBuffer = 4 << 10

var (
	framesPool = sync.Pool{New: func() any { return &frames{reader: bufio.NewReaderSize(nil, frameBuffer)} }}
	largePool  = sync.Pool{New: func() any { return new(bytes.Buffer) }}
)

// release gives back what the last frame needed.
func (f *frames) release(b *budget) {
	b.give(&f.held)
	if f.large != nil && f.large.Cap() <= batchBytes {
		largePool.Put(f.large)
	}
	f.large = nil
}

// ready tells whether the next frame has come as a whole, so that next does not wait for it.
func (f *frames) ready() bool {
	if f.reader.Buffered() < frameHeader {
		return false
	}
	header, _ := f.reader.Peek(frameHeader)
	return int64(f.reader.Buffered()-frameHeader) >= int64(binary.BigEndian.Uint32(header))
}

// next reads one frame, whose bytes are valid until it is called again. The error is
// io.EOF at the end, errFrame for anything malformed or cut off, errFramesBusy when allow does not
// grant a frame its size, that of the reader when its time is over.
func (f *frames) next(allow func(size int64) bool) ([]byte, error) {
	header, err := f.reader.Peek(frameHeader)
	switch {
	case err == io.EOF && len(header) == 0:
		return nil, io.EOF
	case err != nil:
		return nil, cutOff(err)
	}
	size := int64(binary.BigEndian.Uint32(header))
	if size > maxFrame {
		return nil, errFrame
	}
	whole := f.ready()
	if !allow(size) {
		return nil, errFramesBusy
	}
	_, _ = f.reader.Discard(frameHeader) // which is there
	if whole {
		frame, _ := f.reader.Peek(int(size))
		_, _ = f.reader.Discard(int(size)) // its bytes stay until more is read
		return frame, nil
	}
	if f.large == nil {
		f.large = largePool.Get().(*bytes.Buffer)
	}
	f.large.Reset()
	// Copying grows the buffer as bytes arrive: a length alone makes nobody allocate.
	if _, err := io.CopyN(f.large, f.reader, size); err != nil {
		return nil, cutOff(err)
	}
	return f.large.Bytes(), nil
}

// cutOff is the error of next where the reader ends early.
func cutOff(err error) error {
	if isTimeout(err) {
		return err
	}
	return errFrame
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
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
