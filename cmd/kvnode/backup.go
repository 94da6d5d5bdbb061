package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/httpnode"
	"github.com/sequitur-kv/sequitur/httpnode/backup"
)

// backupPatience is how long nothing may come of a backup.
const backupPatience = 30 * time.Second

// partSuffix is the end of the name of a backup that is not whole yet.
const partSuffix = ".partial"

// fileReport is what is said of a backup.
type fileReport struct {
	File  string `json:"file"`
	Bytes int64  `json:"bytes"`
	backup.Header
	backup.Summary
}

func newBackupCommand(env environment) *cobra.Command {
	var asJSON, overwrite bool
	command := &cobra.Command{
		Use:   "backup ADDRESS FILE",
		Short: "Save what a running node has on disk",
		Long: `backup writes to FILE all keys that the node at ADDRESS has on disk, as they are at one moment; the node goes on serving.
A node has the keys of its shard: one backup of a node of each shard is a backup of the store, in which each shard
is of a moment of its own. The file is read back before it gets its name; kvnode restore uses it.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef("backup takes the address of a node and the name of a file")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := httpnode.CheckAddress(args[0]); err != nil {
				return usageError{fmt.Errorf("%w; got %q", err, args[0])}
			}
			if err := wantWritable(args[1], overwrite); err != nil {
				return err
			}
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			report, err := saveNode(ctx, env, args[0], args[1])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(env.stdout, report)
			}
			_, err = fmt.Fprintln(env.stdout, report.sentence())
			return err
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	command.Flags().BoolVar(&overwrite, "overwrite", false, "replace FILE if it exists")
	return command
}

func (r *fileReport) sentence() string {
	origin := r.Address
	if r.Shard != "" {
		origin += ", shard " + r.Shard
	}
	if r.Cluster != "" {
		origin += " of store " + r.Cluster
	}
	return fmt.Sprintf("%s: %s keys and %s deletions of %s at %s, %.1f MiB",
		r.File, thousands(r.Keys), thousands(r.Deletions), origin, r.Time.Format(time.RFC3339), float64(r.Bytes)/(1<<20))
}

// wantWritable refuses a name that is taken, and one that no backup can have: what is no file is never replaced.
func wantWritable(path string, overwrite bool) error {
	info, err := os.Lstat(path)
	switch {
	case path == "" || os.IsPathSeparator(path[len(path)-1]):
		return usagef("%q is no name of a file", path)
	case err != nil:
		return nil // nothing is there, or else creating the file says what is wrong
	case !info.Mode().IsRegular():
		return usagef("%s exists and is no regular file; name another one", path)
	case !overwrite:
		return usagef("%s exists; name another file, or say --overwrite", path)
	}
	return nil
}

// create makes a new file that only its owner reads; what another attempt left under this name goes.
func create(path string) (*os.File, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
}

// saveNode writes a file, reads it back, and gives it its name. On an error nothing is left.
func saveNode(ctx context.Context, env environment, address, path string) (report *fileReport, err error) {
	part := path + partSuffix
	file, err := create(part)
	if err != nil {
		return nil, fmt.Errorf("cannot write the backup: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(part))
		}
	}()
	sent, err := fetchBackup(ctx, env, address, file)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	if report, err = verify(ctx, env, part, nil); err != nil {
		return nil, err
	}
	if report.Header != sent.Header || report.Summary != sent.Summary {
		return nil, fmt.Errorf("%s does not read back as it was written", part)
	}
	if err := os.Rename(part, path); err != nil {
		return nil, err
	}
	report.File = path
	return report, syncDirectory(filepath.Dir(path))
}

func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// fetchBackup copies the backup of a node into a file, and looks at it meanwhile.
func fetchBackup(parent context.Context, env environment, address string, file io.Writer) (*backup.Reader, error) {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	patience := time.AfterFunc(backupPatience, cancel)
	defer patience.Stop()
	failed := func(err error) error {
		switch {
		case parent.Err() != nil:
			return fmt.Errorf("interrupted: no backup of %s was made", address)
		case ctx.Err() != nil:
			return fmt.Errorf("%s does not go on with its backup: nothing came within %v", address, backupPatience)
		case errors.Is(err, backup.ErrDamaged), errors.Is(err, backup.ErrForeign), errors.Is(err, backup.ErrNewer):
			return fmt.Errorf("what %s sends cannot be used: %w", address, err)
		}
		return fmt.Errorf("%s does not give a backup: %s", address, networkReason(err))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/sequitur/backup", nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true}, // without the proxy of the environment
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, failed(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, refusedBackup(address, response)
	}
	reader, err := backup.NewReader(io.TeeReader(&watched{response.Body, patience}, file))
	if err != nil {
		return nil, failed(err)
	}
	bar := newBar(env, "reading "+address, reader.Header.Expected)
	defer bar.finish()
	for {
		if _, err := reader.Next(); errors.Is(err, io.EOF) {
			return reader, nil
		} else if err != nil {
			return nil, failed(err)
		}
		bar.step()
	}
}

// refusedBackup says why a node gives none.
func refusedBackup(address string, response *http.Response) error {
	if to := response.Header.Get("Location"); to != "" && response.StatusCode/100 == 3 {
		return fmt.Errorf("%s answers that the backup is at %.100q, so it is no node; name the node itself", address, to)
	}
	var refusal struct{ Error string }
	text, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil || json.Unmarshal(text, &refusal) != nil || refusal.Error == "" {
		return fmt.Errorf("%s answers with HTTP status %d and no backup, so it is no node of this version", address, response.StatusCode)
	}
	return fmt.Errorf("%s gives no backup: %s", address, refusal.Error)
}

// watched is a body that must go on.
type watched struct {
	io.Reader
	patience *time.Timer
}

func (w *watched) Read(p []byte) (int, error) {
	w.patience.Reset(backupPatience)
	return w.Reader.Read(p)
}

// verify reads a backup from its beginning to its end, and calls each, if it is not nil, with every entry. Errors: those
// of each as they are, others with the name of the file.
func verify(ctx context.Context, env environment, path string, each func(*core.Saved) error) (*fileReport, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the backup: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	reader, err := backup.NewReader(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	bar := newBar(env, "checking "+filepath.Base(path), reader.Header.Expected)
	defer bar.finish()
	for {
		s, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return &fileReport{File: path, Bytes: info.Size(), Header: reader.Header, Summary: reader.Summary}, nil
		}
		if err == nil && ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if each != nil {
			if err := each(&s); err != nil {
				return nil, err
			}
		}
		bar.step()
	}
}
