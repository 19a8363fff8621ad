package main

import (
	"io"
	"log/slog"
	"os"
)

// newLogger writes lines to w in the given format. level may be a
// *slog.LevelVar, to be changed while the program runs.
func newLogger(w io.Writer, format Format, level slog.Leveler) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if format == FormatText || format == FormatAuto && terminal(w) {
		return slog.New(slog.NewTextHandler(w, o))
	}
	return slog.New(slog.NewJSONHandler(w, o))
}

// terminal reports whether w is a terminal. Other character devices count as
// one: what is written to /dev/null may have any form.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
