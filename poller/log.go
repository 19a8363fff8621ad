package poller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// kind is a kind of log line. Each has a budget of its own, so that a flood of
// one does not hide another.
type kind uint8

const (
	logPanic   kind = iota // a handler panicked
	logHandler             // a handler failed
	logRefused             // a request was refused
	logAccept              // accepting failed
	logLoop                // a loop was away
	logTLS                 // a handshake or a session of TLS failed
	logProxy               // a proxy says what cannot be, or what it may not
	kinds
)

const (
	linesPerSecond = 10  // of one kind
	textMax        = 256 // bytes of a string that is not ours
)

// budget lets linesPerSecond of each kind through and counts the rest.
type budget struct {
	mu    sync.Mutex
	of    [kinds]spent
	total uint64 // lines that were left out
}

type spent struct {
	second time.Duration
	lines  int
	lost   uint64 // lines left out since the last one that was let through
}

// allow reports whether a line may be written at now, the server's age, and how
// many of its kind were left out before.
func (b *budget) allow(k kind, now time.Duration) (lost uint64, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &b.of[k]
	if second := now.Truncate(time.Second); second != s.second {
		s.second, s.lines = second, 0
	}
	if s.lines == linesPerSecond {
		s.lost++
		b.total++
		return 0, false
	}
	s.lines++
	lost, s.lost = s.lost, 0
	return lost, true
}

// suppressed is how many lines were left out.
func (b *budget) suppressed() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.total
}

// note writes a log line, if its kind has not had enough of them.
func (s *Server) note(k kind, level slog.Level, msg string, args ...any) {
	if !s.log.Enabled(context.Background(), level) {
		return
	}
	lost, ok := s.budget.allow(k, time.Since(s.start))
	if !ok {
		return
	}
	if lost > 0 {
		args = append(args, "suppressed", lost)
	}
	s.log.Log(context.Background(), level, msg, args...)
}

// suppressed is how many lines were left out of both logs.
func (s *Server) suppressed() uint64 {
	n := s.budget.suppressed()
	if s.access != nil {
		n += s.access.lost.Load()
	}
	return n
}

// text is a string that may hold what a peer has sent, fit for a log: at most
// textMax bytes of it, and nothing that a terminal would obey. Quotes are the
// log's own.
func text(v any) string {
	s := fmt.Sprint(v)
	if len(s) > textMax {
		n := textMax
		for n > textMax-utf8.UTFMax && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n] + "…"
	}
	if utf8.ValidString(s) && strings.IndexFunc(s, unprintable) < 0 {
		return s
	}
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// report logs what an operator must know of the end of a connection of route. What
// clients do wrong is their own, and shown at the level of debugging.
func (l *loop) report(route string, err error) {
	switch err.(type) {
	case nil, websocket.CloseError, ws.ProtocolError:
		return
	}
	if panicked, ok := errors.AsType[*websocket.PanicError](err); ok {
		l.srv.note(logPanic, slog.LevelError, "handler panicked", "panic", text(panicked.Value), "route", route, "stack", string(panicked.Stack))
	} else if refusal, ok := errors.AsType[*websocket.Refusal](err); ok {
		l.refused(refusal)
	} else if !ordinary(err) {
		l.srv.note(logHandler, slog.LevelWarn, "handler failed", "err", text(err), "route", route)
	}
}

// ordinary reports whether an end is of those that clients and handlers agree on, or
// the client's fault.
func ordinary(err error) bool {
	_, end := errors.AsType[websocket.CloseError](err)
	_, protocol := errors.AsType[ws.ProtocolError](err)
	return end || protocol
}

// refused logs a refusal: as the operator's when a handler failed, else as the
// client's.
func (l *loop) refused(r *websocket.Refusal) {
	if r.Err != nil {
		l.srv.note(logHandler, slog.LevelWarn, "handler failed", "err", text(r.Err))
		return
	}
	if l.srv.log.Enabled(context.Background(), slog.LevelDebug) { // the address is a system call
		l.srv.note(logRefused, slog.LevelDebug, "request refused", "status", r.Status, "reason", r.Label.String(), "addr", l.conn.Remote())
	}
}
