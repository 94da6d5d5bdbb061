package backup_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/hlc"
	"github.com/sequitur-kv/sequitur/httpnode/backup"
)

var header = backup.Header{
	Cluster: "0123456789abcdef", Address: "a:1", Shard: "2", Epoch: 3, Position: 4, Time: time.Unix(1_700_000_000, 0).UTC(), Expected: 5,
}

func encode(t interface{ Fatal(...any) }, entries []core.Saved) []byte {
	var file bytes.Buffer
	w, err := backup.NewWriter(&file, header)
	for i := range entries {
		err = errors.Join(err, w.Add(&entries[i]))
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func decode(text []byte) (*backup.Reader, []core.Saved, error) {
	r, err := backup.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil, nil, err
	}
	var entries []core.Saved
	for {
		s, err := r.Next()
		if err != nil {
			return r, entries, err
		}
		entries = append(entries, s)
	}
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []core.Saved
		deleted := uint64(0)
		for range rapid.IntRange(0, 8).Draw(t, "entries") {
			s := core.Saved{Key: rapid.String().Draw(t, "key"), Time: hlc.Time(rapid.Uint64Range(1, 1<<63-1).Draw(t, "time"))}
			if s.Deleted = rapid.Bool().Draw(t, "deleted"); s.Deleted {
				deleted++
			} else {
				s.Value = bytes.Repeat([]byte("v"), rapid.SampledFrom([]int{1, 100, 90_000}).Draw(t, "size"))
			}
			want = append(want, s)
		}
		r, got, err := decode(encode(t, want))
		if !errors.Is(err, io.EOF) || !slices.EqualFunc(got, want, same) || r.Header != header {
			t.Fatalf("%v: %d entries of %d, %+v", err, len(got), len(want), r.Header)
		}
		if r.Summary != (backup.Summary{Keys: uint64(len(want)) - deleted, Deletions: deleted}) {
			t.Fatalf("%+v", r.Summary)
		}
	})
}

func same(a, b core.Saved) bool {
	return a.Key == b.Key && bytes.Equal(a.Value, b.Value) && a.Deleted == b.Deleted && a.Time == b.Time
}

func entries(n int) (all []core.Saved) {
	for i := range n {
		all = append(all, core.Saved{Key: fmt.Sprint("key", i), Value: []byte(strings.Repeat("1", 400)), Time: hlc.Time(i + 1)})
	}
	return all
}

// TestDamage changes each byte, and cuts at each place: the file is refused.
func TestDamage(t *testing.T) {
	whole := encode(t, entries(3))
	for at := range whole {
		damaged := slices.Clone(whole)
		damaged[at] ^= 1
		if _, _, err := decode(damaged); !known(err) {
			t.Errorf("byte %d: %v", at, err)
		}
		if _, _, err := decode(whole[:at]); !known(err) {
			t.Errorf("%d bytes of %d: %v", at, len(whole), err)
		}
	}
	if _, _, err := decode(append(slices.Clone(whole), 0)); !errors.Is(err, backup.ErrDamaged) {
		t.Errorf("with a byte more: %v", err)
	}
}

func known(err error) bool {
	return errors.Is(err, backup.ErrDamaged) || errors.Is(err, backup.ErrForeign) || errors.Is(err, backup.ErrNewer)
}

// TestBlocks leaves a block out, and repeats one, of a file that has many.
func TestBlocks(t *testing.T) {
	var blocks [][]byte
	w, err := backup.NewWriter(writerFunc(func(p []byte) { blocks = append(blocks, slices.Clone(p)) }), header)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range entries(3000) {
		if err := w.Add(&s); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil || len(blocks) < 7 {
		t.Fatal(len(blocks), err)
	}
	if _, all, err := decode(slices.Concat(blocks...)); !errors.Is(err, io.EOF) || len(all) != 3000 {
		t.Fatal(len(all), err)
	}
	for i := range blocks {
		if _, _, err := decode(slices.Concat(slices.Delete(slices.Clone(blocks), i, i+1)...)); !known(err) {
			t.Errorf("without block %d: %v", i, err)
		}
		if _, _, err := decode(slices.Concat(slices.Insert(slices.Clone(blocks), i, blocks[i])...)); !known(err) {
			t.Errorf("with block %d twice: %v", i, err)
		}
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

func TestRefused(t *testing.T) {
	for _, test := range []struct {
		text string
		want error
		say  string
	}{
		{"", backup.ErrForeign, `begins with ""`},
		{"PK\x03\x04 and so on, a long text", backup.ErrForeign, `begins with "PK`},
		{"Sequitur backup, format 2\n", backup.ErrNewer, "format 2, this release reads format 1"},
		{"Sequitur backup, format x\n", backup.ErrForeign, "first line"},
		{"Sequitur backup, format 1\n\xFF\xFF\xFF\xFFh", backup.ErrDamaged, "4294967295 bytes"},
		{"Sequitur backup, format 1\n\x00\x00", backup.ErrDamaged, "ends after 0 entries"},
	} {
		if _, _, err := decode([]byte(test.text)); !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.say) {
			t.Errorf("%q: %v", test.text, err)
		}
	}
	if _, err := backup.NewReader(brokenReader{}); !errors.Is(err, io.ErrClosedPipe) || known(err) {
		t.Errorf("a reader that fails: %v", err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }
