package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/sequitur-kv/sequitur/httpnode"
)

// runNode runs one node until a signal comes.
func runNode(cmd *cobra.Command, env environment) error {
	settings := source{cmd, env.getenv}
	config, lonely, err := settings.node()
	if err != nil {
		return err
	}
	if config.Logger, err = newLogger(settings, env.stderr, slog.LevelInfo); err != nil {
		return err
	}
	storage, err := settings.storage(config.Machine.Address)
	if err != nil {
		return err
	}
	if config.Log, err = storage.open(config.Logger); err != nil {
		return err
	}
	ctx, stop := untilSignal(cmd.Context())
	defer stop()
	node, err := httpnode.New(config)
	if err != nil {
		return usageError{err}
	}
	if lonely {
		config.Logger.Info("no SOCKET_ADDRESS is given: a store of one node on " + defaultAddress)
	}
	if address, _ := settings.text(debugAddress); address != "" {
		stopDebug, err := serveDebug(address, config.Logger)
		if err != nil {
			return err
		}
		defer stopDebug()
	}
	return node.Run(ctx)
}

// untilSignal returns a context that the first SIGTERM or SIGINT ends. The second one ends the process.
func untilSignal(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(parent, syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
