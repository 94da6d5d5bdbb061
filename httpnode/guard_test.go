package httpnode

import (
	"context"
	"net"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/sequitur-kv/sequitur/core"
)

// deadlines notes the write deadlines that it is given, in seconds since 2000.
type deadlines struct {
	net.Conn
	given []float64
}

func (d *deadlines) SetWriteDeadline(t time.Time) error {
	d.given = append(d.given, t.Sub(millennium).Seconds())
	return nil
}

var millennium = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// TestWriteDeadline moves the deadline by little and by much, forth and back.
func TestWriteDeadline(t *testing.T) {
	d := new(deadlines)
	c := &guardedConn{Conn: d}
	for _, seconds := range []float64{120, 120.5, 120.999, 121, 121.25, 121, 120, 300} {
		if err := c.SetWriteDeadline(millennium.Add(time.Duration(seconds * float64(time.Second)))); err != nil {
			t.Error(err)
		}
	}
	if want := []float64{120, 121, 120, 300}; !slices.Equal(d.given, want) {
		t.Errorf("set to %v, want %v", d.given, want)
	}
	if err := c.SetWriteDeadline(time.Time{}); err != nil || len(d.given) != 5 {
		t.Errorf("none is not set: %v", err)
	}
}

// TestBallast wants the collector to be lazy while a node runs, and only then.
func TestBallast(t *testing.T) {
	live := func() uint64 {
		runtime.GC()
		runtime.GC() // what is pooled outlives one
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	before := live()
	n, err := New(Config{Machine: core.Config{Address: testAddress}, ListenAddress: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	<-n.Ready()
	if during := live(); during < before+ballast || during > before+2*ballast {
		t.Errorf("the heap holds %d bytes before and %d while the node runs", before, during)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if after := live(); after > before+ballast/2 {
		t.Errorf("the heap holds %d bytes before and %d after the node ran", before, after)
	}
}
