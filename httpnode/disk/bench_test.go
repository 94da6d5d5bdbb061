package disk

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/sequitur-kv/sequitur/core"
)

// BenchmarkLog has writers append one step after the other, each when its last one is durable, on the disk of
// temporary files. It tells how many steps share a sync.
func BenchmarkLog(b *testing.B) {
	for _, writers := range []int{1, 32, 256} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			log, err := Open(filepath.Join(b.TempDir(), "data"), Options{})
			if err != nil {
				b.Fatal(err)
			}
			a, _, _ := begin(b, log)
			var mu sync.Mutex
			var position core.Position
			version, state := make([]byte, 70), make([]byte, 60)
			var group sync.WaitGroup
			b.ResetTimer()
			for i := range writers {
				group.Go(func() {
					for n := i; n < b.N; n += writers {
						mu.Lock()
						position++
						own := position
						a.Append(false, []core.Record{
							{Key: []byte("s"), Value: state}, {Key: fmt.Appendf(nil, "vkey-%d", n%1000), Value: version},
						}, own)
						mu.Unlock()
						if err := a.wait(own); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			group.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/float64(max(1, a.advances)), "steps/sync")
			shut(b, log)
		})
	}
}
