package poller

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// TestDrainCode: connections are sent away with the code that the configuration
// has when the drain begins.
func TestDrainCode(t *testing.T) {
	for code, want := range map[ws.StatusCode]ws.StatusCode{0: 1001, 1001: 1001, 1012: 1012} {
		s := start(t, echoTable, func(c *Config) { c.DrainCode = code })
		c := s.dial("/echo")
		s.stop()
		c.wantClose(want)
		c.finish(want)
	}
	c := Config{DrainCode: 1000}
	if err := c.Validate(); !strings.Contains(err.Error(), "drain code: 1000 is neither 1001 nor 1012") {
		t.Errorf("a code that says nothing of leaving: got %v", err)
	}
}

// TestDrainShare: a share of the connections is sent away, the others and
// newcomers are not.
func TestDrainShare(t *testing.T) {
	const clients = 64
	s := start(t, echoTable, func(c *Config) { c.DrainCode, c.Limits.CloseTimeout = 1012, time.Hour })
	for range clients {
		s.dial("/echo")
	}
	s.connect() // has not upgraded
	for _, none := range []struct {
		share float64
		over  time.Duration
	}{{0, 0}, {1, 240 * time.Hour}} {
		if s.Drain(none.share, none.over); s.leaving() != 0 {
			t.Errorf("%v over %v: got %d at once", none.share, none.over, s.leaving())
		}
	}
	s.Drain(0.5, 0)
	if n := s.leaving(); n < clients/8 || n > clients*7/8 { // by chance: once in 10^9
		t.Errorf("got %d of %d for a half", n, clients)
	}
	c := s.dial("/echo")
	s.Drain(1, 10*time.Millisecond)
	c.wantClose(1012)
	c.finish(1012)
	s.until("counted", func(got Stats) bool { return got.Closed[websocket.CauseGoingAway] == 1 })
	eventually(t, "all are on their way", func() bool { return s.leaving() == clients })
	began := s.Server.now()
	eventually(t, "all clocks have moved on", func() bool {
		moved := true
		s.onLoops(func(l *loop) { moved = moved && l.tick > began })
		return moved
	})
	newcomer := s.dial("/echo")
	s.onLoops(func(l *loop) { l.depart(&departure{share: 1, tick: began, places: 1 << 12}, 0, 1<<12) })
	newcomer.echo("stays")
	s.onLoops(func(l *loop) {
		if n := l.snapshot().Timers; n != 0 {
			t.Errorf("the drain holds %d timers", n)
		}
	})
}

// leaving is how many connections wait for the answer to a close frame.
func (s *running) leaving() (n int) {
	s.t.Helper()
	s.onLoops(func(l *loop) {
		for fd := range l.table.top() {
			if c := l.table.at(fd); c != nil && c.is(l) && c.ws.Closing() {
				n++
			}
		}
	})
	return n
}

// TestDeparture: time takes a drain to each descriptor once, evenly.
func TestDeparture(t *testing.T) {
	const places = 1 << 13
	d := departure{places: places, over: time.Hour}
	for part := range 9 {
		if got, want := d.due(time.Duration(part)*time.Hour/8), part*places/8; got != want {
			t.Errorf("after %d/8: got %d places, want %d", part, got, want)
		}
	}
	if d.due(2*time.Hour) != places || (&departure{places: places}).due(0) != places {
		t.Error("it does not come to an end")
	}
	seen := make([]bool, places)
	for i := range places {
		seen[d.descriptor(i)] = true
	}
	if slices.Contains(seen, false) {
		t.Error("a descriptor is left out")
	}
	for i := 1; i < places; i++ {
		if gap := d.descriptor(i) - d.descriptor(i-1); gap > -64 && gap < 64 {
			t.Fatalf("descriptors %d and %d follow each other", d.descriptor(i-1), d.descriptor(i))
		}
	}
}

// TestDrainShareWaitsForJobs: a message whose job is under way has been taken,
// and its answer leaves before the connection is sent away.
func TestDrainShareWaitsForJobs(t *testing.T) {
	job, release := make(chan struct{}), make(chan struct{})
	s := start(t, map[string]websocket.Route{"/": {Message: func(c *websocket.Conn, op ws.OpCode, p []byte) error {
		return c.Go(func() func(*websocket.Conn) error {
			close(job)
			<-release
			return func(c *websocket.Conn) error { return c.Send(ws.OpText, []byte("answer")) }
		})
	}}}, func(c *Config) { c.Loops = 1 })
	c := s.dial("/")
	c.text("question")
	receive(t, job)
	s.Drain(1, 0)
	asked := s.tick()
	eventually(t, "the drain has come to it", func() bool { return s.tick() > asked+5 })
	close(release)
	c.wantText("answer")
	c.wantClose(1001)
	c.finish(1001)
}
