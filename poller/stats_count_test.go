package poller

import (
	"slices"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"echogate/poller/websocket"
)

// wantStates compares what the census says of a route.
func wantStates(t *testing.T, l *loop, what, route string, want [States]int) {
	t.Helper()
	sum := Stats{Routes: l.srv.routeStats()}
	sum.addCensus(l.snapshot().census)
	for _, r := range sum.Routes {
		switch {
		case r.Route == route && r.Connections != want:
			t.Errorf("%s: %q has %v, want %v", what, r.Route, r.Connections, want)
		case r.Route != route && r.Connections != [States]int{}:
			t.Errorf("%s: %q has %v, want none", what, r.Route, r.Connections)
		}
	}
}

// TestCensus: a connection is counted once, wherever it is in its life.
func TestCensus(t *testing.T) {
	l := still(t, limited(func(c *Config) { c.Limits.HighWater, c.Limits.LowWater = 1000, 100 }))
	c := connect(t, l)
	wantStates(t, l, "connected", "", [States]int{StateHandshake: 1})
	c.sends([]byte(hello)[:20])
	wantStates(t, l, "half a request", "", [States]int{StateHandshake: 1})
	c.sends([]byte(hello)[20:])
	c.receives()
	wantStates(t, l, "upgraded", "/echo", [States]int{StateOpen: 1})
	l.call(c.fd, c.slot, func(c *websocket.Conn) error { return c.Send(ws.OpBinary, make([]byte, 1<<20)) })
	wantStates(t, l, "not reading", "/echo", [States]int{StatePaused: 1})
	if b := l.snapshot().Backlog; b == 0 || b >= 1<<20 || b != len(l.busyOf(c.slot).out)-l.busyOf(c.slot).off {
		t.Errorf("a backlog of %d", b)
	}
	for len(c.receives()) > 0 {
		_ = l.event(c.fd, unix.EPOLLOUT)
	}
	wantStates(t, l, "reading again", "/echo", [States]int{StateOpen: 1})
	if b := l.snapshot().Backlog; b != 0 {
		t.Errorf("a backlog of %d when all is sent", b)
	}
	l.call(c.fd, c.slot, func(c *websocket.Conn) error { return c.Send(ws.OpBinary, make([]byte, 1<<20)) })
	l.call(c.fd, c.slot, func(c *websocket.Conn) error { return c.Close(1000, "") })
	wantStates(t, l, "closing behind its backlog", "/echo", [States]int{StateClosing: 1})
	for len(c.receives()) > 0 {
		_ = l.event(c.fd, unix.EPOLLOUT)
	}
	wantStates(t, l, "closing still", "/echo", [States]int{StateClosing: 1})
	l.cut(c.fd, c.slot, websocket.ErrReset)
	wantStates(t, l, "ended", "/echo", [States]int{})
	refused := connect(t, l)
	refused.sends([]byte("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"))
	wantStates(t, l, "refused", "", [States]int{StateClosing: 1})
	_ = open(t, l)
	l.cut(refused.fd, refused.slot, websocket.ErrReset)
	wantStates(t, l, "another", "/echo", [States]int{StateOpen: 1})
}

// TestCensusFullAtOnce: a backlog that is there before the upgrade is counted has
// the connection paused from the first on.
func TestCensusFullAtOnce(t *testing.T) {
	routes, err := websocket.Compile(map[string]websocket.Route{"/echo": {Message: echo, Open: func(c *websocket.Conn) error {
		_ = c.Send(ws.OpBinary, make([]byte, 1<<20))
		return c.Flush()
	}}})
	if err != nil {
		t.Fatal(err)
	}
	l := still(t, limited(func(c *Config) { c.Routes, c.Limits.HighWater = routes, 1000 }))
	c := connect(t, l)
	c.sends([]byte(hello))
	wantStates(t, l, "upgraded", "/echo", [States]int{StatePaused: 1})
	l.cut(c.fd, c.slot, websocket.ErrReset)
	wantStates(t, l, "cut", "/echo", [States]int{})
}

// TestCensusOfManyPatterns: those that have no number are counted together.
func TestCensusOfManyPatterns(t *testing.T) {
	l := still(t, nil)
	l.names[0] = 0
	c := open(t, l)
	wantStates(t, l, "open", "", [States]int{StateOpen: 1})
	l.cut(c.fd, c.slot, websocket.ErrReset)
	wantStates(t, l, "ended", "", [States]int{})
}

