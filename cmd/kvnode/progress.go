package main

import (
	"fmt"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// bar is the line that a terminal shows while keys are read; elsewhere there is none.
type bar struct {
	container *mpb.Progress
	bar       *mpb.Bar
	done      uint64
}

// barStep is how many keys are read before the line moves.
const barStep = 1024

// newBar shows a line on standard error, if that is a terminal, for about so many keys.
func newBar(env environment, what string, keys uint64) *bar {
	b := &bar{}
	if !isTerminal(env.stderr) {
		return b
	}
	b.container = mpb.New(mpb.WithOutput(env.stderr), mpb.WithWidth(24), mpb.WithRefreshRate(150*time.Millisecond))
	b.bar = b.container.New(int64(max(keys, 1)), mpb.BarStyle().Lbound("").Filler("━").Tip("━").Padding(" ").Rbound(""),
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(what+"  ")),
		mpb.AppendDecorators(decor.Percentage(decor.WCSyncSpace), decor.Any(func(s decor.Statistics) string {
			return fmt.Sprintf("   %s keys", thousands(uint64(s.Current)))
		})),
	)
	return b
}

func (b *bar) step() {
	if b.done++; b.bar != nil && b.done%barStep == 0 {
		b.bar.SetCurrent(int64(b.done))
	}
}

// finish takes the line away.
func (b *bar) finish() {
	if b.bar != nil {
		b.bar.Abort(true)
		b.container.Wait()
	}
}
