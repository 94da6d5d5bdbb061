package main

import (
	"io"
	"log/slog"
	"os"

	"golang.org/x/term"
)

// newLogger makes the logger that the settings ask for. Logs go to the standard error stream.
func newLogger(s source, w io.Writer, level slog.Level) (*slog.Logger, error) {
	if text, name := s.text(logLevel); text != "" {
		if err := level.UnmarshalText([]byte(text)); err != nil {
			return nil, usagef("%s is %q; debug, info, warn or error is expected", name, text)
		}
	}
	options := &slog.HandlerOptions{Level: level}
	switch text, name := s.text(logFormat); {
	case text == "text" || text == "" && isTerminal(w):
		return slog.New(slog.NewTextHandler(w, options)), nil
	case text == "json" || text == "":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	default:
		return nil, usagef("%s is %q; text or json is expected", name, text)
	}
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
