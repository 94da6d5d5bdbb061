package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// maxSettle is how long replicas may take to become equal once nobody writes.
const maxSettle = time.Second

// report prints the figures, and returns an error when the replicas were too slow.
func report(w io.Writer, o options, results []result) error {
	where := "in memory"
	if o.durable {
		where = "on disk"
	}
	fmt.Fprintf(w, "%d processes, %d shards, %s; %d connections to one of them; %d rounds of %v, medians\n\n",
		ceilingNodes, ceilingShards, where, o.connections, o.rounds, o.turn)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "request\tper second\tceiling\tshare\tbar\t\tCPU\tof ceiling\treplicas equal after")
	var slow, missed bool
	for _, r := range results {
		shares := make([]float64, len(r.rates))
		for i := range shares {
			shares[i] = r.rates[i] / r.ceilings[i]
		}
		share := median(shares)
		bar, verdict, settled := "–", "", "–"
		if r.bar > 0 {
			bar, verdict = fmt.Sprintf("%.2f", r.bar), "met"
			if share < r.bar {
				verdict, missed = "missed", true
			}
		}
		if r.writes {
			worst := slices.Max(r.settled)
			settled = fmt.Sprintf("%d ms at most", worst.Milliseconds())
			slow = slow || worst > maxSettle
		}
		fmt.Fprintf(table, "%s\t%.0f\t%.0f\t%.2f\t%s\t%s\t%s\t%s\t%s\n", r.name, median(r.rates), median(r.ceilings), share, bar, verdict,
			perRequest(r.cpu, r.count*o.turn.Seconds()), perRequest(r.ceilingCPU, r.ceilingCount*o.turn.Seconds()), settled)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	switch {
	case slow:
		return fmt.Errorf("replicas were not equal %v after the last write", maxSettle)
	case missed && o.strict:
		return errors.New("a bar is missed")
	}
	return nil
}

// perRequest is processor time for one request.
func perRequest(used time.Duration, count float64) string {
	if used == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f µs", float64(used.Microseconds())/count)
}

func median(figures []float64) float64 {
	sorted := slices.Sorted(slices.Values(figures))
	return sorted[len(sorted)/2]
}
