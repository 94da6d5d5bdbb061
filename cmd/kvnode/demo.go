package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/spf13/cobra"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/httpnode"
)

// The store of the demonstration.
const (
	demoNodes  = 6
	demoShards = 2
	demoTime   = 2 * time.Minute // after which it is given up
)

var errDemo = errors.New("the demonstration went differently from what is expected, see above")

func newDemoCommand(env environment) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Show the API against a store of six nodes, and check every answer",
		Long: `demo starts a store of six nodes and two shards in this process, on free ports of 127.0.0.1, sends it what the
curl lines that it prints would send, prints the answers and checks them. It exits with 1 at the first
answer that is not as expected.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDemo(cmd.Context(), env) },
	}
}

func runDemo(parent context.Context, env environment) error {
	ctx, stop := untilSignal(parent)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, demoTime)
	defer cancel()
	addresses, err := freeAddresses(demoNodes)
	if err != nil {
		return err
	}
	begin := time.Now()
	logger := slog.New(slog.NewTextHandler(env.stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	shared := httpnode.Config{Logger: logger, Machine: core.Config{ShardCount: demoShards}}
	store, err := newLocalStore(shared, storage{}, addresses)
	if err != nil {
		return err
	}
	store.run(ctx)
	if store.waitReady(ctx) {
		fmt.Fprintf(env.stdout, "%s in %s on %s to %s, ready in %.1f s\n",
			plural(demoNodes, "node"), plural(demoShards, "shard"), addresses[0], addresses[demoNodes-1], time.Since(begin).Seconds())
		t := newTour(ctx, env.stdout, addresses)
		defer t.close()
		t.walk(store)
		if t.failed {
			err = errDemo
		}
	} else if ctx.Err() != nil {
		err = errors.New("the store did not form in time")
	}
	cancel()
	return errors.Join(err, store.wait())
}

// freeAddresses finds a range of ports that nobody listens on.
func freeAddresses(count int) ([]string, error) {
	const first, last = 8081, 60_000
	for port := first; port+count <= last; port += count {
		if addresses := addressesFrom(port, count); free(addresses) {
			return addresses, nil
		}
	}
	return nil, fmt.Errorf("there are no %d free ports in a row between %d and %d on 127.0.0.1", count, first, last)
}

func addressesFrom(port, count int) []string {
	addresses := make([]string, count)
	for i := range addresses {
		addresses[i] = localAddress(port + i)
	}
	return addresses
}

func free(addresses []string) bool {
	for _, address := range addresses {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return false
		}
		listener.Close()
	}
	return true
}
