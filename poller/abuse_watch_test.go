package poller

import (
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// TestLoopAway is F2 of the limits: a handler that blocks is named by its route
// and its stack while it blocks, once; the loop goes on afterwards.
func TestLoopAway(t *testing.T) {
	release := make(chan struct{})
	s := start(t, map[string]websocket.Route{
		"/echo": echoing,
		"/block/{how}": {
			Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
				<-release
				return c.Send(op, p)
			},
		},
	}, func(c *Config) { c.Loops, c.LoopWarn = 1, 50*time.Millisecond })
	const line = "route=/block/{how}"
	for i := range 2 {
		c := s.dial("/block/long")
		c.text("x")
		eventually(t, "a warning", func() bool { return s.log.lines(line) == i+1 })
		release <- struct{}{}
		c.wantText("x")
		if got := s.Stats().LoopsAway; got < uint64(i)+1 {
			t.Errorf("got %d loops away, want at least %d", got, i+1)
		}
	}
	if !strings.Contains(s.log.String(), "TestLoopAway") {
		t.Errorf("the stack does not show the handler:\n%s", s.log)
	}
}

// TestLoopAwayBeforeUpgrade: so is a function that blocks before the 101, or
// answers plain HTTP.
func TestLoopAwayBeforeUpgrade(t *testing.T) {
	release := make(chan struct{})
	s := start(t, map[string]websocket.Route{
		"/upgrade": {Upgrade: func(*websocket.Conn, *websocket.Request) error { <-release; return nil }, Message: echoing.Message},
		"/page":    {HTTP: func(*websocket.Response, *websocket.Request) error { <-release; return nil }},
	}, func(c *Config) { c.Loops, c.LoopWarn = 1, 50*time.Millisecond })
	c := s.connect()
	for _, path := range []string{"/page", "/upgrade"} { // of one connection, one after the other
		if path == "/page" {
			c.write([]byte("GET /page HTTP/1.1\r\nHost: x\r\n\r\n"))
		} else {
			c.write([]byte(request(path)))
		}
		eventually(t, "a warning", func() bool { return s.log.lines("route="+path) == 1 })
		release <- struct{}{}
	}
}

// TestLoopAwayOnce: there is one warning for each time, and none for a loop that
// sleeps or is in time.
func TestLoopAwayOnce(t *testing.T) {
	s := start(t, echoTable, func(c *Config) { c.LoopWarn = time.Hour })
	l, seen := s.loops[0], sight{}
	stuck := &loop{srv: s.Server, conn: l.conn, tag: l.tag}
	id := "none"
	stuck.goroutine.Store(&id)
	look := func(want int, beat, warn time.Duration) {
		t.Helper()
		config := *s.conf()
		config.LoopWarn = warn
		s.config.Store(&config)
		stuck.beat.Store(uint32(beat / tickTime))
		s.look(stuck, &seen)
		if got := s.log.lines("loop is away"); got != want {
			t.Errorf("got %d warnings, want %d", got, want)
		}
	}
	s.start = s.start.Add(-time.Minute) // it has been up for a while
	look(0, 0, time.Second)
	look(0, time.Minute-time.Second, 50*time.Second)
	look(0, 30*time.Second, time.Second) // it may be with another connection soon
	look(1, 30*time.Second, time.Second)
	look(1, 30*time.Second, time.Second)
	look(1, 31*time.Second, time.Second)
	look(2, 31*time.Second, time.Second)
	look(2, 32*time.Second, 0)
	look(2, 32*time.Second, 0)
}

// TestLag: ticks are counted by how late they came.
func TestLag(t *testing.T) {
	var s Stats
	for _, n := range []uint32{0, 1, 1, 2, 3, 4, 11, 12, 102, 2000} {
		s.lag(n)
	}
	want := [LagBuckets]uint64{3, 1, 1, 1, 1, 1, 0, 0, 1, 1}
	if s.Lag != want {
		t.Errorf("got %v, want %v", s.Lag, want)
	}
	if late := uint64(1+2+3+10+11+101+1999) * 10; s.LagSum != late || s.MaxLag != 19990 || s.LateTicks != 4 {
		t.Errorf("got %d ms late in all, at most %d ms, %d of 100 ms, want %d, 19990, 4", s.LagSum, s.MaxLag, s.LateTicks, late)
	}
}

// TestRouteNames: a pattern keeps its number whatever table it is in.
func TestRouteNames(t *testing.T) {
	s := start(t, echoTable, nil)
	routes, err := websocket.Compile(map[string]websocket.Route{"/a": echoing, "/echo": echoing})
	if err != nil {
		t.Fatal(err)
	}
	ids := s.name(routes)
	if ids[0] != 2 || ids[1] != 1 {
		t.Errorf("got numbers %v, want 2 for /a and 1 for /echo", ids)
	}
}
