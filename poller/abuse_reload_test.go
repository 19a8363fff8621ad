package poller

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// answering is a route that answers every message with its own text.
func answering(text string) websocket.Route {
	return websocket.Route{Message: func(c *websocket.Conn, _ ws.OpCode, _ []byte) error {
		return c.Send(ws.OpText, []byte(text))
	}}
}

// TestReload: who is connected keeps its routes and limits, who comes gets the
// new ones, and an old version ends with its last connection.
func TestReload(t *testing.T) {
	s := start(t, map[string]websocket.Route{"/": answering("one"), "/gone": echoing}, nil)
	one, gone := s.dial("/"), s.dial("/gone")
	err := s.reload(t, map[string]websocket.Route{"/": answering("two"), "/new": echoing}, func(c *Config) {
		c.Limits.MaxMessage = 8
	})
	if err != nil {
		t.Fatal(err)
	}
	two := s.dial("/")
	s.dial("/new").echo("new")
	if line := s.connect().ask("/gone"); line != "HTTP/1.1 404 Not Found" {
		t.Errorf("a route that is gone: got %q", line)
	}
	gone.echo("kept, with its limits")
	for range 2 {
		one.text("?")
		one.wantText("one")
		two.text("?")
		two.wantText("two")
	}
	two.text("longer than eight")
	two.wantClose(ws.StatusMessageTooBig)

	versions := func(want int) {
		t.Helper()
		eventually(t, "versions end", func() bool {
			most := 0
			s.onLoops(func(l *loop) { most = max(most, len(l.conn.Versions())) })
			return most == want
		})
	}
	versions(2)
	one.reset()
	gone.reset()
	versions(1)
}

// TestReloadLastOfItsVersion: the last connection that has an old table is logged as
// any other is, and so is its panic.
func TestReloadLastOfItsVersion(t *testing.T) {
	leaving := echoing
	leaving.Close = func(*websocket.Conn, websocket.CloseError) { panic("by request") }
	s, log := logged(t, map[string]websocket.Route{"/old": leaving})
	last := s.dial("/old")
	if err := s.reload(t, echoTable, func(*Config) {}); err != nil {
		t.Fatal(err)
	}
	last.reset()
	eventually(t, "a line of its end", func() bool { return log.lines("route=/old ") == 1 })
	if got := s.log.lines("panic=\"by request\" route=/old "); got != 1 {
		t.Errorf("got %d lines of the panic, want 1: %s", got, s.log)
	}
	s.dial("/echo").echo("still there")
}

// TestReloadRefused: what is wrong or cannot change is named, and the old
// configuration stays.
func TestReloadRefused(t *testing.T) {
	s := start(t, echoTable, nil)
	before := s.conf()
	for want, change := range map[string]func(*Config){
		"poller: listen addresses: cannot change while the server runs": func(c *Config) { c.Listen = []string{":1"} },
		"poller: loops: cannot change while the server runs":            func(c *Config) { c.Loops = 7 },
		"poller: max head: 1 is not from 256 to 65536 bytes":            func(c *Config) { c.MaxHead = 1 },
		"poller: no routes": func(c *Config) { c.Routes = nil },
	} {
		if err := s.reload(t, echoTable, change); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if s.conf() != before || s.version != 1 {
		t.Error("the configuration has changed")
	}
	s.dial("/echo").echo("as before")
}

// TestReloadAtTheEnd: there is nobody left to take a new configuration, and who
// asks is told so.
func TestReloadAtTheEnd(t *testing.T) {
	s := start(t, echoTable, nil)
	s.stop()
	if err := s.wait(); err != nil {
		t.Fatal(err)
	}
	if err := s.reload(t, echoTable, func(*Config) {}); !errors.Is(err, websocket.ErrGone) {
		t.Errorf("got %v, want %v", err, websocket.ErrGone)
	}
}

// TestReloadBounds: bounds of all connections together change at once, also for
// those who wait already.
func TestReloadBounds(t *testing.T) {
	s := start(t, echoTable, func(c *Config) { c.HandshakeTimeout = time.Hour })
	slow, in := s.connect(), s.dial("/echo")
	s.until("both are there", func(got Stats) bool { return got.Connections == 2 })
	change := func(f func(*Config)) {
		t.Helper()
		if err := s.reload(t, echoTable, f); err != nil {
			t.Fatal(err)
		}
	}
	change(func(c *Config) { c.HandshakeTimeout = time.Millisecond })
	slow.wantEOF()
	change(func(c *Config) { c.HandshakeTimeout, c.MaxConnections = time.Hour, 1 })
	if line := s.connect().ask("/echo"); !strings.Contains(line, "503") {
		t.Errorf("above the new cap: got %q", line)
	}
	change(func(c *Config) { c.MaxConnections, c.MaxHalfOpen = 100, 1 })
	old := s.connect()
	s.inOrder(4)
	s.connect()
	old.wantReset()
	in.echo("all the time")
}

// TestReloadVersions: a version that a connection has is not given again.
func TestReloadVersions(t *testing.T) {
	s := start(t, map[string]websocket.Route{"/": answering("first")}, nil)
	first := s.dial("/")
	s.reloading.Lock()
	s.version = 1<<16 - 2
	s.reloading.Unlock()
	for range 3 {
		if err := s.reload(t, map[string]websocket.Route{"/": answering("later")}, func(*Config) {}); err != nil {
			t.Fatal(err)
		}
	}
	if s.version != 3 { // after 65535: not 0, not 1
		t.Errorf("got version %d, want 3", s.version)
	}
	first.text("?")
	first.wantText("first")
}
