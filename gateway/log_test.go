package main

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"testing"
)

func TestLogFormat(t *testing.T) {
	for format, want := range map[Format]string{
		FormatText: `level=INFO msg=hello name="a b"`,
		FormatJSON: `"level":"INFO","msg":"hello","name":"a b"}`,
		FormatAuto: `"level":"INFO","msg":"hello","name":"a b"}`, // a buffer is no terminal
	} {
		var out bytes.Buffer
		newLogger(&out, format, slog.LevelInfo).Info("hello", "name", "a b")
		if got := strings.TrimSpace(out.String()); !strings.HasSuffix(got, want) {
			t.Errorf("%s: got %s, want …%s", format, got, want)
		}
	}
}

func TestLogLevel(t *testing.T) {
	var (
		out   bytes.Buffer
		level slog.LevelVar
	)
	log := newLogger(&out, FormatText, &level)
	log.Debug("one")
	level.Set(slog.LevelDebug)
	log.Debug("two")
	if got := out.String(); strings.Contains(got, "one") || !strings.Contains(got, "two") {
		t.Errorf("got %q, want only the line after the level was changed", got)
	}
}

func TestTerminal(t *testing.T) {
	is := func(want bool, path string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Skip(err)
		}
		defer f.Close()
		if got := terminal(f); got != want {
			t.Errorf("%s: got %v, want %v", path, got, want)
		}
	}
	is(false, t.TempDir()+"/log")
	is(true, "/dev/ptmx") // the master of a new terminal
}
