package disk

import (
	"fmt"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/sequitur-kv/sequitur/core"
)

// large is a value of which a few make Pebble begin another file of its write-ahead log.
var large = []byte(strings.Repeat("large", 20_000))

func largeRecord(at core.Position) []core.Record {
	return []core.Record{{Key: fmt.Append(nil, at), Value: large}}
}

// TestMarkFollows looks at the mark before each sync: it never says that something is durable which is not.
func TestMarkFollows(t *testing.T) {
	memory := vfs.NewMem()
	var mu sync.Mutex
	synced := map[string]int{} // bytes of a manifest
	seen := 0
	var durable atomic.Uint64
	fs := errorfs.Wrap(memory, errorfs.InjectorFunc(func(op errorfs.Op) error {
		base := path.Base(op.Path)
		if op.Kind != errorfs.OpFileSync && op.Kind != errorfs.OpFileSyncData || !strings.HasSuffix(base, ".log") && !strings.HasPrefix(base, "MANIFEST-") {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		text, err := readFile(memory, dir+"/"+watermarkName)
		if err != nil {
			t.Error(err)
		}
		m := decodeMark(text)
		if before := durable.Load(); strings.HasSuffix(base, ".log") && uint64(m.position) > before {
			t.Errorf("before %s is synced the mark is at %d, and durable is %d", base, m.position, before)
		}
		if strings.HasPrefix(base, "MANIFEST-") {
			if m.manifest != "" && m.size > synced[m.manifest] {
				t.Errorf("before %s is synced the mark is %+v, and of manifests are synced %v", base, m, synced)
			}
			info, err := memory.Stat(op.Path)
			if err != nil {
				t.Error(err)
				return nil
			}
			synced[base] = int(info.Size())
			seen++
		}
		return nil
	}))
	log, _, _ := open(t, fs)
	for position := core.Position(1); position < 24; position++ {
		log.Append(false, largeRecord(position), position)
		if err := log.wait(position); err != nil {
			t.Fatal(err)
		}
		durable.Store(uint64(position))
		if position%8 == 0 {
			must(t, log.store.db.Flush())
		}
	}
	shut(t, log)
	if seen < 3 {
		t.Errorf("a manifest was synced %d times", seen)
	}
}
