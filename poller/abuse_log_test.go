package poller

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// TestText: what a peer has sent is cut, and nothing of it moves a terminal's
// cursor, begins a line of its own or ends the quotes of a log's own.
func TestText(t *testing.T) {
	long := strings.Repeat("é", 200)
	for in, want := range map[string]string{
		"plain":             "plain",
		`say "hi"`:          `say "hi"`,
		"ünï😀":              "ünï😀",
		"a\nlevel=ERROR":    `a\nlevel=ERROR`,
		"\x1b[2J\a\x7f":     `\x1b[2J\a\x7f`,
		"c1 \u009b2J":       `c1 \u009b2J`,
		"\u202eback":        `\u202eback`,
		"\xff\xfe":          `\xff\xfe`,
		"quote \" and \r":   `quote " and \r`,
		long:                long[:256] + "…",
		"x" + long:          "x" + long[:254] + "…",
		long[:255] + "\xc3": long[:254] + `\xc3\xc3`,
	} {
		if got := text(in); got != want {
			t.Errorf("%q:\n got %s\nwant %s", in, got, want)
		}
	}
}

func TestBudget(t *testing.T) {
	var b budget
	at := func(now time.Duration, k kind, lost uint64, ok bool) {
		t.Helper()
		if gotLost, got := b.allow(k, now); got != ok || gotLost != lost {
			t.Errorf("at %v: got %v with %d left out, want %v with %d", now, got, gotLost, ok, lost)
		}
	}
	for range linesPerSecond {
		at(1500*time.Millisecond, logPanic, 0, true)
	}
	at(1999*time.Millisecond, logPanic, 0, false)
	at(1999*time.Millisecond, logPanic, 0, false)
	at(1999*time.Millisecond, logHandler, 0, true) // a budget of its own
	at(2*time.Second, logPanic, 2, true)
	at(2*time.Second, logPanic, 0, true)
	if got := b.suppressed(); got != 2 {
		t.Errorf("got %d left out, want 2", got)
	}
}

// TestLogFlood: a flood of one kind leaves a few lines and the number of the
// rest; another kind is logged all the same.
func TestLogFlood(t *testing.T) {
	const times = 300
	s := start(t, map[string]websocket.Route{
		"/panic": {Message: func(*websocket.Conn, ws.OpCode, []byte) error { panic("first\nlevel=ERROR forged") }},
		"/fail":  {Message: func(*websocket.Conn, ws.OpCode, []byte) error { return errors.New("no\x1b[2Jthing") }},
	}, nil)
	began := time.Now()
	for range times {
		c := s.dial("/panic")
		c.text("now")
		c.wantClose(ws.StatusInternalServerError)
		c.reset()
	}
	c := s.dial("/fail")
	c.text("now")
	c.wantClose(ws.StatusInternalServerError)
	s.onLoops(func(*loop) {}) // what answered has logged by then
	seconds := int(time.Since(began)/time.Second) + 2
	lines, lost := s.log.lines("handler panicked"), s.Stats().LogSuppressed
	if lines > seconds*linesPerSecond || lines == 0 || lines+int(lost) != times {
		t.Errorf("got %d lines in less than %d s and %d left out, want %d in all", lines, seconds, lost, times)
	}
	eventually(t, "the number of those left out, in a later second", func() bool {
		c := s.dial("/panic")
		c.text("now")
		c.wantClose(ws.StatusInternalServerError)
		c.reset()
		s.onLoops(func(*loop) {})
		return s.log.lines("suppressed=") > 0
	})
	if s.log.lines(`msg="handler failed" err=no\x1b[2Jthing route=/fail`) != 1 {
		t.Errorf("no line of the handler that failed")
	}
	if s.log.lines("level=ERROR forged") != s.log.lines("handler panicked") || strings.Contains(s.log.String(), "\nlevel=ERROR forged") {
		t.Error("a peer's line has become one of the log")
	}
}

// TestRefusedRequestsAreForDebugging: what clients do wrong is logged at that
// level only.
func TestRefusedRequestsAreForDebugging(t *testing.T) {
	for level, want := range map[slog.Level]int{slog.LevelInfo: 0, slog.LevelDebug: 1} {
		log := new(logBuffer)
		s := start(t, echoTable, func(c *Config) {
			c.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: level}))
		})
		c := s.connect()
		c.write([]byte("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"))
		s.until("refused", func(got Stats) bool { return got.Rejected[websocket.RejectPath] == 1 })
		s.onLoops(func(*loop) {}) // the event that counted has logged by then
		if got := log.lines(`msg="request refused" status=404 reason=path addr=127.0.0.1:`); got != want {
			t.Errorf("%v: got %d lines, want %d: %s", level, got, want, log)
		}
	}
}
