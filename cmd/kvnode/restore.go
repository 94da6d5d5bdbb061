package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/httpnode"
	"github.com/sequitur-kv/sequitur/httpnode/disk"
)

// restoreReport is what is said of a restore.
type restoreReport struct {
	Directory string        `json:"directory"`
	Entries   uint64        `json:"entries"`
	Files     []*fileReport `json:"files"`
}

func newRestoreCommand(env environment) *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "restore FILE...",
		Short: "Make a data directory for a new node from backups",
		Long: `restore checks the backups in the FILEs and writes what is in them into an empty data directory: that of
--data-dir, or where a node of this environment keeps its data. It takes no part in any store.

A node that is started there is a new one. It forms a store with the others of its VIEW, or joins the one that they belong to,
and brings the keys of the backups into it, to whatever shards they belong there; what the store has newer stays. Until all
of them are there, GET /readyz says how far it is. To form a store again, start one node from a backup of each shard, or one
from all of them, and the others with empty directories.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("restore takes the names of backups")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			settings := source{cmd, env.getenv}
			address, _ := settings.text(socketAddress)
			address = cmp.Or(address, defaultAddress)
			if err := httpnode.CheckAddress(address); err != nil {
				return usageError{fmt.Errorf("%w; got %q", err, address)}
			}
			place, err := settings.storage(address)
			switch {
			case err != nil:
				return err
			case place.dir == "":
				return usagef("the node keeps nothing on disk, so there is nothing to restore into; leave IN_MEMORY out")
			}
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			report, err := restore(ctx, env, args, place.dir)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(env.stdout, report)
			}
			for _, f := range report.Files {
				if _, err := fmt.Fprintln(env.stdout, f.sentence()); err != nil {
					return err
				}
			}
			_, err = fmt.Fprintf(env.stdout, "%s is ready for a node to start there: it brings these keys into the store that it forms or joins\n", report.Directory)
			return err
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	for _, s := range []setting{dataDir, socketAddress} {
		command.Flags().String(s.flag, "", s.usage+" ["+s.variable+"]")
	}
	return command
}

// restore checks all files before it writes anything.
func restore(ctx context.Context, env environment, files []string, dir string) (*restoreReport, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, usageError{err}
	}
	if err := disk.Vacant(nil, dir); err != nil {
		return nil, misplaced(err)
	}
	report := &restoreReport{Directory: dir}
	for _, path := range files {
		if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
			return nil, usagef("%s is no regular file; a backup is read twice, so it cannot come from a pipe", path)
		}
		f, err := verify(ctx, env, path, nil)
		if err != nil {
			return nil, err
		}
		report.Files = append(report.Files, f)
	}
	filling, err := disk.Fill(dir, disk.Options{})
	if err != nil {
		return nil, misplaced(err)
	}
	report.Entries, err = fill(ctx, env, filling, files)
	if failed := filling.Close(); err == nil {
		err = failed // else it has the same cause
	}
	if err != nil {
		return nil, fmt.Errorf("%w; no node starts from what is in %s: run kvnode restore again, which begins anew there", err, dir)
	}
	return report, nil
}

// fill puts everything in the files on record as imports, and says how many there are.
func fill(ctx context.Context, env environment, filling *disk.Filling, files []string) (entries uint64, err error) {
	for _, path := range files {
		_, err := verify(ctx, env, path, func(s *core.Saved) error {
			entries++
			return filling.Add(core.ImportRecord(entries, s))
		})
		if err != nil {
			return 0, err
		}
	}
	for _, r := range core.ImportsEnd(entries) {
		if err := filling.Add(r); err != nil {
			return 0, err
		}
	}
	return entries, filling.Complete()
}
