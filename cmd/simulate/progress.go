package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/sequitur-kv/sequitur/internal/kvsim"
)

// progress is the line that a terminal shows while a sweep runs; elsewhere there is none.
type progress struct {
	container *mpb.Progress
	bar       *mpb.Bar
	begin     time.Time
}

// newProgress shows a line on standard error, if that is a terminal.
func newProgress(c *common, first, last uint64) *progress {
	p := &progress{begin: time.Now()}
	if !isTerminal(c.stderr) {
		return p
	}
	p.container = mpb.New(mpb.WithOutput(c.stderr), mpb.WithWidth(24), mpb.WithRefreshRate(150*time.Millisecond))
	style := mpb.BarStyle().Lbound("").Filler("━").Tip("━").Padding(" ").Rbound("")
	p.bar = p.container.New(int64(last-first+1), style,
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(fmt.Sprintf("seeds %d..%d  ", first, last))),
		mpb.AppendDecorators(decor.Percentage(decor.WCSyncSpace), decor.Any(p.rates)),
	)
	return p
}

// rates is the speed so far.
func (p *progress) rates(s decor.Statistics) string {
	seconds := max(time.Since(p.begin).Seconds(), 1e-9)
	return fmt.Sprintf("   %s seeds/s", grouped(uint64(float64(s.Current)/seconds)))
}

// update notes how far the sweep is. Calls must not overlap.
func (p *progress) update(now kvsim.Progress) {
	if p.bar != nil {
		p.bar.SetCurrent(int64(now.Seeds))
	}
}

// finish takes the line away.
func (p *progress) finish() {
	if p.bar == nil {
		return
	}
	p.bar.Abort(true)
	p.container.Wait()
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// line is a line of a terminal that is written over and over; elsewhere there is none.
type line struct {
	out   io.Writer
	shown time.Time
}

func newLine(c *common) *line {
	if !isTerminal(c.stderr) {
		return &line{}
	}
	return &line{out: c.stderr}
}

func (l *line) show(format string, args ...any) {
	if l.out != nil && time.Since(l.shown) > 100*time.Millisecond {
		l.shown = time.Now()
		_, _ = fmt.Fprintf(l.out, "\r\x1b[K"+format, args...)
	}
}

func (l *line) clear() {
	if l.out != nil {
		_, _ = io.WriteString(l.out, "\r\x1b[K")
	}
}