// TestCensusCut: connections that are cut with a backlog leave none of it.
func TestCensusCut(t *testing.T) {
	l := still(t, limited(func(c *Config) { c.Limits.HighWater = 1000 }))
	c := open(t, l)
	l.call(c.fd, c.slot, func(c *websocket.Conn) error { return c.Send(ws.OpBinary, make([]byte, 1<<20)) })
	l.cut(c.fd, c.slot, websocket.ErrSlowReader)
	if b := l.snapshot().Backlog; b != 0 {
		t.Errorf("a backlog of %d", b)
	}
	wantStates(t, l, "cut", "/echo", [States]int{})
}

// TestTimeouts: every deadline that passes is counted for what it was.
func TestTimeouts(t *testing.T) {
	connected := func(t *testing.T, l *loop) stillConn { return connect(t, l) }
	opened := func(t *testing.T, l *loop) stillConn { return open(t, l) }
	page := func(t *testing.T, l *loop) stillConn {
		c := connect(t, l)
		c.sends([]byte("GET /page HTTP/1.1\r\nHost: x\r\n\r\n"))
		return c
	}
	half := func(t *testing.T, l *loop) stillConn {
		c := open(t, l)
		c.sends([]byte{0x02, 0x80, 0, 0, 0, 0}) // the first fragment of two
		return c
	}
	full := func(t *testing.T, l *loop) stillConn {
		c := open(t, l)
		l.call(c.fd, c.slot, func(c *websocket.Conn) error { return c.Send(ws.OpBinary, make([]byte, 1<<20)) })
		return c
	}
	closing := func(t *testing.T, l *loop) stillConn {
		c := open(t, l)
		l.call(c.fd, c.slot, func(c *websocket.Conn) error { return c.Close(1000, "") })
		return c
	}
	failed := func(t *testing.T, l *loop) stillConn {
		c := open(t, l)
		c.sends([]byte{0xff, 0x80})
		return c
	}
	const d = time.Second
	for what, tt := range map[Timeout]struct {
		set   func(*Config)
		begin func(*testing.T, *loop) stillConn
	}{
		TimeoutHandshake: {func(c *Config) { c.HandshakeTimeout = d }, connected},
		TimeoutHTTPIdle:  {func(c *Config) { c.HTTPIdle = d }, page},
		TimeoutMessage:   {func(c *Config) { c.Limits.MessageTimeout = d }, half},
		TimeoutIdle:      {func(c *Config) { c.Limits.IdleTimeout = d }, opened},
		TimeoutStall:     {func(c *Config) { c.Limits.StallTimeout = d }, full},
		TimeoutClose:     {func(c *Config) { c.Limits.CloseTimeout = d }, closing},
		TimeoutLifetime:  {func(c *Config) { c.Limits.MaxLifetime = d }, opened},
		TimeoutLinger:    {nil, failed}, // two seconds
	} {
		t.Run(what.String(), func(t *testing.T) {
			l := still(t, limited(tt.set))
			tt.begin(t, l)
			for range 50 {
				if l.stats.Timeouts != [Timeouts]uint64{} {
					t.Fatalf("too early: %v", l.stats.Timeouts)
				}
				later(t, l, tickTime)
			}
			for range 400 {
				later(t, l, tickTime)
			}
			var want [Timeouts]uint64
			want[what] = 1
			if what == TimeoutMessage { // which ends as a failure, with a lingering peer
				want[TimeoutLinger] = 1
			}
			if l.stats.Timeouts != want {
				t.Errorf("got %v, want %v", l.stats.Timeouts, want)
			}
		})
	}
}

// TestStatuses: refused requests are counted by the status of their answer.
func TestStatuses(t *testing.T) {
	l := still(t, nil)
	for _, request := range []string{
		"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", "POST /echo HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n", "GET /echo HTTP/1.1\r\n\r\n",
	} {
		connect(t, l).sends([]byte(request))
	}
	open(t, l)
	got := map[string]uint64{}
	for i, n := range l.snapshot().Statuses {
		if n > 0 {
			got[Status(i).String()] = n
		}
	}
	if len(got) != 4 || got["404"] != 1 || got["405"] != 1 || got["426"] != 1 || got["400"] != 1 {
		t.Errorf("got %v, want one each of 400, 404, 405, 426", got)
	}
}

// TestStatsRoutes: every pattern of every table is told of, and loops are added up.
func TestStatsRoutes(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]websocket.Route{"/a": echoing, "/b": echoing}, nil)
	for _, path := range []string{"/a", "/b", "/a", "/a"} {
		s.dial(path)
	}
	s.connect()
	want := []RouteStats{
		{"", [States]int{StateHandshake: 1}}, {"/a", [States]int{StateOpen: 3}}, {"/b", [States]int{StateOpen: 1}},
	}
	s.until("the routes", func(got Stats) bool { return slices.Equal(got.Routes, want) })
}
