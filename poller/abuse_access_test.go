package poller

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// logged starts a server with an access log.
func logged(t *testing.T, table map[string]websocket.Route) (*running, *logBuffer) {
	t.Helper()
	log := new(logBuffer)
	return start(t, table, func(c *Config) { c.AccessLog = slog.New(slog.NewTextHandler(log, nil)) }), log
}

// TestAccessLog: one line for each connection, with who closed it and what went
// over it.
func TestAccessLog(t *testing.T) {
	leave := func(c *websocket.Conn, op ws.OpCode, p []byte) error {
		switch string(p) {
		case "reset":
			c.End(websocket.Reset)
			return nil
		case "panic":
			panic("by request")
		}
		return c.Close(4000, "leave")
	}
	s, log := logged(t, map[string]websocket.Route{"/echo": echoing, "/leave/{n}": {Message: leave}})
	var want []string
	ends := func(c *client, line string) {
		t.Helper()
		want = append(want, fmt.Sprintf(line, c.LocalAddr()))
		eventually(t, "a line: "+want[len(want)-1], func() bool { return log.lines(want[len(want)-1]) == 1 })
	}

	c := s.connect().upgrade("/echo")
	c.echo("hello")
	c.echo("again")
	c.send(ws.OpClose, closeBody(1000, "bye"))
	c.wantClose(1000)
	c.wantEOF()
	ends(c, "route=/echo addr=%s cause=peer close_sent=1000 close_received=1000 ")
	line := strings.Split(log.String(), "\n")[0]
	in := len(request("/echo")) + 2*len(masked(ws.OpText, []byte("hello"), true)) + len(masked(ws.OpClose, closeBody(1000, "bye"), true))
	if !strings.Contains(line, fmt.Sprintf(" messages=2 bytes_in=%d bytes_out=", in)) || strings.Contains(line, "bytes_out=0") {
		t.Errorf("got %s, want 2 messages and %d bytes in", line, in)
	}

	c = s.dial("/echo")
	c.send(ws.OpClose, nil)
	c.want(ws.OpClose, nil)
	ends(c, "addr=%s cause=peer close_sent=1005 close_received=1005 ")
	c = s.dial("/leave/1")
	c.text("please")
	c.wantClose(4000)
	c.send(ws.OpClose, closeBody(3999, ""))
	c.wantEOF()
	ends(c, "route=/leave/{n} addr=%s cause=handler close_sent=4000 close_received=3999 ")
	c = s.dial("/leave/1")
	c.text("panic")
	c.wantClose(1011)
	c.reset()
	ends(c, "route=/leave/{n} addr=%s cause=panic close_sent=1011 close_received=0 ")
	c = s.dial("/leave/1")
	c.text("reset")
	c.wantReset()
	ends(c, "route=/leave/{n} addr=%s cause=handler close_sent=0 close_received=0 ")
	c = s.dial("/echo")
	c.reset()
	ends(c, "route=/echo addr=%s cause=reset close_sent=0 close_received=0 ")
	c = s.connect()
	c.write([]byte("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"))
	c.answer()
	c.Close()
	ends(c, `route="" addr=%s cause=http close_sent=0 close_received=0 `)
	if got := log.lines("connection ended"); got != len(want) {
		t.Errorf("got %d lines, want %d", got, len(want))
	}
}

// TestAccessLogAtTheEnd: lines that wait when the server stops are written.
func TestAccessLogAtTheEnd(t *testing.T) {
	s, log := logged(t, echoTable)
	for range 20 {
		s.dial("/echo")
	}
	s.Cut()
	if err := s.wait(); err != nil {
		t.Fatal(err)
	}
	if got := log.lines("cause=going_away"); got != 20 {
		t.Errorf("got %d lines, want 20", got)
	}
}

// TestAccessLogShort: who is gone before the loop's clock has moved was there for no
// time, not for longer than there are computers.
func TestAccessLogShort(t *testing.T) {
	s, log := logged(t, map[string]websocket.Route{"/gone": {Open: func(c *websocket.Conn) error {
		c.End(websocket.Reset)
		return nil
	}}})
	const visits = 100
	for n := range visits {
		c := s.connect()
		c.write([]byte(request("/gone")))
		eventually(t, "a line", func() bool { return log.lines("route=/gone ") == n+1 })
	}
	for line := range strings.Lines(log.String()) {
		_, rest, _ := strings.Cut(line, "duration=")
		text, _, _ := strings.Cut(rest, " ")
		if d, err := time.ParseDuration(text); err != nil || d < 0 || d > patience {
			t.Fatalf("got duration %q, %v", text, err)
		}
	}
}

// TestAccessLogNotes: what handlers have noted stands at the end of the line, and
// the connection that has the same descriptor next has none of it.
func TestAccessLogNotes(t *testing.T) {
	noting := echoing
	noting.Open = func(c *websocket.Conn) error {
		c.Note("animal", "gnu")
		return nil
	}
	noting.Gone = func(c *websocket.Conn, why websocket.Cause) { c.Note("left", why.String()) }
	s, log := logged(t, map[string]websocket.Route{"/zoo": noting, "/echo": echoing})
	for n := range 3 {
		s.dial("/zoo").reset()
		eventually(t, "a line with notes", func() bool { return log.lines("route=/zoo ") == n+1 })
		s.dial("/echo").reset()
		eventually(t, "a line without", func() bool { return log.lines("route=/echo ") == n+1 })
	}
	for line := range strings.Lines(log.String()) {
		if got, want := strings.HasSuffix(line, " animal=gnu left=reset\n"), strings.Contains(line, "route=/zoo "); got != want {
			t.Errorf("got %s", line)
		}
	}
}

// stuckLog takes its time.
type stuckLog struct{ release chan struct{} }

func (l stuckLog) Write(p []byte) (int, error) {
	<-l.release
	return len(p), nil
}

// TestAccessLogIsSlow: a log that takes nothing holds up nobody; what it has no
// room for is counted.
func TestAccessLogIsSlow(t *testing.T) {
	slow := stuckLog{make(chan struct{})}
	s := start(t, echoTable, func(c *Config) { c.AccessLog = slog.New(slog.NewTextHandler(slow, nil)) })
	defer close(slow.release)
	s.onLoops(func(l *loop) {
		for range accessQueue {
			l.srv.access.put(access{})
		}
	})
	s.dial("/echo").reset()
	s.until("lines are left out", func(got Stats) bool { return got.LogSuppressed >= accessQueue-1 && got.Connections == 0 })
	s.dial("/echo").echo("served all the same")
}

// TestAccessLogDuration: the time is that since accept, and a FIN is no byte.
func TestAccessLogDuration(t *testing.T) {
	s, log := logged(t, echoTable)
	c := s.connect().upgrade("/echo")
	came := s.now()
	eventually(t, "time passes", func() bool { return s.now() > came+5 })
	c.Close()
	s.until("it is gone", func(got Stats) bool { return got.Closed[websocket.CauseEOF] == 1 })
	eventually(t, "a line", func() bool { return log.lines("cause=eof") == 1 })
	_, rest, _ := strings.Cut(log.String(), "duration=")
	text, _, _ := strings.Cut(rest, " ")
	if d, err := time.ParseDuration(text); err != nil || d < 50*time.Millisecond {
		t.Errorf("got duration %q, %v, want at least 50ms", text, err)
	}
	if want := fmt.Sprintf("bytes_in=%d ", len(request("/echo"))); !strings.Contains(log.String(), want) {
		t.Errorf("got %s, want %s", log, want)
	}
}
