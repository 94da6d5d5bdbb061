package codec_test

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core/codec"
)

// program reads values of the kinds that ops name, and returns them encoded anew.
func program(r *codec.Reader, ops []byte) (again []byte) {
	for _, op := range ops {
		switch op % 7 {
		case 0:
			again = codec.AppendUint(again, r.Uint())
		case 1:
			again = codec.AppendFixed64(again, r.Fixed64())
		case 2:
			again = codec.AppendBool(again, r.Bool())
		case 3:
			again = codec.AppendBytes(again, r.Bytes())
		case 4:
			again = codec.AppendString(again, r.String())
		case 5:
			again = append(again, r.Byte())
		case 6:
			again = append(again, r.Raw(3)...)
		}
	}
	return again
}

// encode appends drawn values of the kinds that ops name.
func encode(t *rapid.T, ops []byte) (buf []byte) {
	for _, op := range ops {
		switch op % 7 {
		case 0:
			buf = codec.AppendUint(buf, rapid.Uint64().Draw(t, "uint"))
		case 1:
			buf = codec.AppendFixed64(buf, rapid.Uint64().Draw(t, "fixed"))
		case 2:
			buf = codec.AppendBool(buf, rapid.Bool().Draw(t, "bool"))
		case 3:
			buf = codec.AppendBytes(buf, rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		case 4:
			buf = codec.AppendString(buf, rapid.String().Draw(t, "string"))
		case 5:
			buf = append(buf, rapid.Byte().Draw(t, "byte"))
		case 6:
			buf = append(buf, rapid.SliceOfN(rapid.Byte(), 3, 3).Draw(t, "raw")...)
		}
	}
	return buf
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ops := rapid.SliceOfN(rapid.Byte(), 1, 12).Draw(t, "ops")
		buf := encode(t, ops)
		r := codec.NewReader(buf)
		if again := program(&r, ops); r.Close() != nil || !bytes.Equal(again, buf) {
			t.Fatalf("%x is read and written as %x: %v", buf, again, r.Err())
		}
		cut := codec.NewReader(buf[:rapid.IntRange(0, len(buf)-1).Draw(t, "cut")])
		if program(&cut, ops); cut.Close() == nil {
			t.Fatalf("a piece of %x is accepted", buf)
		}
		long := codec.NewReader(append(buf, 0))
		if program(&long, ops); !errors.Is(long.Close(), codec.ErrMalformed) {
			t.Fatalf("%x and one byte more is accepted", buf)
		}
	})
}

// FuzzCanonical: whatever is accepted has no other encoding.
func FuzzCanonical(f *testing.F) {
	f.Add([]byte{0, 0}, []byte{0x80, 0x01, 0x80, 0x00})
	f.Add([]byte{2, 3, 4}, []byte{1, 2, 'h', 'i', 0})
	f.Fuzz(func(t *testing.T, ops, data []byte) {
		r := codec.NewReader(data)
		again := program(&r, ops)
		if r.Close() == nil && !bytes.Equal(again, data) {
			t.Fatalf("%x is written as %x", data, again)
		}
	})
}

func TestRefused(t *testing.T) {
	for _, test := range []struct {
		name string
		data []byte
		read func(r *codec.Reader)
	}{
		{"padded varint", []byte{0x81, 0x00}, func(r *codec.Reader) { r.Uint() }},
		{"zero in two bytes", []byte{0x80, 0x00}, func(r *codec.Reader) { r.Uint() }},
		{"varint beyond 64 bits", bytes.Repeat([]byte{0xff}, 11), func(r *codec.Reader) { r.Uint() }},
		{"varint of 65 bits", append(bytes.Repeat([]byte{0xff}, 9), 2), func(r *codec.Reader) { r.Uint() }},
		{"above its limit", []byte{8}, func(r *codec.Reader) { r.UintMax(7) }},
		{"boolean 2", []byte{2}, func(r *codec.Reader) { r.Bool() }},
		{"length beyond the end", []byte{3, 1, 2}, func(r *codec.Reader) { r.Bytes() }},
		{"length of 64 bits", append(bytes.Repeat([]byte{0xff}, 9), 1), func(r *codec.Reader) { r.Bytes() }},
		{"seven bytes of eight", make([]byte, 7), func(r *codec.Reader) { r.Fixed64() }},
		{"raw beyond the end", make([]byte, 2), func(r *codec.Reader) { r.Raw(3) }},
		{"more elements than fit", append(codec.AppendUint(nil, 3), make([]byte, 11)...), func(r *codec.Reader) { r.Count(4) }},
		{"byte of nothing", nil, func(r *codec.Reader) { r.Byte() }},
	} {
		r := codec.NewReader(test.data)
		test.read(&r)
		if !errors.Is(r.Err(), codec.ErrMalformed) {
			t.Errorf("%s: accepted", test.name)
		}
	}
}

func TestCount(t *testing.T) {
	r := codec.NewReader(append(codec.AppendUint(nil, 3), make([]byte, 12)...))
	if n := r.Count(4); n != 3 || r.Err() != nil {
		t.Fatalf("%d elements, %v", n, r.Err())
	}
}

// After the first failure every read returns a zero value, whatever bytes are left.
func TestFailureSticks(t *testing.T) {
	r := codec.NewReader([]byte{2, 5, 1, 'x', 9, 9, 9, 9, 9, 9, 9, 9, 9})
	if r.Bool() {
		t.Error("a malformed boolean is true")
	}
	if r.Uint() != 0 || r.Byte() != 0 || r.Bytes() != nil || r.Fixed64() != 0 || r.Bool() || r.String() != "" || r.Raw(1) != nil || r.Count(1) != 0 {
		t.Error("reads go on after a failure")
	}
	if r.Remaining() != 0 || !errors.Is(r.Close(), codec.ErrMalformed) {
		t.Error("the failure is forgotten")
	}
}
