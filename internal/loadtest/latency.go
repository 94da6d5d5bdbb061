package main

import (
	"fmt"
	"slices"
	"time"
)

// sample is one answer, or failure, to a request of a session.
type sample struct {
	due   time.Duration // when it was to be sent, since the load began
	took  time.Duration // from then on, however late it was sent
	write bool
}

// latencies are sorted.
type latencies []time.Duration

// between picks the latencies of reads or writes that were due in a span of time.
func between(samples []sample, from, to time.Duration, write bool) (picked latencies) {
	for _, s := range samples {
		if s.write == write && s.due >= from && s.due < to {
			picked = append(picked, s.took)
		}
	}
	slices.Sort(picked)
	return picked
}

// quantile is the latency that a share of the requests, below 1, does not exceed; zero without requests.
func (l latencies) quantile(share float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	return l[int(share*float64(len(l)))]
}

func (l latencies) row() string {
	if len(l) == 0 {
		return "–\t–\t–\t–\t–"
	}
	return fmt.Sprintf("%d\t%s\t%s\t%s\t%s", len(l), ms(l.quantile(0.5)), ms(l.quantile(0.99)), ms(l.quantile(0.999)), ms(l[len(l)-1]))
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000) }
